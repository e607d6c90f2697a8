/**
 * Fetch.
 *
 * Versions: 0 to 17.
 * Behaviour: the batch that contains the offset is returned whole, even when it begins earlier; the first batch of the first
 *   partition that has data is returned whatever its size; then `max_bytes` and each partition's limit hold, and at most 4
 *   MiB are read in one go unless `min_bytes` asks for more. What a limit kept back stands first in the client's next
 *   request, in whatever order it names its partitions. Waits for `min_bytes` up to `max_wait` (30 s at most), woken by
 *   appends and by the deletion of a topic. Only synced records are visible; the high watermark is the synced end. With
 *   read_committed (4+) nothing at or behind the last stable offset is given, and with the records come the aborted
 *   transactions that have anything in them, for the client to leave out. The offset at the end gives no records and no
 *   error, beyond it 1. A stored batch that is damaged is 2.
 *   Sessions (7+, `fetch-sessions.ts`): one that there is not, or of another client, is 70, a number that is not the next 71.
 *   Below 10, what a client gets ends in front of a zstd batch, and is 76 where one comes first.
 * Not done: rack-aware reading: there is one node.
 * Versions differ: message sets of format 0 in 0 and 1, of format 1 in 2 and 3, without control batches and headers; they
 *   may begin behind the beginning of the batch that they come from. 56 is 6 below 6; leader epochs (74, 75) from 9; topic
 *   ids from 13: a session that began with names is 106 then.
 */
import { messageOf, type Timer } from '../../base/index.ts';
import type { Partition } from '../../log/index.ts';
import {
  apis,
  errorCode,
  type ErrorName,
  type FetchRequest,
  type FetchRequestTopicsPartitions,
} from '../../wire/index.ts';
import { BatchHeader } from '../../wire/records/index.ts';
import { nameOf } from '../answers.ts';
import { brokerErrors } from '../errors.ts';
import { FINAL_EPOCH, type FetchSession } from '../fetch-sessions.ts';
import { defineHandler, type RequestContext, topicByNameOrId, topicName } from '../handler.ts';
import { principalText } from '../security/identity.ts';
import { FETCH_OF_FORMAT_2, FETCH_OF_ZSTD, sizeOf, takeable, toMessages } from '../record-formats.ts';

const READ_COMMITTED = 1;
const WAIT_MAX_MS = 30_000;
/** Read in one go: about 2 ms of the thread. */
const STRETCH_BYTES = 4 * 1024 * 1024;
const NO_RECORDS: readonly Uint8Array[] = [];
const READ_ERRORS: readonly ErrorName[] = ['CORRUPT_MESSAGE', 'KAFKA_STORAGE_ERROR'];

interface Wish extends FetchRequestTopicsPartitions {
  /** Name or id. */
  readonly topic: string;
  /** Where its topic stands in the request. */
  readonly topicIndex: number;
}

interface PartitionAnswer {
  readonly partitionIndex: number;
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly abortedTransactions: readonly { readonly producerId: number; readonly firstOffset: number }[] | null;
  readonly records: readonly Uint8Array[];
}

interface Answer {
  readonly sessionId?: number;
  readonly responses: readonly {
    readonly topic: string;
    readonly topicId: string;
    readonly partitions: PartitionAnswer[];
  }[];
}

/** What a partition can give. */
interface Supply {
  readonly error: ErrorName;
  readonly bytes: number;
  /** Read already, for clients that cannot take everything. */
  readonly pieces?: readonly Uint8Array[];
}

interface Part {
  readonly wish: Wish;
  readonly partition: Partition | undefined;
  readonly error: ErrorName;
  /** Bytes to read at most; 0 for none. */
  readonly limit: number;
  readonly pieces: readonly Uint8Array[] | undefined;
}

/** What would be answered now. For most clients nothing is read for it: sizes come from the index. */
interface Survey {
  readonly bytes: number;
  readonly hasError: boolean;
  /** In the order in which they are served. */
  readonly parts: readonly Part[];
  /** The first partition that has records and gets none, because of a limit. */
  readonly keptBack: string | undefined;
}

