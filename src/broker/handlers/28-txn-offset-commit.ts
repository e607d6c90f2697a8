/**
 * TxnOffsetCommit.
 *
 * Versions: 0 to 5.
 * Behaviour: offsets of a group that count when the transaction is committed. The group must be part of the transaction (48),
 *   the member one of its generation (22, 25, 82). Metadata beyond 4,096 bytes is 12, an unknown partition 3; the rest is
 *   kept. A fenced producer is 47.
 * Not done: nothing.
 * Versions differ: member and generation from 3; 48 is 120 from 4; from 5 the request itself makes the group part of the
 *   transaction.
 */
import type { OffsetToCommit } from '../../coordination/index.ts';
import { apis, errorCode, type ErrorName } from '../../wire/index.ts';
import { defineHandler, type RequestContext, topicFor, topicName } from '../handler.ts';
import { abortableAs, fencedAs } from '../transactions.ts';

export default defineHandler({
  api: apis.txnOffsetCommit,
  min: 0,
  max: 5,
  async handle(context, request) {
    const accepted: OffsetToCommit[] = [];
    const denied = deniedFor(context, request.transactionalId, request.groupId);
    const checked = request.topics.map(({ name, partitions }) => {
      const topic = topicFor(context, name);
      const mayRead = context.may('READ', 'TOPIC', topicName(context, name), topic !== undefined);
      return {
        name,
        partitions: partitions.map(wish => {
          const { committedLeaderEpoch, committedMetadata, committedOffset, partitionIndex } = wish;
          let error: ErrorName = denied;
          if (error !== 'NONE') return { partitionIndex, error };
          if (!mayRead) error = 'TOPIC_AUTHORIZATION_FAILED';
          else if (!topic?.partitions[partitionIndex]) error = 'UNKNOWN_TOPIC_OR_PARTITION';
          else if (Buffer.byteLength(committedMetadata ?? '') > context.coordination.settings.metadataBytesMax) {
            error = 'OFFSET_METADATA_TOO_LARGE';
          } else {
            accepted.push({
              topic: topic.name,
              partition: partitionIndex,
              offset: committedOffset,
              leaderEpoch: committedLeaderEpoch,
              metadata: committedMetadata,
            });
          }
          return { partitionIndex, error };
        }),
      };
    });
    const result = denied === 'NONE' ? await commit(context, request, accepted) : denied;
    return {
      topics: checked.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ error, partitionIndex }) => ({
          partitionIndex,
          errorCode: errorCode(error === 'NONE' ? result : error),
        })),
      })),
    };
  },
});

function deniedFor(context: RequestContext, id: string, groupId: string): ErrorName {
  if (!context.may('WRITE', 'TRANSACTIONAL_ID', id)) return 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED';
  return context.may('READ', 'GROUP', groupId) ? 'NONE' : 'GROUP_AUTHORIZATION_FAILED';
}

async function commit(
  { coordination, namespace, version }: RequestContext,
  request: {
    readonly transactionalId: string;
    readonly groupId: string;
    readonly producerId: number;
    readonly producerEpoch: number;
    readonly generationId: number;
    readonly memberId: string;
    readonly groupInstanceId: string | null;
  },
  offsets: readonly OffsetToCommit[],
): Promise<ErrorName> {
  const { generationId, groupId, groupInstanceId, memberId, producerEpoch, producerId } = request;
  if (groupId === '') return 'INVALID_GROUP_ID';
  // Before version 3 the producer says nothing of a member: the transaction alone speaks for it.
  if (version >= 3 && (generationId >= 0 || memberId !== '')) {
    const member = { id: memberId, instanceId: groupInstanceId, generation: generationId };
    const error = coordination.commitError(namespace, groupId, member);
    if (error !== 'NONE') return error;
  }
  const of = { namespace, id: request.transactionalId, producerEpoch, producerId };
  const error = await coordination.transactions.addOffsets(of, groupId, offsets, version >= 5);
  return abortableAs(fencedAs(error, false), version >= 4);
}
