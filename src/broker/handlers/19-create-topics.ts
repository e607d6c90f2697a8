/**
 * CreateTopics.
 *
 * Versions: 0 to 7.
 * Behaviour: durable before the answer. -1 partitions or replicas mean the default; a replication factor other than 1 is 38:
 *   one node has one replica. Configs are checked (40). `validateOnly` checks everything and creates nothing.
 *   Names that differ only in `.` and `_` collide (36).
 * Not done: assignments name node ids; any that is not ours is 39.
 * Versions differ: -1 from 4; configs in the answer from 5; topic id from 7.
 */
import { MillraceError } from '../../base/index.ts';
import type { Topic } from '../../log/index.ts';
import {
  apis,
  type CreateTopicsRequestTopics,
  type CreateTopicsResponseTopicsInput,
  errorCode,
  type ErrorName,
  errorName,
} from '../../wire/index.ts';
import { defineHandler, type RequestContext, topicFor } from '../handler.ts';
import { describeConfigs } from '../config-entries.ts';
import { isTopicName, topicConfigDefect } from '../topic-configs.ts';

const PARTITIONS_MAX = 10_000;

export default defineHandler({
  api: apis.createTopics,
  min: 0,
  max: 7,
  async handle(context, request) {
    const names = request.topics.map(topic => topic.name);
    const topics: CreateTopicsResponseTopicsInput[] = [];
    for (const wish of request.topics) {
      const isTwice = names.filter(name => name === wish.name).length > 1;
      topics.push(
        isTwice
          ? failed(wish.name, 'INVALID_REQUEST', 'the topic is named twice in the request')
          : await create(context, wish, request.validateOnly),
      );
    }
    return { topics };
  },
});

async function create(
  context: RequestContext,
  wish: CreateTopicsRequestTopics,
  isTrial: boolean,
): Promise<CreateTopicsResponseTopicsInput> {
  const refusal = refusalOf(context, wish);
  if (refusal) return failed(wish.name, ...refusal);
  const count = wish.assignments.length > 0 ? wish.assignments.length : wish.numPartitions;
  const partitions = count === -1 ? context.settings.defaultPartitions : count;
  const configs = new Map(context.settings.topicDefaults);
  for (const { name, value } of wish.configs) configs.set(name, value ?? '');
  const done = (topic?: Topic): CreateTopicsResponseTopicsInput => ({
    name: wish.name,
    ...(topic && { topicId: topic.id }),
    errorCode: 0,
    errorMessage: null,
    numPartitions: partitions,
    replicationFactor: 1,
    configs: describeConfigs(configs).map(({ configSource, isSensitive, name, readOnly, value }) => ({
      name,
      value,
      readOnly,
      configSource,
      isSensitive,
    })),
  });
  if (isTrial) return done();
  try {
    return done(await context.log.createTopic(context.namespace, wish.name, partitions, configs));
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return failed(wish.name, errorName(error.row.kafka ?? -1), error.message);
  }
}

function refusalOf(context: RequestContext, wish: CreateTopicsRequestTopics): [ErrorName, string] | undefined {
  const { assignments, configs, name, numPartitions, replicationFactor } = wish;
  if (!isTopicName(name)) {
    return [
      'INVALID_TOPIC_EXCEPTION',
      'a topic name has 1 to 249 of the characters a-z A-Z 0-9 . _ - and is not . or ..',
    ];
  }
  if (name.startsWith('__millrace_'))
    return ['INVALID_TOPIC_EXCEPTION', 'names that begin with __millrace_ are internal'];
  const same = (other: string): boolean => other.replaceAll('.', '_') === name.replaceAll('.', '_');
  const clash =
    topicFor(context, name) ??
    [...context.log.topics()].find(topic => topic.namespace === context.namespace && same(topic.name));
  if (clash) return ['TOPIC_ALREADY_EXISTS', `topic ${clash.name} exists already`];
  if (assignments.length > 0) {
    const isOurs = assignments.every(
      ({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === context.settings.nodeId,
    );
    if (!isOurs)
      return ['INVALID_REPLICA_ASSIGNMENT', `every partition has one replica, on node ${context.settings.nodeId}`];
  } else {
    if (numPartitions !== -1 && (numPartitions < 1 || numPartitions > PARTITIONS_MAX)) {
      return ['INVALID_PARTITIONS', `a topic has 1 to ${PARTITIONS_MAX} partitions`];
    }
    if (replicationFactor !== -1 && replicationFactor !== 1) {
      return ['INVALID_REPLICATION_FACTOR', 'a single node holds one replica: ask for a replication factor of 1 or -1'];
    }
  }
  for (const config of configs) {
    const defect = topicConfigDefect(config.name, config.value);
    if (defect) return ['INVALID_CONFIG', defect];
  }
  return undefined;
}

function failed(name: string, error: ErrorName, message: string): CreateTopicsResponseTopicsInput {
  return { name, errorCode: errorCode(error), errorMessage: message, configs: [] };
}