export default defineHandler({
  api: apis.fetch,
  min: 0,
  max: 17,
  waits: true,
  handle(context, request) {
    const { fetchSessions, identity, namespace, version } = context;
    const owner = JSON.stringify([namespace, principalText(identity)]);
    const isById = version >= 13;
    const isIncremental = request.sessionEpoch > 0;
    let session: FetchSession | undefined;
    if (isIncremental) {
      const found = fetchSessions.next(request, owner, isById);
      if (typeof found === 'string') return { errorCode: errorCode(found), responses: [] };
      session = found;
    } else {
      if (request.sessionId !== 0) fetchSessions.close(request.sessionId, owner);
      if (request.sessionEpoch !== FINAL_EPOCH) session = fetchSessions.open(owner, request.topics, isById);
    }
    const topics = isIncremental ? session!.wanted() : request.topics;
    const fetch = new Fetch(context, isIncremental ? { ...request, topics } : request, session);
    return fetch.isDue() ? fetch.answer() : fetch.wait();
  },
});

class Fetch {
  private readonly context: RequestContext;
  private readonly request: FetchRequest;
  private readonly wishes: readonly Wish[];
  private readonly bytesMax: number;
  private readonly bytesMin: number;
  private readonly session: FetchSession | undefined;
  private survey: Survey;

  constructor(context: RequestContext, request: FetchRequest, session: FetchSession | undefined) {
    this.context = context;
    this.request = request;
    this.session = session;
    this.bytesMax = Math.min(request.maxBytes, context.settings.fetchBytesMax);
    this.bytesMin = Math.min(request.minBytes, this.bytesMax);
    const isById = context.version >= 13;
    const wishes = request.topics.flatMap(({ partitions, topic, topicId }, topicIndex) =>
      partitions.map(partition => ({ ...partition, topic: isById ? topicId : topic, topicIndex })),
    );
    const { fetchFrom } = context.client;
    const first = fetchFrom === undefined ? 0 : wishes.findIndex(wish => keyOf(wish) === fetchFrom);
    this.wishes = first > 0 ? [...wishes.slice(first), ...wishes.slice(0, first)] : wishes;
    this.survey = this.look();
  }

  isDue(): boolean {
    const { bytes, hasError } = this.survey;
    return bytes >= this.bytesMin || hasError || this.wishes.length === 0 || this.request.maxWaitMs <= 0;
  }

  wait(): Promise<Answer> {
    const { clock } = this.context.io;
    return new Promise(resolve => {
      let cancels: (() => void)[] = [];
      const stop = (): void => {
        for (const cancel of cancels) cancel();
        cancels = [];
      };
      const finish = (): void => {
        stop();
        forget();
        timer.cancel();
        resolve(this.answer());
      };
      const watch = (): void => {
        stop();
        for (const { partition, wish } of this.survey.parts) {
          if (partition) cancels.push(partition.whenBehind(Math.max(wish.fetchOffset, partition.syncedEnd - 1), again));
        }
      };
      const again = (): void => {
        this.survey = this.look();
        if (this.isDue()) finish();
        else watch();
      };
      const timer: Timer = clock.after(
        Math.min(this.request.maxWaitMs, WAIT_MAX_MS),
        () => {
          this.survey = this.look();
          finish();
        },
        { background: true },
      );
      const forget = this.context.onClose(() => {
        stop();
        timer.cancel();
      });
      watch();
    });
  }

  answer(): Answer | Promise<Answer> {
    const { context, survey } = this;
    context.client.fetchFrom = survey.keptBack;
    if (context.version < FETCH_OF_FORMAT_2) return this.inMessages();
    return this.answerOf(
      survey.parts.map(part => {
        const { error, limit, partition, pieces, wish } = part;
        if (!partition || limit === 0) return { part, error, records: NO_RECORDS };
        if (pieces) return { part, error, records: pieces };
        try {
          const read = { end: this.endOf(partition), room: context.lend };
          return { part, error, records: context.log.read(partition, wish.fetchOffset, limit, read) };
        } catch (failure) {
          return { part, error: this.unreadable(partition, failure), records: NO_RECORDS };
        }
      }),
    );
  }

