/**
 * ListOffsets.
 *
 * Versions: 0 to 11.
 * Behaviour: -1 latest (the synced end), -2 earliest, -3 the record with the newest timestamp, -4 earliest local (the
 *   same as earliest here), a time: the first record at or behind it; offset -1 when there is none. -5 (last tiered) and
 *   -6 (earliest pending upload) find nothing: there is no second tier.
 * Not done: nothing.
 * Versions differ: 0 gives up to as many offsets as asked for, newest first: the end, and where the partition begins in each
 *   file of the log, which are its segments. For a time it gives those of segments that hold nothing newer. -3 from 7,
 *   -4 from 8, -5 from 9, -6 from 11; 35 when asked below. The client's idea of the leader epoch from 4 (74, 75).
 */
import type { Partition } from '../../log/index.ts';
import { apis, errorCode, type ErrorName } from '../../wire/index.ts';
import { defineHandler, type RequestContext, topicFor } from '../handler.ts';

interface Found {
  readonly error: ErrorName;
  readonly offset: number;
  readonly timestamp: number;
}

const LATEST = -1;
const EARLIEST = -2;

/** First version of each special timestamp. */
const SPECIAL_SINCE: Readonly<Record<string, number>> = { '-3': 7, '-4': 8, '-5': 9, '-6': 11 };

export default defineHandler({
  api: apis.listOffsets,
  min: 0,
  max: 11,
  handle(context, request) {
    return {
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ currentLeaderEpoch, maxNumOffsets, partitionIndex, timestamp }) => {
          const partition = topicFor(context, name)?.partitions[partitionIndex];
          if (!partition)
            return answer(partitionIndex, { error: 'UNKNOWN_TOPIC_OR_PARTITION', offset: -1, timestamp: -1 });
          const { leaderEpoch } = partition;
          if (currentLeaderEpoch >= 0 && currentLeaderEpoch !== leaderEpoch) {
            const error = currentLeaderEpoch > leaderEpoch ? 'UNKNOWN_LEADER_EPOCH' : 'FENCED_LEADER_EPOCH';
            return answer(partitionIndex, { error, offset: -1, timestamp: -1 });
          }
          if (context.version === 0) {
            const oldStyleOffsets = oldStyle(context, partition, timestamp, maxNumOffsets);
            return { ...answer(partitionIndex, { error: 'NONE', offset: -1, timestamp: -1 }), oldStyleOffsets };
          }
          const found = find(context, partition, timestamp);
          return { ...answer(partitionIndex, found), leaderEpoch };
        }),
      })),
    };
  },
});

function answer(
  partitionIndex: number,
  found: Found,
): {
  partitionIndex: number;
  errorCode: number;
  offset: number;
  timestamp: number;
  oldStyleOffsets: number[];
} {
  const { error, offset, timestamp } = found;
  return { partitionIndex, errorCode: errorCode(error), offset, timestamp, oldStyleOffsets: [] };
}

function find(context: RequestContext, partition: Partition, timestamp: number): Found {
  const since = SPECIAL_SINCE[String(timestamp)] ?? 0;
  if (context.version < since) return { error: 'UNSUPPORTED_VERSION', offset: -1, timestamp: -1 };
  switch (timestamp) {
    case LATEST:
      return { error: 'NONE', offset: partition.syncedEnd, timestamp: -1 };
    case EARLIEST:
    case -4:
      return { error: 'NONE', offset: partition.startOffset, timestamp: -1 };
    case -5:
    case -6:
      return { error: 'NONE', offset: -1, timestamp: -1 };
    default: {
      const found =
        timestamp === -3 ? context.log.maxTimestamp(partition) : context.log.offsetForTime(partition, timestamp);
      return { error: 'NONE', offset: found?.offset ?? -1, timestamp: found?.timestamp ?? -1 };
    }
  }
}

/** Newest first, as version 0 has it. */
function oldStyle(context: RequestContext, partition: Partition, timestamp: number, max: number): number[] {
  const segments = context.log
    .segments(partition)
    .map(({ baseOffset, maxTimestamp }) => ({ offset: baseOffset, newestMs: maxTimestamp }));
  segments.push({ offset: partition.syncedEnd, newestMs: context.io.clock.now() });
  let count = segments.length;
  if (timestamp === EARLIEST) count = 1;
  else if (timestamp !== LATEST) while (count > 0 && segments[count - 1]!.newestMs > timestamp) count--;
  const offsets = segments.slice(0, count).map(({ offset }) => offset);
  return [...new Set(offsets)].reverse().slice(0, Math.max(0, max));
}
