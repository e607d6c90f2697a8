/**
 * Consumer of partitions that are given to it: fetches record batches as raw bytes, from all leaders at once.
 *
 *   poll ─► one Fetch a leader, long poll ─► batches (views of the answer), positions advance past what was handed over
 *
 * The next round is under way while the caller works on the last one: memory is bounded by (prefetch + 2) × leaders × maximum
 * bytes, with a prefetch of one round.
 *
 * Invariants
 * I1 batches of a partition are handed over in order, without gaps but those of the log; control batches are left out.
 * I2 a batch whose crc does not match is never handed over.
 * I3 what is paused or taken away while a fetch is under way is not handed over.
 */
import { messageOf, MillraceError, type Slab } from '../base/index.ts';
import { apis, errorCode, errorName, type FetchResponse, isRetriable } from '../wire/index.ts';
import { BatchHeader, validateBatch } from '../wire/records/index.ts';
import type { Cluster } from './cluster.ts';
import { clientErrors } from './errors.ts';

export type ResetPolicy = 'earliest' | 'latest' | 'error';

export interface ConsumerSettings {
  readonly minBytes: number;
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
  readonly reset: ResetPolicy;
  readonly checksCrc: boolean;
}

export const CONSUMER_DEFAULTS: ConsumerSettings = {
  minBytes: 1,
  maxWaitMs: 500,
  maxBytes: 50 * 1024 * 1024,
  partitionMaxBytes: 1024 * 1024,
  reset: 'earliest',
  checksCrc: true,
};

/** Batches of one partition that follow each other. */
export interface FetchedBatches {
  readonly topic: string;
  readonly partition: number;
  /** Whole batches; the first may begin before `fromOffset`. */
  readonly batches: readonly Uint8Array[];
  /** Records before this were not asked for. */
  readonly fromOffset: number;
  /** Where the next fetch begins. */
  readonly nextOffset: number;
  readonly endOffset: number;
  /** Holds the memory of `batches`, once; they are gone when it was released. Absent for private memory. */
  readonly owner?: Slab | undefined;
}

/** Room for what an answer holds beside record data. */
const ANSWER_BYTES = 65_536;

interface Assignment {
  readonly topic: string;
  readonly partition: number;
  /** -1 until the reset policy has been applied. */
  offset: number;
  endOffset: number;
  isPaused: boolean;
}

export class Consumer {
  private readonly cluster: Cluster;
  private readonly settings: ConsumerSettings;
  private readonly assigned = new Map<string, Assignment>();
  private ahead: Promise<FetchedBatches[]> | undefined;
  private generation = 0;
  private failures = 0;

  constructor(cluster: Cluster, settings: Partial<ConsumerSettings> = {}) {
    this.cluster = cluster;
    this.settings = { ...CONSUMER_DEFAULTS, ...settings };
  }

  /** Replaces the assignment. An offset of -1 begins by the reset policy, -2 at the start, -3 at the end. */
  assign(partitions: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[]): void {
    this.assigned.clear();
    for (const { offset, partition, topic } of partitions) {
      this.assigned.set(keyOf(topic, partition), { topic, partition, offset, endOffset: -1, isPaused: false });
    }
    this.drop();
  }

  pause(topic: string, partition: number, isPaused: boolean): void {
    const entry = this.assigned.get(keyOf(topic, partition));
    if (entry) entry.isPaused = isPaused;
  }

  /** True when every assigned partition has been read to the end that the last fetch saw. */
  get isAtEnd(): boolean {
    for (const { endOffset, offset } of this.assigned.values()) if (endOffset < 0 || offset < endOffset) return false;
    return true;
  }

  /** The next batches; empty when a round brought nothing. Errors that pass are waited out. */
  async poll(): Promise<FetchedBatches[]> {
    const round = this.ahead ?? this.round();
    this.ahead = undefined;
    const generation = this.generation;
    const fetched = await round;
    const isCurrent = generation === this.generation;
    const accepted = fetched.filter(({ fromOffset, nextOffset, owner, partition, topic }) => {
      const entry = this.assigned.get(keyOf(topic, partition));
      if (!isCurrent || !entry || entry.isPaused || entry.offset !== fromOffset) {
        owner?.release();
        return false;
      }
      entry.offset = nextOffset;
      return true;
    });
    if (accepted.length > 0) this.prefetch();
    return accepted;
  }