  /** The same with message sets in place of batches, within the same limits. */
  private async inMessages(): Promise<Answer> {
    const { context, survey } = this;
    const results: { part: Part; error: ErrorName; records: readonly Uint8Array[] }[] = [];
    let left = this.bytesMax;
    let isFirst = true;
    for (const part of survey.parts) {
      const { partition, pieces = NO_RECORDS, wish } = part;
      let { error } = part;
      let records = NO_RECORDS;
      if (partition && pieces.length > 0 && (isFirst || left > 0)) {
        const bytesMax = Math.min(left, wish.partitionMaxBytes);
        const limits = { version: context.version, fromOffset: wish.fetchOffset, bytesMax };
        try {
          records = await toMessages(context.io, pieces, limits);
        } catch (failure) {
          error = this.unreadable(partition, failure);
        }
        left -= sizeOf(records);
        isFirst &&= records.length === 0;
      }
      results.push({ part, error, records });
    }
    return this.answerOf(results);
  }

  private answerOf(
    results: readonly { readonly part: Part; readonly error: ErrorName; readonly records: readonly Uint8Array[] }[],
  ): Answer {
    const { context, request } = this;
    const responses = request.topics.map(({ topic, topicId }) => ({
      topic,
      topicId,
      partitions: [] as PartitionAnswer[],
    }));
    for (const { error, part, records } of results) {
      const { partition, wish } = part;
      context.counters.fetchedBytes += sizeOf(records);
      const isUnknown = error === 'KAFKA_STORAGE_ERROR' && context.version < 6;
      responses[wish.topicIndex]!.partitions.push({
        partitionIndex: wish.partition,
        errorCode: errorCode(isUnknown ? 'NOT_LEADER_OR_FOLLOWER' : error),
        highWatermark: partition?.syncedEnd ?? -1,
        lastStableOffset: partition?.lastStableOffset ?? -1,
        logStartOffset: partition?.startOffset ?? -1,
        abortedTransactions: this.isCommittedOnly ? aborted(partition, wish.fetchOffset, records) : null,
        records,
      });
    }
    return this.session ? this.inSession(this.session, responses) : { responses };
  }

  /** What is news to the client of a session; all of it when it has named all partitions. */
  private inSession(session: FetchSession, responses: Answer['responses']): Answer {
    const isIncremental = this.request.sessionEpoch > 0;
    const news = responses.map(({ partitions, topic, topicId }) => ({
      topic,
      topicId,
      partitions: partitions.filter(answer => session.isNews(topic, topicId, answer) || !isIncremental),
    }));
    const sessionId = session.id;
    return { sessionId, responses: isIncremental ? news.filter(({ partitions }) => partitions.length > 0) : news };
  }

  private look(): Survey {
    const parts: Part[] = [];
    const stretch = Math.max(STRETCH_BYTES, this.bytesMin);
    let left = Math.min(this.bytesMax, stretch, this.context.memory.answerBytesLeft);
    let bytes = 0;
    let hasError = false;
    let keptBack: string | undefined;
    for (const wish of this.wishes) {
      let { error, partition } = this.find(wish);
      let limit = 0;
      let pieces: Part['pieces'];
      if (error === 'NONE' && partition && wish.fetchOffset < this.endOf(partition)) {
        const most = Math.min(left, wish.partitionMaxBytes);
        const isFirst = bytes === 0;
        const supply = isFirst || most > 0 ? this.supplyOf(partition, wish, Math.max(most, 1)) : undefined;
        error = supply?.error ?? 'NONE';
        // A first batch above the limits goes out only when it is the first of the whole answer.
        if (supply && supply.bytes > 0 && (isFirst || supply.bytes <= most)) {
          limit = Math.max(most, 1);
          pieces = supply.pieces;
          bytes += supply.bytes;
          left -= supply.bytes;
        } else if (!supply || supply.bytes > 0) keptBack ??= keyOf(wish);
      }
      if (error !== 'NONE') hasError = true;
      parts.push({ wish, partition, error, limit, pieces });
    }
    return { bytes, hasError, parts, keptBack };
  }

