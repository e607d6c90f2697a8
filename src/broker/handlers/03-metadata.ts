/**
 * Metadata.
 *
 * Versions: 0 to 13.
 * Behaviour: one broker, at the address that the listener advertises. All topics of the namespace but internal ones, which
 *   are given when asked for by name. Creates missing topics when the client allows it and the setting
 *   `auto_create_topics` does; they are durable before the answer. A name that no topic can have is 17. Topics that the client
 *   may not describe are left out, or 29 when it names them. Logstores are not made by asking for them: 3, told with the
 *   nearest name; `NAME.json` is the Logstore NAME under that name and an id of its own.
 * Not done: nothing.
 * Versions differ: no topics mean all in 0, none from 1 on, where null means all; the client's word on creation from 4,
 *   operations from 8 (the cluster's to 10), ids from 10, by id from 12 (42 before), an error for the whole from 13.
 */
import { type MillraceError, nearest } from '../../base/index.ts';
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
import { authorizedOperations, distinct, nameOf } from '../answers.ts';
import { brokerErrors } from '../errors.ts';
import { defineHandler, type RequestContext, topicByNameOrId, topicName } from '../handler.ts';
import { aliasId } from '../logstores.ts';
import { CLUSTER_NAME } from '../security/acl.ts';
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

function respond(context: RequestContext, request: MetadataRequest, topics: TopicAnswer[]): MetadataResponseInput {
  const {
    advertised,
    log,
    settings: { nodeId },
  } = context;
  const isAsked = request.includeClusterAuthorizedOperations;
  return {
    brokers: [{ nodeId, host: advertised.host, port: advertised.port, rack: null }],
    clusterId: log.clusterId,
    controllerId: nodeId,
    topics,
    clusterAuthorizedOperations: authorizedOperations(context, 'CLUSTER', CLUSTER_NAME, isAsked),
  };
}

function topicsOf(context: RequestContext, request: MetadataRequest): (TopicAnswer | Promise<TopicAnswer>)[] {
  const { topics } = request;
  const describe = (topic: Topic): TopicAnswer => describeTopic(context, request, topic, topic.name);
  if (topics !== null && (context.version > 0 || topics.length > 0)) {
    return distinct(topics, ({ name, topicId }) => `${topicId} ${name}`).map(({ name, topicId }) =>
      name === null || topicId !== ZERO_UUID ? byId(context, request, name, topicId) : byName(context, request, name),
    );
  }
  return [...context.log.topics()]
    .filter(topic => topic.namespace === context.namespace && !topic.isInternal)
    .filter(topic => context.may('DESCRIBE', 'TOPIC', topic.name, false))
    .map(describe);
}

function byId(context: RequestContext, request: MetadataRequest, name: string | null, topicId: string): TopicAnswer {
  if (context.version < 12) return failed('INVALID_REQUEST', name ?? '', topicId);
  const topic = topicByNameOrId(context, '', topicId, true);
  if (!topic) return failed('UNKNOWN_TOPIC_ID', null, topicId);
  // Who may not see a topic learns nothing of its id but that it may not.
  if (!context.may('DESCRIBE', 'TOPIC', topic.name)) return failed('TOPIC_AUTHORIZATION_FAILED', null, topicId);
  return describeTopic(context, request, topic, topicId === topic.id ? topic.name : `${topic.name}.json`);
}

function byName(context: RequestContext, request: MetadataRequest, name: string): TopicAnswer | Promise<TopicAnswer> {
  const { isLogService, namespace, security, settings, topicMaker } = context;
  const ownName = topicName(context, name);
  if (isLogService && !security.projects.has(namespace)) {
    context.refused(
      brokerErrors.unknownProject({ project: namespace, known: [...security.projects].join(', ') || 'none' }),
    );
    return failed('UNKNOWN_TOPIC_OR_PARTITION', name);
  }
  if (!context.may('DESCRIBE', 'TOPIC', ownName)) return failed('TOPIC_AUTHORIZATION_FAILED', name);
  const describe = (topic: Topic): TopicAnswer => describeTopic(context, request, topic, name);
  const retry = (error: unknown): TopicAnswer => {
    // A client that is told to wait asks again.
    nameOf(context, error, ['TOPIC_ALREADY_EXISTS', 'KAFKA_STORAGE_ERROR']);
    return failed('LEADER_NOT_AVAILABLE', name);
  };
  const known = topicMaker.find(namespace, ownName);
  if (known instanceof Promise) return known.then(describe, retry);
  if (known) return describe(known);
  if (!isTopicName(name)) return failed('INVALID_TOPIC_EXCEPTION', name);
  if (isLogService) {
    context.refused(unknownLogstore(context, ownName));
    return failed('UNKNOWN_TOPIC_OR_PARTITION', name);
  }
  const canCreate = settings.autoCreateTopics && request.allowAutoTopicCreation;
  if (!canCreate || isInternalName(name)) return failed('UNKNOWN_TOPIC_OR_PARTITION', name);
  const mayCreate = context.may('CREATE', 'CLUSTER', CLUSTER_NAME, false) || context.may('CREATE', 'TOPIC', name);
  if (!mayCreate) return failed('TOPIC_AUTHORIZATION_FAILED', name);
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

/** With what the name may have been meant to be. */
function unknownLogstore({ log, namespace }: RequestContext, name: string): MillraceError {
  const names = [...log.topics()].filter(topic => topic.namespace === namespace).map(topic => topic.name);
  const near = nearest(name, names);
  const hint = near === undefined ? `there are ${names.length} others` : `did you mean ${near}?`;
  return brokerErrors.unknownLogstore({ project: namespace, logstore: name, hint });
}

/** Under the name that was asked for, which may be an alias. */
function describeTopic(context: RequestContext, request: MetadataRequest, topic: Topic, name: string): TopicAnswer {
  const { nodeId } = context.settings;
  const isAsked = request.includeTopicAuthorizedOperations;
  return {
    errorCode: 0,
    name,
    topicId: name === topic.name ? topic.id : aliasId(topic.id),
    isInternal: topic.isInternal,
    topicAuthorizedOperations: authorizedOperations(context, 'TOPIC', topic.name, isAsked),
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
