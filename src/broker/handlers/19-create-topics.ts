/**
 * CreateTopics.
 *
 * Versions: 0 to 7.
 * Behaviour: durable before the answer. -1 partitions or replicas mean the default, also in versions that do not speak of
 *   it; a replication factor other than 1 is 38: one node has one replica. Assignments must name each partition once, on
 *   this node (39), without a count beside them (42). Configs are checked (40). `validateOnly` checks everything and
 *   creates nothing. Names that differ only in `.` and `_` collide (36). A topic named twice in a request is 42; more than
 *   10,000 topics are 44.
 * Not done: the time-out: the answer comes with the sync.
 * Versions differ: `validateOnly` and error texts from 1; configs in the answer from 5; topic id from 7.
 */
import type { Topic } from '../../log/index.ts';
import {
  apis,
  type CreateTopicsRequestTopics,
  type CreateTopicsResponseTopicsInput,
  errorCode,
  type ErrorName,
} from '../../wire/index.ts';
import { failure, nameOf } from '../answers.ts';
import { topicEntries } from '../config-entries.ts';
import { defineHandler, type RequestContext } from '../handler.ts';
import { isLogstoreName } from '../logstores.ts';
import { CLUSTER_NAME } from '../security/acl.ts';
import { topicConfigDefect } from '../topic-configs.ts';

/** In one request: answers are larger than requests. */
const TOPICS_MAX = 10_000;

type TopicAnswer = CreateTopicsResponseTopicsInput;

export default defineHandler({
  api: apis.createTopics,
  min: 0,
  max: 7,
  async handle(context, request) {
    const wishes = new Map<string, CreateTopicsRequestTopics | undefined>();
    for (const wish of request.topics) wishes.set(wish.name, wishes.has(wish.name) ? undefined : wish);
    if (wishes.size > TOPICS_MAX) {
      const reason = `${wishes.size} topics in one request; at most ${TOPICS_MAX} are taken`;
      return { topics: [...wishes.keys()].map(name => failed(name, 'POLICY_VIOLATION', reason)) };
    }
    const topics = await Promise.all(
      [...wishes].map(async ([name, wish]) =>
        wish
          ? create(context, wish, request.validateOnly)
          : failed(name, 'INVALID_REQUEST', 'the topic is named twice in the request'),
      ),
    );
    return { topics };
  },
});

async function create(
  context: RequestContext,
  wish: CreateTopicsRequestTopics,
  isTrial: boolean,
): Promise<TopicAnswer> {
  const { assignments, name, numPartitions } = wish;
  const { namespace, settings, topicMaker } = context;
  const given = assignments.length > 0 ? assignments.length : numPartitions;
  const partitions = given === -1 ? settings.defaultPartitions : given;
  const refusal = refusalOf(context, wish) ?? topicMaker.refusal(namespace, name, partitions);
  if (refusal) return failed(name, ...refusal);
  const configs = new Map(wish.configs.map(config => [config.name, config.value ?? '']));
  if (isTrial) return made(context, wish, partitions, configs);
  try {
    return made(context, wish, partitions, configs, await topicMaker.make(namespace, name, partitions, configs));
  } catch (error) {
    return failed(name, nameOf(context, error, ['TOPIC_ALREADY_EXISTS']), error instanceof Error ? error.message : '');
  }
}

/** What is wrong with the wish itself. */
function refusalOf(
  context: RequestContext,
  { assignments, configs, name: topic, numPartitions, replicationFactor }: CreateTopicsRequestTopics,
): readonly [ErrorName, string] | undefined {
  const { isLogService, settings } = context;
  if (!context.may('CREATE', 'CLUSTER', CLUSTER_NAME, false) && !context.may('CREATE', 'TOPIC', topic))
    return ['TOPIC_AUTHORIZATION_FAILED', `not allowed to create ${topic}`];
  if (isLogService && !isLogstoreName(topic)) {
    const rule = 'a Logstore name has 3 to 63 of the characters a-z 0-9 - _ and begins and ends with a letter or digit';
    return ['INVALID_TOPIC_EXCEPTION', rule];
  }
  if (assignments.length > 0) {
    if (numPartitions !== -1 || replicationFactor !== -1)
      return ['INVALID_REQUEST', 'assignments stand in place of a number of partitions and a replication factor'];
    const indexes = new Set(assignments.map(({ partitionIndex }) => partitionIndex));
    const isWhole = assignments.every((_assignment, index) => indexes.has(index));
    const isOurs = assignments.every(({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === settings.nodeId);
    if (!isWhole || !isOurs)
      return [
        'INVALID_REPLICA_ASSIGNMENT',
        `partitions count from 0, each with one replica, on node ${settings.nodeId}`,
      ];
  } else if (replicationFactor !== -1 && replicationFactor !== 1) {
    const reason = `a replication factor of ${replicationFactor}: a single node holds one replica, ask for 1 or -1`;
    return ['INVALID_REPLICATION_FACTOR', reason];
  }
  for (const { name, value } of configs) {
    const defect = topicConfigDefect(name, value);
    if (defect) return ['INVALID_CONFIG', defect];
  }
  return undefined;
}

/** Who may not describe configs is told neither them nor the counts that follow from them. */
function made(
  context: RequestContext,
  { name }: CreateTopicsRequestTopics,
  numPartitions: number,
  configs: ReadonlyMap<string, string>,
  topic?: Topic,
): TopicAnswer {
  const base = { name, ...(topic && { topicId: topic.id }), errorCode: 0, errorMessage: null };
  if (!context.may('DESCRIBE_CONFIGS', 'TOPIC', name, false))
    return { ...base, topicConfigErrorCode: errorCode('TOPIC_AUTHORIZATION_FAILED'), configs: null };
  return { ...base, numPartitions, replicationFactor: 1, configs: topicEntries(configs) };
}

function failed(name: string, error: ErrorName, message: string): TopicAnswer {
  return { name, ...failure(error, message), configs: [] };
}
