/**
 * DescribeConfigs.
 *
 * Versions: 0 to 4.
 * Behaviour: topics (type 2) and the broker (type 4, by node id or without a name) with all known keys, or those asked for;
 *   their source and type, and when asked synonyms and documentation. An unknown topic is 3.
 * Not done: other resource types are 42.
 * Versions differ: sources and synonyms from 1, types and documentation from 3.
 */
import { apis, type DescribeConfigsResponseResultsInput, type ErrorName } from '../../wire/index.ts';
import { distinct, failure } from '../answers.ts';
import { brokerEntries, type ConfigEntry, topicEntries } from '../config-entries.ts';
import { defineHandler, type RequestContext, topicFor, topicName } from '../handler.ts';
import { CLUSTER_NAME } from '../security/acl.ts';

const TOPIC = 2;
const BROKER = 4;

export default defineHandler({
  api: apis.describeConfigs,
  min: 0,
  max: 4,
  handle(context, request) {
    const resources = distinct(
      request.resources,
      ({ resourceName, resourceType }) => `${resourceType} ${resourceName}`,
    );
    const results = resources.map(
      ({ configurationKeys, resourceName, resourceType }): DescribeConfigsResponseResultsInput => {
        const resource = { resourceType, resourceName };
        const found = find(context, resourceType, resourceName);
        if (!Array.isArray(found)) return { ...resource, ...failure(...found.refusal), configs: [] };
        const keys = configurationKeys && new Set(configurationKeys);
        const configs = found
          .filter(({ name }) => keys?.has(name) ?? true)
          .map(entry => ({
            ...entry,
            documentation: request.includeDocumentation ? entry.documentation : null,
            synonyms: request.includeSynonyms ? entry.synonyms : [],
          }));
        return { ...resource, errorCode: 0, errorMessage: null, configs };
      },
    );
    return { results };
  },
});

function find(
  context: RequestContext,
  type: number,
  name: string,
): ConfigEntry[] | { readonly refusal: readonly [ErrorName, string] } {
  const { settings } = context;
  if (type === TOPIC) {
    if (!context.may('DESCRIBE_CONFIGS', 'TOPIC', topicName(context, name)))
      return { refusal: ['TOPIC_AUTHORIZATION_FAILED', `not allowed to describe the configs of ${name}`] };
    const topic = topicFor(context, name);
    return topic
      ? topicEntries(topic.configs)
      : { refusal: ['UNKNOWN_TOPIC_OR_PARTITION', `there is no topic ${name}`] };
  }
  if (type === BROKER && !context.may('DESCRIBE_CONFIGS', 'CLUSTER', CLUSTER_NAME))
    return { refusal: ['CLUSTER_AUTHORIZATION_FAILED', 'not allowed to describe the configs of the broker'] };
  if (type !== BROKER) return { refusal: ['INVALID_REQUEST', `resources of type ${type} have no configs here`] };
  const isThis = name === '' || name === String(settings.nodeId);
  return isThis
    ? brokerEntries(settings)
    : { refusal: ['INVALID_REQUEST', `there is no broker ${name}; this one is ${settings.nodeId}`] };
}
