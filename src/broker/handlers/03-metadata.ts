/**
 * Metadata.
 *
 * Versions: 0 to 13.
 * Behaviour: one broker, at the address of the listener unless one is advertised. All topics of the namespace but internal
 *   ones, which are given when asked for by name. Creates missing topics when the client allows it and the setting
 *   `auto_create_topics` does; they are durable before the answer.
 * Not done: authorised operations (answered "not known" until there is access control).
 * Versions differ: no topics mean all in 0, none from 1 on, where null means all; ids from 10, by id from 12.
 */
import { MillraceError } from '../../base/index.ts';
import type { Topic } from '../../log/index.ts';
import { apis, errorCode, type ErrorName, type MetadataResponseTopicsInput, ZERO_UUID } from '../../wire/index.ts';
import { defineHandler, type RequestContext, topicByNameOrId } from '../handler.ts';
import { isTopicName } from '../topic-configs.ts';

export default defineHandler({
  api: apis.metadata,
  min: 0,
  max: 13,
  async handle(context, request) {
    const { settings, version } = context;
    const isAll = request.topics === null || (version === 0 && request.topics.length === 0);
    const canCreate = settings.autoCreateTopics && (version < 4 || request.allowAutoTopicCreation);
    const topics = isAll
      ? [...context.log.topics()]
          .filter(topic => topic.namespace === context.namespace && !topic.isInternal)
          .map(topic => describe(settings.nodeId, topic))
      : await Promise.all(request.topics!.map(({ name, topicId }) => find(context, name, topicId, canCreate)));
    return {
      brokers: [
        { nodeId: settings.nodeId, host: settings.advertisedHost ?? context.host, port: context.port, rack: null },
      ],
      clusterId: context.log.clusterId,
      controllerId: settings.nodeId,
      topics,
    };
  },
});

async function find(
  context: RequestContext,
  name: string | null,
  topicId: string,
  canCreate: boolean,
): Promise<MetadataResponseTopicsInput> {
  const { nodeId } = context.settings;
  if (name === null) {
    const topic = topicByNameOrId(context, '', topicId, true);
    return topic ? describe(nodeId, topic) : failed('UNKNOWN_TOPIC_ID', null, topicId);
  }
  const topic = topicByNameOrId(context, name, '', false);
  if (topic) return describe(nodeId, topic);
  if (!isTopicName(name)) return failed('INVALID_TOPIC_EXCEPTION', name);
  if (!canCreate || name.startsWith('__millrace_')) return failed('UNKNOWN_TOPIC_OR_PARTITION', name);
  try {
    const { defaultPartitions, topicDefaults } = context.settings;
    return describe(nodeId, await context.log.createTopic(context.namespace, name, defaultPartitions, topicDefaults));
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return failed('LEADER_NOT_AVAILABLE', name);
  }
}

function failed(error: ErrorName, name: string | null, topicId: string = ZERO_UUID): MetadataResponseTopicsInput {
  return { errorCode: errorCode(error), name, topicId, partitions: [] };
}

function describe(nodeId: number, topic: Topic): MetadataResponseTopicsInput {
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.isInternal,
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
