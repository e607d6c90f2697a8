/**
 * DescribeConfigs.
 *
 * Versions: 0 to 4.
 * Behaviour: topics (type 2) with all known keys, their source, type and, when asked, documentation; the broker (type 4)
 *   with what has an effect here.
 * Not done: other resource types are 42.
 * Versions differ: sources and synonyms from 1, types and documentation from 3.
 */
import { apis, type DescribeConfigsResponseResultsInput, errorCode } from '../../wire/index.ts';
import { type ConfigEntry, describeConfigs } from '../config-entries.ts';
import { defineHandler, type RequestContext, topicFor } from '../handler.ts';

const TOPIC = 2;
const BROKER = 4;
const SOURCE_STATIC = 4;

export default defineHandler({
  api: apis.describeConfigs,
  min: 0,
  max: 4,
  handle(context, request) {
    const results = request.resources.map(({ configurationKeys, resourceName, resourceType }) => {
      const entries = entriesOf(context, resourceType, resourceName);
      const base = { resourceType, resourceName };
      if (typeof entries === 'string')
        return { ...base, errorCode: errorCode(entries), errorMessage: `no resource ${resourceName}`, configs: [] };
      const wanted =
        configurationKeys === null ? entries : entries.filter(({ name }) => configurationKeys.includes(name));
      const configs = wanted.map(entry => ({
        ...entry,
        documentation: request.includeDocumentation ? entry.documentation : null,
        synonyms: request.includeSynonyms ? [{ name: entry.name, value: entry.value, source: entry.configSource }] : [],
      }));
      return { ...base, errorCode: 0, errorMessage: null, configs } satisfies DescribeConfigsResponseResultsInput;
    });
    return { results };
  },
});

function entriesOf(
  context: RequestContext,
  type: number,
  name: string,
): ConfigEntry[] | 'INVALID_REQUEST' | 'UNKNOWN_TOPIC_OR_PARTITION' {
  if (type === TOPIC) {
    const topic = topicFor(context, name);
    return topic ? describeConfigs(topic.configs) : 'UNKNOWN_TOPIC_OR_PARTITION';
  }
  if (type !== BROKER || (name !== '' && name !== String(context.settings.nodeId))) return 'INVALID_REQUEST';
  const { autoCreateTopics, defaultPartitions, idleMs, nodeId, requestBytesMax } = context.settings;
  const entry = (
    key: string,
    value: string | number | boolean,
    configType: number,
    documentation: string,
  ): ConfigEntry => ({
    name: key,
    value: String(value),
    readOnly: true,
    isDefault: false,
    configSource: SOURCE_STATIC,
    isSensitive: false,
    configType,
    documentation,
  });
  return [
    entry('broker.id', nodeId, 3, 'The id of this node.'),
    entry('auto.create.topics.enable', autoCreateTopics, 1, 'Whether Metadata creates missing topics.'),
    entry('num.partitions', defaultPartitions, 3, 'Partitions of topics that are created without a count.'),
    entry('default.replication.factor', 1, 3, 'A single node holds one replica.'),
    entry('socket.request.max.bytes', requestBytesMax, 3, 'Largest request, in bytes.'),
    entry('connections.max.idle.ms', idleMs, 5, 'Idle connections are closed with FIN after this, in milliseconds.'),
  ];
}
