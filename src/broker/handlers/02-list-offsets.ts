/**
 * ListOffsets.
 *
 * Versions: 0 to 11.
 * Behaviour: -1 latest (the synced end), -2 earliest, -3 the record with the newest timestamp, -4 earliest local (the
 *   same as earliest here), a time: the first record at or behind it; offset -1 when there is none. -5 (last tiered) and
 *   -6 (earliest pending upload) find nothing: there is no second tier.
 * Not done: version 0 lists segment starts; here it answers the first offset of each journal file's part.
 * Versions differ: -3 from 7, -4 from 8, -5 from 9, -6 from 11; 35 when asked below.
 */
import type { Partition } from '../../log/index.ts';
import { apis, errorCode, type ErrorName } from '../../wire/index.ts';
import { defineHandler, type RequestContext, topicFor } from '../handler.ts';

interface Found {
  readonly error: ErrorName;
  readonly offset: number;
  readonly timestamp: number;
}

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
          if (currentLeaderEpoch > partition.leaderEpoch) {
            return answer(partitionIndex, { error: 'UNKNOWN_LEADER_EPOCH', offset: -1, timestamp: -1 });
          }
          const found = find(context, partition, timestamp);
          const oldStyleOffsets = context.version === 0 ? oldStyle(partition, timestamp, maxNumOffsets) : [];
          return { ...answer(partitionIndex, found), oldStyleOffsets, leaderEpoch: partition.leaderEpoch };
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
    case -1:
      return { error: 'NONE', offset: partition.syncedEnd, timestamp: -1 };
    case -2:
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
function oldStyle(partition: Partition, timestamp: number, max: number): number[] {
  if (timestamp === -2) return [partition.startOffset];
  const starts = partition.files
    .map(file => partition.partOf(file))
    .filter(part => timestamp === -1 || part.maxTimestamp <= timestamp)
    .map(part => Math.max(part.firstOffset, partition.startOffset));
  const offsets = timestamp === -1 ? [...starts, partition.syncedEnd] : starts;
  return [...new Set(offsets)].sort((a, b) => b - a).slice(0, Math.max(1, max));
}
