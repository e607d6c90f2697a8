/**
 * ListOffsets.
 *
 * Versions: 0 to 11.
 * Behaviour: -1 latest (the synced end), -2 earliest, -3 the record with the newest timestamp, -4 earliest local (the
 *   same as earliest here), a time: the first record at or behind it; offset -1 when there is none. -5 (last tiered) and
 *   -6 (earliest pending upload) find nothing: there is no second tier.
 *   With read_committed (2+) the end is the last stable offset, and what lies behind it is not found.
 * Not done: nothing.
 * Versions differ: 0 gives up to as many offsets as asked for, newest first: the end, and where the partition begins in each
 *   file of the log, which are its segments. For a time it gives those of segments that hold nothing newer; what has no
 *   time counts by its arrival. -3 from 7, -4 from 8, -5 from 9, -6 from 11; 35 when asked below, and for any other
 *   negative time. The client's idea of the leader epoch from 4 (74, 75).
 */
import type { Partition } from '../../log/index.ts';
import { apis, errorCode, type ErrorName, type ListOffsetsResponseTopicsPartitionsInput } from '../../wire/index.ts';
import { nameOf } from '../answers.ts';
import { defineHandler, type RequestContext, topicFor, topicName } from '../handler.ts';

const READ_COMMITTED = 1;
const LATEST = -1;
const EARLIEST = -2;
const NEWEST = -3;
const EARLIEST_LOCAL = -4;
const LAST_TIERED = -5;
const EARLIEST_PENDING = -6;

/** First version of each special timestamp. */
const SPECIAL_SINCE: ReadonlyMap<number, number> = new Map([
  [LATEST, 0],
  [EARLIEST, 0],
  [NEWEST, 7],
  [EARLIEST_LOCAL, 8],
  [LAST_TIERED, 9],
  [EARLIEST_PENDING, 11],
]);

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
          const mayDescribe = context.may('DESCRIBE', 'TOPIC', topicName(context, name));
          const error = mayDescribe
            ? refusalOf(context, partition, currentLeaderEpoch, timestamp)
            : 'TOPIC_AUTHORIZATION_FAILED';
          const base = { partitionIndex, errorCode: errorCode(error), oldStyleOffsets: [] };
          if (!partition || error !== 'NONE') return base;
          if (context.version === 0)
            return { ...base, oldStyleOffsets: oldStyle(context, partition, timestamp, maxNumOffsets) };
          return {
            ...base,
            leaderEpoch: partition.leaderEpoch,
            ...find(context, partition, timestamp, endFor(partition, request.isolationLevel)),
          };
        }),
      })),
    };
  },
});

function refusalOf(
  context: RequestContext,
  partition: Partition | undefined,
  epoch: number,
  timestamp: number,
): ErrorName {
  if (!partition) return 'UNKNOWN_TOPIC_OR_PARTITION';
  if (epoch > partition.leaderEpoch) return 'UNKNOWN_LEADER_EPOCH';
  if (epoch >= 0 && epoch < partition.leaderEpoch) return 'FENCED_LEADER_EPOCH';
  const since = timestamp < 0 ? (SPECIAL_SINCE.get(timestamp) ?? Number.POSITIVE_INFINITY) : 0;
  return context.version < since ? 'UNSUPPORTED_VERSION' : 'NONE';
}

type Found = Partial<Pick<ListOffsetsResponseTopicsPartitionsInput, 'errorCode' | 'offset' | 'timestamp'>>;

function endFor({ lastStableOffset, syncedEnd }: Partition, isolationLevel: number): number {
  return isolationLevel === READ_COMMITTED ? lastStableOffset : syncedEnd;
}

function find(context: RequestContext, partition: Partition, timestamp: number, end: number): Found {
  switch (timestamp) {
    case LATEST:
      return { offset: end };
    case EARLIEST:
    case EARLIEST_LOCAL:
      return { offset: partition.startOffset };
    case LAST_TIERED:
    case EARLIEST_PENDING:
      return {};
    default:
      try {
        const { log } = context;
        const found = timestamp === NEWEST ? log.maxTimestamp(partition) : log.offsetForTime(partition, timestamp);
        return found && found.offset < end ? found : {};
      } catch (error) {
        return { errorCode: errorCode(nameOf(context, error, [])) };
      }
  }
}

/** Newest first, as version 0 has it. */
function oldStyle(context: RequestContext, partition: Partition, timestamp: number, max: number): number[] {
  const segments = context.log
    .segments(partition)
    .map(({ baseOffset, newestMs }) => ({ offset: baseOffset, newestMs }));
  segments.push({ offset: partition.syncedEnd, newestMs: context.io.clock.now() });
  let count = segments.length;
  if (timestamp === EARLIEST) count = 1;
  else if (timestamp !== LATEST) while (count > 0 && segments[count - 1]!.newestMs > timestamp) count--;
  const offsets = segments.slice(0, count).map(({ offset }) => offset);
  return [...new Set(offsets)].reverse().slice(0, Math.max(0, max));
}