  private prefetch(): void {
    this.ahead = this.round();
    // Whoever polls next sees the failure; until then it is not unhandled.
    this.ahead.catch(() => undefined);
  }

  private drop(): void {
    this.generation++;
    const dropped = this.ahead;
    this.ahead = undefined;
    dropped?.then(
      fetched => {
        for (const { owner } of fetched) owner?.release();
      },
      // Whoever polls next meets the cause again.
      () => undefined,
    );
  }

  private async round(): Promise<FetchedBatches[]> {
    try {
      await this.resolveOffsets();
      const byLeader = await this.byLeader();
      if (byLeader.size === 0) {
        await this.cluster.sleep(this.settings.maxWaitMs);
        return [];
      }
      const rounds = await Promise.all([...byLeader].map(([leader, entries]) => this.fetch(leader, entries)));
      this.failures = 0;
      return rounds.flat();
    } catch (error) {
      if (error instanceof MillraceError && error.retry === 'no') throw error;
      for (const { topic } of this.assigned.values()) this.cluster.forget(topic);
      await this.cluster.backoff(this.failures++);
      return [];
    }
  }

  private async byLeader(): Promise<Map<number, Assignment[]>> {
    const byLeader = new Map<number, Assignment[]>();
    for (const entry of this.assigned.values()) {
      if (entry.isPaused) continue;
      const topic = await this.cluster.topic(entry.topic);
      const leader = topic.leaders[entry.partition] ?? -1;
      if (leader < 0) continue;
      const entries = byLeader.get(leader) ?? [];
      entries.push(entry);
      byLeader.set(leader, entries);
    }
    return byLeader;
  }

  private async fetch(leader: number, entries: readonly Assignment[]): Promise<FetchedBatches[]> {
    const connection = await this.cluster.node(leader, 'fetch');
    const topics = new Map<string, Assignment[]>();
    for (const entry of entries) topics.set(entry.topic, [...(topics.get(entry.topic) ?? []), entry]);
    const ids = new Map<string, string>();
    for (const name of topics.keys()) ids.set(name, (await this.cluster.topic(name)).id);
    const from = new Map(entries.map(entry => [entry, entry.offset]));
    const { maxWaitMs, minBytes, partitionMaxBytes } = this.settings;
    // An answer that fits a slab is read into place; only a single batch beyond that is larger.
    const { arena } = this.cluster.settings;
    const maxBytes = Math.min(this.settings.maxBytes, (arena?.slabBytes ?? Number.POSITIVE_INFINITY) - ANSWER_BYTES);
    let owner: Slab | undefined;
    const answer = await connection.request(
      apis.fetch,
      {
        maxWaitMs,
        minBytes,
        maxBytes,
        topics: [...topics].map(([topic, list]) => ({
          topic,
          topicId: ids.get(topic)!,
          partitions: list.map(({ offset, partition }) => ({ partition, fetchOffset: offset, partitionMaxBytes })),
        })),
        forgottenTopicsData: [],
        rackId: '',
      },
      {
        timeoutMs: maxWaitMs + 30_000,
        keep: kept => {
          owner = kept;
        },
      },
    );
    try {
      return this.accept(answer, topics, ids, from, owner);
    } finally {
      owner?.release();
    }
  }

  /** What an answer brought; each piece of it holds the answer's memory. */
  private accept(
    answer: FetchResponse,
    topics: ReadonlyMap<string, readonly Assignment[]>,
    ids: ReadonlyMap<string, string>,
    from: ReadonlyMap<Assignment, number>,
    owner: Slab | undefined,
  ): FetchedBatches[] {
    if (answer.errorCode !== 0) throw fetchError(errorName(answer.errorCode), 'of the whole request');
    const fetched: FetchedBatches[] = [];
    for (const response of answer.responses) {
      const name = response.topic === '' ? [...ids].find(([, id]) => id === response.topicId)?.[0] : response.topic;
      for (const partition of response.partitions) {
        const entry = topics.get(name ?? '')?.find(candidate => candidate.partition === partition.partitionIndex);
        if (!entry) continue;
        if (partition.errorCode !== 0) {
          this.handleError(entry, partition.errorCode);
          continue;
        }
        entry.endOffset = partition.highWatermark;
        const batches = this.batchesOf(entry, from.get(entry)!, partition.records);
        if (!batches) continue;
        owner?.hold();
        fetched.push({ ...batches, owner });
      }
    }
    return fetched;
  }

