/**
 * Metadata.
 *
 * Versions: 0 to 13.
 * Behaviour: one broker, at the address that the listener advertises. All topics of the namespace but internal ones, which
 *   are given when asked for by name. Creates missing topics when the client allows it and the setting
 *   `auto_create_topics` does; they are durable before the answer. A name that no topic can have is 17.
 * Not done: access control: who asks for authorised operations is told that all are.
 * Versions differ: no topics mean all in 0, none from 1 on, where null means all; the client's word on creation from 4,
 *   operations from 8 (the cluster's to 10), ids from 10, by id from 12 (42 before), an error for the whole from 13.
 */
import type { Topic } from '../../log/index.ts';
import {
  apis,
  errorCode,
  type ErrorName,
  type MetadataRequest,
  type MetadataResponseInput,
  type MetadataResponseTopicsInput,
  ZERO_UUID,
} from '../../wire/index.ts';
import { authorizedOperations, nameOf } from '../answers.ts';
import { brokerErrors } from '../errors.ts';
import { defineHandler, type RequestContext, topicByNameOrId } from '../handler.ts';
import { isInternalName, isTopicName } from '../topic-configs.ts';

type TopicAnswer = MetadataResponseTopicsInput;

export default defineHandler({
  api: apis.metadata,
  min: 0,
  max: 13,
  handle(context, request) {
    const answers = topicsOf(context, request);
    // Without topics to wait for there is no pause: answers of many requests do not pile up.
    const isReady = answers.every((answer): answer is TopicAnswer => !(answer instanceof Promise));
    return isReady
      ? respond(context, request, answers)
      : Promise.all(answers.map(async answer => answer)).then(topics => respond(context, request, topics));
  },
});

function respond(
  { advertised, log, settings: { nodeId } }: RequestContext,
  request: MetadataRequest,
  topics: TopicAnswer[],
): MetadataResponseInput {
  return {
    brokers: [{ nodeId, host: advertised.host, port: advertised.port, rack: null }],
    clusterId: log.clusterId,
    controllerId: nodeId,
    topics,
    clusterAuthorizedOperations: authorizedOperations('cluster', request.includeClusterAuthorizedOperations),
  };
}

function topicsOf(context: RequestContext, request: MetadataRequest): (TopicAnswer | Promise<TopicAnswer>)[] {
  const { topics } = request;
  const describe = (topic: Topic): TopicAnswer => describeTopic(context, request, topic);
  if (topics !== null && (context.version > 0 || topics.length > 0)) {
    return topics.map(({ name, topicId }) =>
      name === null || topicId !== ZERO_UUID
        ? byId(context, name, topicId, describe)
        : byName(context, request, name, describe),
    );
  }
  return [...context.log.topics()]
    .filter(topic => topic.namespace === context.namespace && !topic.isInternal)
    .map(describe);
}

function byId(
  context: RequestContext,
  name: string | null,
  topicId: string,
  describe: (topic: Topic) => TopicAnswer,
): TopicAnswer {
  if (context.version < 12) return failed('INVALID_REQUEST', name ?? '', topicId);
  const topic = topicByNameOrId(context, '', topicId, true);
  return topic ? describe(topic) : failed('UNKNOWN_TOPIC_ID', null, topicId);
}

function byName(
  context: RequestContext,
  request: MetadataRequest,
  name: string,
  describe: (topic: Topic) => TopicAnswer,
): TopicAnswer | Promise<TopicAnswer> {
  const { namespace, settings, topicMaker } = context;
  const retry = (error: unknown): TopicAnswer => {
    // A client that is told to wait asks again.
    nameOf(context, error, ['TOPIC_ALREADY_EXISTS', 'KAFKA_STORAGE_ERROR']);
    return failed('LEADER_NOT_AVAILABLE', name);
  };
  const known = topicMaker.find(namespace, name);
  if (known instanceof Promise) return known.then(describe, retry);
  if (known) return describe(known);
  if (!isTopicName(name)) return failed('INVALID_TOPIC_EXCEPTION', name);
  const canCreate = settings.autoCreateTopics && request.allowAutoTopicCreation;
  if (!canCreate || isInternalName(name)) return failed('UNKNOWN_TOPIC_OR_PARTITION', name);
  const refusal = topicMaker.refusal(namespace, name, settings.defaultPartitions);
  if (refusal) {
    context.refused(brokerErrors.topicRefused({ topic: name, reason: refusal[1] }));
    const isName = refusal[0] === 'TOPIC_ALREADY_EXISTS';
    return failed(isName ? 'INVALID_TOPIC_EXCEPTION' : 'UNKNOWN_TOPIC_OR_PARTITION', name);
  }
  return topicMaker.make(namespace, name, settings.defaultPartitions).then(describe, retry);
}

function failed(error: ErrorName, name: string | null, topicId: string = ZERO_UUID): TopicAnswer {
  return { errorCode: errorCode(error), name, topicId, partitions: [] };
}

function describeTopic({ settings: { nodeId } }: RequestContext, request: MetadataRequest, topic: Topic): TopicAnswer {
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.isInternal,
    topicAuthorizedOperations: authorizedOperations('topic', request.includeTopicAuthorizedOperations),
    partitions: topic.partitions.map(partition => ({
      errorCode: 0,
      partitionIndex: partition.index,
      leaderId: nodeId,
      leaderEpoch: partition.leaderEpoch,
      replicaNodes: [nodeId],
      isrNodes: [nodeId],
      offlineReplicas: [],
    })),
  };
}