  private get isCommittedOnly(): boolean {
    return this.request.isolationLevel === READ_COMMITTED && this.context.version >= FETCH_OF_FORMAT_2;
  }

  /** Behind what the client may see. */
  private endOf(partition: Partition): number {
    return this.isCommittedOnly ? partition.lastStableOffset : partition.syncedEnd;
  }

  private find(wish: Wish): { partition: Partition | undefined; error: ErrorName } {
    const isById = this.context.version >= 13;
    const topic = topicByNameOrId(this.context, wish.topic, wish.topic, isById);
    const name = topic?.name ?? topicName(this.context, wish.topic);
    if ((topic || !isById) && !this.context.may('READ', 'TOPIC', name))
      return { partition: undefined, error: 'TOPIC_AUTHORIZATION_FAILED' };
    const partition = topic?.partitions[wish.partition];
    if (!partition) {
      const error = isById && !topic ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION';
      return { partition: undefined, error };
    }
    const { currentLeaderEpoch: epoch, fetchOffset: offset } = wish;
    if (epoch >= 0 && epoch !== partition.leaderEpoch)
      return { partition, error: epoch > partition.leaderEpoch ? 'UNKNOWN_LEADER_EPOCH' : 'FENCED_LEADER_EPOCH' };
    const isInRange = offset >= partition.startOffset && offset <= partition.syncedEnd;
    return { partition, error: isInRange ? 'NONE' : 'OFFSET_OUT_OF_RANGE' };
  }

  private supplyOf(partition: Partition, wish: Wish, bytesMax: number): Supply {
    const { context } = this;
    try {
      if (context.version < FETCH_OF_ZSTD) return this.takeableOf(partition, wish, bytesMax);
      const extents = context.log.locate(partition, wish.fetchOffset, bytesMax, this.endOf(partition));
      return { error: 'NONE', bytes: extents.reduce((sum, { length }) => sum + length, 0) };
    } catch (failure) {
      return { error: this.unreadable(partition, failure), bytes: 0 };
    }
  }

  /** What an old client can take from the offset on, past what it is not to see. */
  private takeableOf(partition: Partition, wish: Wish, bytesMax: number): Supply {
    const { context } = this;
    const { version } = context;
    for (let next = wish.fetchOffset; ; ) {
      const { bytes, endsAtZstd, nextOffset, pieces } = takeable(
        context.log.read(partition, next, bytesMax, { end: this.endOf(partition) }),
        version,
      );
      if (bytes > 0) return { error: 'NONE', bytes, pieces };
      if (endsAtZstd) {
        const { index, topic } = partition;
        context.refused(brokerErrors.zstdUnreadable({ topic: topic.name, partition: index, version }));
        return { error: 'UNSUPPORTED_COMPRESSION_TYPE', bytes };
      }
      if (nextOffset === undefined) return { error: 'NONE', bytes };
      next = nextOffset;
    }
  }

  /** Clients come again for ever for what is damaged: the log of the process says so once a minute. */
  private unreadable(partition: Partition, error: unknown): ErrorName {
    const { index, topic } = partition;
    const name = nameOf(this.context, error, READ_ERRORS);
    this.context.refused(
      brokerErrors.unreadable({ topic: topic.name, partition: index, reason: messageOf(error) }, error),
    );
    return name;
  }
}

/** Aborted transactions that have anything in the records. */
function aborted(
  partition: Partition | undefined,
  offset: number,
  records: readonly Uint8Array[],
): readonly { readonly producerId: number; readonly firstOffset: number }[] {
  const found = partition && records.length > 0 ? partition.transactions.abortedIn(offset, partition.syncedEnd) : [];
  if (found.length === 0) return [];
  const end = endOfBatches(records);
  return found.filter(({ firstOffset }) => firstOffset < end);
}

/** Offset behind the last batch. */
function endOfBatches(records: readonly Uint8Array[]): number {
  const last = records.at(-1)!;
  const header = new BatchHeader(last);
  let at = header.sizeBytes;
  while (at < last.length) at += header.at(at).sizeBytes;
  return header.lastOffset + 1;
}

function keyOf({ partition, topic }: Wish): string {
  return `${topic}/${partition}`;
}