  private handleError(entry: Assignment, code: number): void {
    const name = errorName(code);
    if (code === errorCode('OFFSET_OUT_OF_RANGE')) {
      if (this.settings.reset === 'error')
        throw fetchError(name, `at offset ${entry.offset} of ${entry.topic}/${entry.partition}`);
      entry.offset = -1;
      return;
    }
    if (!isRetriable(code)) throw fetchError(name, `of ${entry.topic}/${entry.partition}`);
    this.cluster.forget(entry.topic);
  }

  /** Splits record data into whole batches; a cut last one is left for the next fetch. */
  private batchesOf(entry: Assignment, fromOffset: number, records: Uint8Array | null): FetchedBatches | undefined {
    const { partition, topic } = entry;
    const batches: Uint8Array[] = [];
    let nextOffset = fromOffset;
    if (!records) return undefined;
    const header = new BatchHeader(records);
    for (let at = 0; at < records.length; ) {
      header.at(at);
      if (records.length - at < 61 || !header.fits()) break;
      const batch = records.subarray(at, at + header.sizeBytes);
      at += header.sizeBytes;
      if (header.lastOffset < fromOffset) continue;
      nextOffset = header.lastOffset + 1;
      if (header.isControl) continue;
      if (this.settings.checksCrc) {
        const defect = header.computeCrc() === header.crc ? undefined : validateBatch(batch);
        if (defect) throw fetchError(defect.error, `${defect.reason} in ${topic}/${partition} at ${header.baseOffset}`);
      }
      batches.push(batch);
    }
    if (nextOffset === fromOffset) return undefined;
    return { topic, partition, batches, fromOffset, nextOffset, endOffset: entry.endOffset };
  }

  /** Turns -1 (reset policy), -2 (start) and -3 (end) into offsets. */
  private async resolveOffsets(): Promise<void> {
    for (const entry of this.assigned.values()) {
      if (entry.offset >= 0) continue;
      const isEnd = entry.offset === -3 || (entry.offset === -1 && this.settings.reset === 'latest');
      if (entry.offset === -1 && this.settings.reset === 'error') {
        throw fetchError('OFFSET_OUT_OF_RANGE', `${entry.topic}/${entry.partition} has no offset to begin with`);
      }
      entry.offset = await offsetFor(this.cluster, entry.topic, entry.partition, isEnd ? -1 : -2);
    }
  }
}

/** Offset for a time in ms, or for -1 (end) and -2 (start); the end when nothing is that new. */
export async function offsetFor(
  cluster: Cluster,
  topic: string,
  partition: number,
  timestamp: number,
): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    try {
      const info = await cluster.topic(topic);
      const connection = await cluster.node(info.leaders[partition] ?? -1);
      const answer = await connection.request(
        apis.listOffsets,
        { replicaId: -1, topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp }] }] } as never,
        { cap: 7 },
      );
      const found = answer.topics[0]?.partitions[0];
      if (found?.errorCode === 0)
        return found.offset >= 0 ? found.offset : await offsetFor(cluster, topic, partition, -1);
      if (!isRetriable(found?.errorCode ?? -1) || attempt > 10) {
        throw fetchError(errorName(found?.errorCode ?? -1), `ListOffsets of ${topic}/${partition}`);
      }
    } catch (error) {
      if ((error instanceof MillraceError && error.retry === 'no') || attempt > 10) throw error;
      if (messageOf(error) === '') throw error;
    }
    cluster.forget(topic);
    await cluster.backoff(attempt);
  }
}

function fetchError(error: string, what: string): MillraceError {
  return clientErrors.brokerError({ api: 'Fetch', what, error });
}

function keyOf(topic: string, partition: number): string {
  return `${topic}\n${partition}`;
}
