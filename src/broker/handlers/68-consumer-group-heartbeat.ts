/**
 * ConsumerGroupHeartbeat.
 *
 * Versions: 0 and 1.
 * Behaviour: KIP-848. A member joins (epoch 0), lives, leaves (-1) and leaves for a while (-2, static members). Answered when what changed is
 *   durable. The assignment is in the answer where it changed, to who joins, and to who says everything. A member that comes
 *   with the epoch before its own, because an answer was lost, is taken; any other is 110 and joins again, with the id that
 *   it has. A classic group of consumers becomes a consumer group with the first such member.
 * Not done: nothing.
 * Versions differ: subscriptions by regular expression (RE2, 128 for a bad one) from 1, where the client also makes its own
 *   member id; in 0 one is given to it.
 */
import { NO_PARTITIONS, partitionSet, type PartitionSet } from '../../coordination/index.ts';
import { apis, errorCode, type ErrorName } from '../../wire/index.ts';
import { brokerErrors } from '../errors.ts';
import { defineHandler } from '../handler.ts';

/** What members meet in the ordinary course of things: they join again. */
const ROUTINE: ReadonlySet<ErrorName> = new Set(['UNKNOWN_MEMBER_ID', 'FENCED_MEMBER_EPOCH']);

export default defineHandler({
  api: apis.consumerGroupHeartbeat,
  min: 0,
  max: 1,
  async handle(context, request) {
    const { client, coordination, io, namespace, version } = context;
    const { groupId, subscribedTopicNames, topicPartitions } = request;
    const failed = (error: ErrorName, errorMessage: string) => ({
      errorCode: errorCode(error),
      errorMessage,
      memberEpoch: 0,
      heartbeatIntervalMs: 0,
      assignment: null,
    });
    if (!context.may('READ', 'GROUP', groupId))
      return failed('GROUP_AUTHORIZATION_FAILED', `not allowed to read group ${groupId}`);
    const denied = (subscribedTopicNames ?? []).find(name => !context.may('DESCRIBE', 'TOPIC', name));
    if (denied !== undefined) return failed('TOPIC_AUTHORIZATION_FAILED', `not allowed to describe topic ${denied}`);
    const isUnnamed = version === 0 && request.memberId === '' && request.memberEpoch === 0;
    const result = await coordination.consumerHeartbeat(namespace, groupId, {
      memberId: isUnnamed ? Buffer.from(io.random.bytes(16)).toString('base64url') : request.memberId,
      epoch: request.memberEpoch,
      instanceId: request.instanceId,
      rackId: request.rackId,
      clientId: client.id,
      clientHost: `/${client.host}`,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      topics: subscribedTopicNames,
      regex: request.subscribedTopicRegex,
      assignor: request.serverAssignor,
      owned: topicPartitions && setOf(topicPartitions),
      mayDescribe: topic => context.may('DESCRIBE', 'TOPIC', topic, false),
    });
    if (result.error !== 'NONE') {
      if (!ROUTINE.has(result.error))
        context.refused(brokerErrors.memberRefused({ group: groupId, code: result.error, reason: result.message }));
      return failed(result.error, result.message ?? '');
    }
    return {
      errorCode: 0,
      errorMessage: null,
      memberId: result.memberId,
      memberEpoch: result.epoch,
      heartbeatIntervalMs: coordination.settings.consumerHeartbeatIntervalMs,
      assignment: result.assignment && { topicPartitions: topicsOf(result.assignment) },
    };
  },
});

function setOf(topics: readonly { readonly topicId: string; readonly partitions: readonly number[] }[]): PartitionSet {
  if (topics.length === 0) return NO_PARTITIONS;
  return partitionSet(
    topics.flatMap(({ partitions, topicId }) => partitions.map(partition => [topicId, partition] as const)),
  );
}

export function topicsOf(set: PartitionSet): { topicId: string; partitions: number[] }[] {
  return [...set].map(([topicId, partitions]) => ({ topicId, partitions: [...partitions].sort((a, b) => a - b) }));
}
