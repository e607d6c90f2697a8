/**
 * Fetch.
 *
 * Versions: 4 to 17. Lower ones deliver formats 0 and 1, which need down-conversion: not listed.
 * Behaviour: the batch that contains the offset is returned whole, even when it begins earlier; the first batch of the first
 *   partition that has data is returned whatever its size; then `max_bytes` and each partition's limit hold. Waits for
 *   `min_bytes` up to `max_wait`, woken by appends. Only synced records are visible; high watermark and last stable
 *   offset are the synced end. The offset at the end gives no records and no error, beyond it 1.
 * Not done: fetch sessions (answered with session 0, which means "none" to a client), read_committed ranges.
 * Versions differ: topic ids from 13.
 */
import { MillraceError, type Timer } from '../../base/index.ts';
import type { Partition } from '../../log/index.ts';
import {
  apis,
  errorCode,
  type ErrorName,
  errorName,
  type FetchRequest,
  type FetchRequestTopicsPartitions,
  type Records,
} from '../../wire/index.ts';
import { defineHandler, type RequestContext, topicByNameOrId } from '../handler.ts';

const WAIT_MAX_MS = 30_000;
const NO_RECORDS = new Uint8Array(0);

interface PartitionAnswer {
  readonly partitionIndex: number;
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly abortedTransactions: null;
  readonly records: Records;
}

interface Round {
  readonly responses: { topic: string; topicId: string; partitions: PartitionAnswer[] }[];
  readonly bytes: number;
  readonly hasError: boolean;
}

export default defineHandler({
  api: apis.fetch,
  min: 4,
  max: 17,
  handle(context, request) {
    const first = collect(context, request);
    const waitMs = Math.min(request.maxWaitMs, WAIT_MAX_MS);
    if (first.bytes >= request.minBytes || first.hasError || waitMs <= 0) return answer(context, first);
    return new Promise(resolve => waitForMore(context, request, waitMs, round => resolve(answer(context, round))));
  },
});

function answer(context: RequestContext, round: Round): { responses: Round['responses'] } {
  context.counters.fetchedBytes += round.bytes;
  return { responses: round.responses };
}

function waitForMore(
  context: RequestContext,
  request: FetchRequest,
  waitMs: number,
  done: (round: Round) => void,
): void {
  let cancels: (() => void)[] = [];
  let timer: Timer | undefined;
  const stop = (): void => {
    timer?.cancel();
    for (const cancel of cancels) cancel();
    cancels = [];
  };
  const finish = (round: Round): void => {
    stop();
    done(round);
  };
  const watch = (): void => {
    for (const { partition, offset } of wanted(context, request)) {
      cancels.push(partition.whenBehind(Math.max(offset, partition.syncedEnd - 1), look));
    }
  };
  const look = (): void => {
    if (!timer) return;
    for (const cancel of cancels) cancel();
    cancels = [];
    const round = collect(context, request);
    if (round.bytes >= request.minBytes || round.hasError) finish(round);
    else watch();
  };
  timer = context.io.clock.after(waitMs, () => finish(collect(context, request)), { background: true });
  cancels.push(context.onClose(stop));
  watch();
}

function wanted(context: RequestContext, request: FetchRequest): { partition: Partition; offset: number }[] {
  return request.topics.flatMap(({ partitions, topic, topicId }) => {
    const found = topicByNameOrId(context, topic, topicId, context.version >= 13);
    return partitions.flatMap(({ partition, fetchOffset }) => {
      const entry = found?.partitions[partition];
      return entry ? [{ partition: entry, offset: fetchOffset }] : [];
    });
  });
}

function collect(context: RequestContext, request: FetchRequest): Round {
  let left = Math.min(request.maxBytes, context.settings.fetchBytesMax);
  let bytes = 0;
  let hasError = false;
  const responses = request.topics.map(({ partitions, topic, topicId }) => {
    const found = topicByNameOrId(context, topic, topicId, context.version >= 13);
    return {
      topic,
      topicId,
      partitions: partitions.map(wish => {
        const partition = found?.partitions[wish.partition];
        if (!partition) {
          hasError = true;
          const isById = context.version >= 13 && !found;
          return failed(wish, isById ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION');
        }
        const result = fetchPartition(context, partition, wish, left, bytes === 0);
        const size =
          result.records instanceof Uint8Array ? 0 : result.records.reduce((sum, piece) => sum + piece.length, 0);
        bytes += size;
        left -= size;
        if (result.errorCode !== 0) hasError = true;
        return result;
      }),
    };
  });
  return { responses, bytes, hasError };
}

function fetchPartition(
  context: RequestContext,
  partition: Partition,
  wish: FetchRequestTopicsPartitions,
  left: number,
  isFirst: boolean,
): PartitionAnswer {
  const { currentLeaderEpoch: epoch, fetchOffset: offset } = wish;
  if (epoch >= 0 && epoch !== partition.leaderEpoch) {
    return failed(wish, epoch > partition.leaderEpoch ? 'UNKNOWN_LEADER_EPOCH' : 'FENCED_LEADER_EPOCH', partition);
  }
  if (offset < partition.startOffset || offset > partition.syncedEnd)
    return failed(wish, 'OFFSET_OUT_OF_RANGE', partition);
  const limit = Math.min(left, wish.partitionMaxBytes);
  let records: Records = NO_RECORDS;
  if (offset < partition.syncedEnd && (isFirst || limit > 0)) {
    try {
      const pieces = context.log.read(partition, offset, Math.max(limit, 1));
      const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
      // A first batch above the limits goes out only when it is the first of the whole answer.
      if (isFirst || size <= limit) records = pieces;
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      context.logger.error(error.message, { code: error.code, help: error.help });
      return failed(wish, errorName(error.row.kafka ?? -1), partition);
    }
  }
  return { ...failed(wish, 'NONE', partition), records };
}

function failed(wish: { readonly partition: number }, error: ErrorName, partition?: Partition): PartitionAnswer {
  return {
    partitionIndex: wish.partition,
    errorCode: errorCode(error),
    highWatermark: partition?.syncedEnd ?? -1,
    lastStableOffset: partition?.syncedEnd ?? -1,
    logStartOffset: partition?.startOffset ?? -1,
    abortedTransactions: null,
    records: NO_RECORDS,
  };
}
