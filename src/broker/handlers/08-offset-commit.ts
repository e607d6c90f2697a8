/**
 * OffsetCommit.
 *
 * Versions: 0 to 10.
 * Behaviour: answered when synced. Metadata beyond 4,096 bytes is 12, an unknown partition 3; the rest is committed. A
 *   generation below 0 is a consumer that manages its own partitions: it may commit while the group has no members, also
 *   for the empty group id. In a consumer group another epoch than the member's is 113. What cannot be made durable is 15, which clients try again.
 * Not done: nothing.
 * Versions differ: 0 knows the group alone and commits outside its protocol; generation and member from 1; the time of the
 *   commit in 1 and how long it is kept in 2 to 4 are the client's if it sets them; instance id from 7; a generation of a group that
 *   is not there is 22, 69 from 9 on; topic ids from 10.
 */
import type { OffsetToCommit } from '../../coordination/index.ts';
import { apis, errorCode, type ErrorName } from '../../wire/index.ts';
import { defineHandler, topicByNameOrId, topicName } from '../handler.ts';

export default defineHandler({
  api: apis.offsetCommit,
  min: 0,
  max: 10,
  async handle(context, request) {
    const isById = context.version >= 10;
    const { retentionTimeMs } = request;
    const expiresMs = retentionTimeMs < 0 ? undefined : context.io.clock.now() + retentionTimeMs;
    const accepted: OffsetToCommit[] = [];
    const mayCommit = context.may('READ', 'GROUP', request.groupId);
    const checked = request.topics.map(({ name, partitions, topicId }) => {
      const topic = topicByNameOrId(context, name, topicId, isById);
      const mayRead = context.may('READ', 'TOPIC', topic?.name ?? topicName(context, name), topic !== undefined);
      return {
        name,
        topicId,
        partitions: partitions.map(wish => {
          const { commitTimestamp, committedLeaderEpoch, committedMetadata, committedOffset, partitionIndex } = wish;
          let error: ErrorName = 'NONE';
          if (!mayCommit) error = 'GROUP_AUTHORIZATION_FAILED';
          else if ((topic || !isById) && !mayRead) error = 'TOPIC_AUTHORIZATION_FAILED';
          else if (!topic) error = isById ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION';
          else if (!topic.partitions[partitionIndex]) error = 'UNKNOWN_TOPIC_OR_PARTITION';
          else if (Buffer.byteLength(committedMetadata ?? '') > context.coordination.settings.metadataBytesMax) {
            error = 'OFFSET_METADATA_TOO_LARGE';
          } else {
            accepted.push({
              topic: topic.name,
              partition: partitionIndex,
              offset: committedOffset,
              leaderEpoch: committedLeaderEpoch,
              metadata: committedMetadata,
              ...(commitTimestamp >= 0 && { timeMs: commitTimestamp }),
              ...(expiresMs !== undefined && { expiresMs }),
            });
          }
          return { partitionIndex, error };
        }),
      };
    });
    const member = {
      id: request.memberId,
      instanceId: request.groupInstanceId,
      generation: request.generationIdOrMemberEpoch,
      isEpoch: context.version >= 9,
    };
    const result = mayCommit
      ? await context.coordination.commit(context.namespace, request.groupId, member, accepted)
      : 'GROUP_AUTHORIZATION_FAILED';
    return {
      topics: checked.map(({ name, partitions, topicId }) => ({
        name,
        topicId,
        partitions: partitions.map(({ error, partitionIndex }) => ({
          partitionIndex,
          errorCode: errorCode(error === 'NONE' ? result : error),
        })),
      })),
    };
  },
});
