/**
 * OffsetForLeaderEpoch.
 *
 * Versions: 0 to 4.
 * Behaviour: a partition has one leader epoch, because the log never takes back what was acknowledged: asked for it, the answer
 *   is it and the synced end. An epoch that there is not yet, or was never, is -1 and -1.
 * Not done: nothing.
 * Versions differ: the epoch in the answer from 1; the client's idea of the current epoch from 2 (74 below ours, 75 above);
 *   the replica id (3) is of no use to a client.
 */
import { apis, errorCode, type ErrorName } from '../../wire/index.ts';
import { defineHandler, topicFor, topicName } from '../handler.ts';

export default defineHandler({
  api: apis.offsetForLeaderEpoch,
  min: 0,
  max: 4,
  handle(context, request) {
    return {
      topics: request.topics.map(({ partitions, topic }) => ({
        topic,
        partitions: partitions.map(({ currentLeaderEpoch, leaderEpoch: wanted, partition: index }) => {
          const mayDescribe = context.may('DESCRIBE', 'TOPIC', topicName(context, topic));
          const partition = topicFor(context, topic)?.partitions[index];
          const failed = (error: ErrorName): { errorCode: number; partition: number } => ({
            errorCode: errorCode(error),
            partition: index,
          });
          if (!mayDescribe) return failed('TOPIC_AUTHORIZATION_FAILED');
          if (!partition) return failed('UNKNOWN_TOPIC_OR_PARTITION');
          const { leaderEpoch, syncedEnd: endOffset } = partition;
          if (currentLeaderEpoch > leaderEpoch) return failed('UNKNOWN_LEADER_EPOCH');
          if (currentLeaderEpoch >= 0 && currentLeaderEpoch < leaderEpoch) return failed('FENCED_LEADER_EPOCH');
          return wanted === leaderEpoch
            ? { errorCode: 0, partition: index, leaderEpoch, endOffset }
            : { errorCode: 0, partition: index, leaderEpoch: -1, endOffset: -1 };
        }),
      })),
    };
  },
});
