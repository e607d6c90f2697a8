/**
 * Fetch.
 *
 * Versions: 0 to 17.
 * Behaviour: the batch that contains the offset is returned whole, even when it begins earlier; the first batch of the first
 *   partition that has data is returned whatever its size; then `max_bytes` and each partition's limit hold. Waits for
 *   `min_bytes` up to `max_wait`, woken by appends. Only synced records are visible; high watermark and last stable
 *   offset are the synced end. The offset at the end gives no records and no error, beyond it 1.
 *   Below 10, what a client gets ends in front of a zstd batch, and is 76 where one comes first.
 * Not done: fetch sessions (answered with session 0, which means "none" to a client), read_committed ranges.
 * Versions differ: message sets of format 0 in 0 and 1, of format 1 in 2 and 3, without control batches and headers; they
 *   may begin behind the beginning of the batch that they come from. 56 is 6 below 6; topic ids from 13.
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
} from '../../wire/index.ts';
import { brokerErrors } from '../errors.ts';
import { defineHandler, type RequestContext, topicByNameOrId, topicFor } from '../handler.ts';
import { FETCH_OF_FORMAT_2, sizeOf, type Takeable, takeable, toMessages } from '../record-formats.ts';

const WAIT_MAX_MS = 30_000;
const NO_RECORDS: readonly Uint8Array[] = [];

interface PartitionAnswer {
  readonly partitionIndex: number;
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly abortedTransactions: null;
  readonly records: readonly Uint8Array[];
}

interface TopicAnswer {
  readonly topic: string;
  readonly topicId: string;
  readonly partitions: PartitionAnswer[];
}

interface Round {
  readonly responses: TopicAnswer[];
  readonly bytes: number;
  readonly hasError: boolean;
}

export default defineHandler({
  api: apis.fetch,
  min: 0,
  max: 17,
  handle(context, request) {
    const first = collect(context, request);
    const waitMs = Math.min(request.maxWaitMs, WAIT_MAX_MS);
    if (first.bytes >= request.minBytes || first.hasError || waitMs <= 0) return answer(context, request, first);
    return new Promise(resolve => {
      waitForMore(context, request, waitMs, round => resolve(answer(context, request, round)));
    });
  },
});

interface Answer {
  readonly responses: TopicAnswer[];
}

function answer(context: RequestContext, request: FetchRequest, round: Round): Answer | Promise<Answer> {
  if (context.version < FETCH_OF_FORMAT_2) return answerMessages(context, request, round);
  context.counters.fetchedBytes += round.bytes;
  return { responses: round.responses };
}

/** The same with message sets in place of batches, within the same limits. */
async function answerMessages(context: RequestContext, request: FetchRequest, round: Round): Promise<Answer> {
  const responses: TopicAnswer[] = [];
  let left = bytesMaxOf(context, request);
  let isFirst = true;
  for (const [i, { partitions: wishes, topic }] of request.topics.entries()) {
    const found = topicFor(context, topic);
    const partitions: PartitionAnswer[] = [];
    for (const [k, wish] of wishes.entries()) {
      let part = round.responses[i]!.partitions[k]!;
      if (part.records.length > 0 && (isFirst || left > 0)) {
        part = await inMessages(context, part, wish, left, found?.partitions[wish.partition]);
        left -= sizeOf(part.records);
        isFirst &&= part.records.length === 0;
      } else part = { ...part, records: NO_RECORDS };
      partitions.push(part);
    }
    responses.push({ ...round.responses[i]!, partitions });
  }
  context.counters.fetchedBytes += bytesMaxOf(context, request) - left;
  return { responses };
}

async function inMessages(
  context: RequestContext,
  part: PartitionAnswer,
  wish: FetchRequestTopicsPartitions,
  left: number,
  partition: Partition | undefined,
): Promise<PartitionAnswer> {
  const { fetchOffset: fromOffset, partitionMaxBytes } = wish;
  const bytesMax = Math.min(left, partitionMaxBytes);
  try {
    const records = await toMessages(context.io, part.records, { version: context.version, fromOffset, bytesMax });
    return { ...part, records };
  } catch (error) {
    return unreadable(context, wish, partition, error);
  }
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

function bytesMaxOf(context: RequestContext, request: FetchRequest): number {
  return Math.min(request.maxBytes, context.settings.fetchBytesMax);
}

function collect(context: RequestContext, request: FetchRequest): Round {
  let left = bytesMaxOf(context, request);
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
          return failed(context, wish, isById ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION');
        }
        const result = fetchPartition(context, partition, wish, left, bytes === 0);
        const size = sizeOf(result.records);
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
    return failed(
      context,
      wish,
      epoch > partition.leaderEpoch ? 'UNKNOWN_LEADER_EPOCH' : 'FENCED_LEADER_EPOCH',
      partition,
    );
  }
  if (offset < partition.startOffset || offset > partition.syncedEnd)
    return failed(context, wish, 'OFFSET_OUT_OF_RANGE', partition);
  const limit = Math.min(left, wish.partitionMaxBytes);
  let records = NO_RECORDS;
  if (offset < partition.syncedEnd && (isFirst || limit > 0)) {
    try {
      const found = read(context, partition, offset, Math.max(limit, 1));
      if (found.bytes === 0 && found.endsAtZstd) return refuseZstd(context, wish, partition);
      // A first batch above the limits goes out only when it is the first of the whole answer.
      if (isFirst || found.bytes <= limit) records = found.pieces;
    } catch (error) {
      return unreadable(context, wish, partition, error);
    }
  }
  return { ...failed(context, wish, 'NONE', partition), records };
}

function refuseZstd(
  context: RequestContext,
  wish: FetchRequestTopicsPartitions,
  partition: Partition,
): PartitionAnswer {
  const { client, version } = context;
  context.refusals.add(
    `${client.id} ${client.address}`,
    brokerErrors.zstdUnreadable({ topic: partition.topic.name, partition: partition.index, version }),
  );
  return failed(context, wish, 'UNSUPPORTED_COMPRESSION_TYPE', partition);
}

/** What this client can take from the offset on, past what it is not to see. */
function read(context: RequestContext, partition: Partition, offset: number, bytesMax: number): Takeable {
  for (let next = offset; ; ) {
    const pieces = context.log.read(partition, next, bytesMax);
    const found = takeable(pieces, context.version);
    if (found.bytes > 0 || found.endsAtZstd || found.nextOffset === undefined) return found;
    next = found.nextOffset;
  }
}

function unreadable(
  context: RequestContext,
  wish: FetchRequestTopicsPartitions,
  partition: Partition | undefined,
  error: unknown,
): PartitionAnswer {
  if (!(error instanceof MillraceError)) throw error;
  context.logger.error(error.message, { code: error.code, help: error.help });
  return failed(context, wish, errorName(error.row.kafka ?? -1), partition);
}

function failed(
  context: RequestContext,
  wish: { readonly partition: number },
  error: ErrorName,
  partition?: Partition,
): PartitionAnswer {
  const isUnknown = error === 'KAFKA_STORAGE_ERROR' && context.version < 6;
  return {
    partitionIndex: wish.partition,
    errorCode: errorCode(isUnknown ? 'NOT_LEADER_OR_FOLLOWER' : error),
    highWatermark: partition?.syncedEnd ?? -1,
    lastStableOffset: partition?.syncedEnd ?? -1,
    logStartOffset: partition?.startOffset ?? -1,
    abortedTransactions: null,
    records: NO_RECORDS,
  };
}
