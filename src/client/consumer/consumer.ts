/**
 * Consumer of partitions that are given to it: fetches record batches as raw bytes, from each leader for itself.
 *
 *   poll ─► Leader: positions that are not known yet ─► Fetch, long poll ─► ready ─► handed over, positions advance
 *
 * A leader that hangs, a partition without a leader and one that is paused keep nobody else's data back. What was handed over
 * is the caller's; meanwhile each leader fetches one answer ahead. So memory stays within (prefetch + 2) × leaders × maximum
 * bytes, with a prefetch of one: one answer ahead, one in the caller's hands, one that the caller still holds from before.
 *
 * Within a request partitions take turns: who brought data goes behind the others, so that a limit on the answer's size lets
 * each come first in time.
 *
 * Invariants
 * I1 batches of a partition are handed over in order, without gaps but those of the log; control batches and, when reading
 *    committed, batches of aborted transactions are left out.
 * I2 a position moves only when its batches are handed over, or by a rule of the settings, which is told.
 * I3 what is paused or taken away while a fetch is under way is not handed over.
 * I4 memory of an answer is held once for each piece that it brought, and released with it whatever becomes of it.
 */
import type { Slab, Timer } from '../../base/index.ts';
import { apis, type FetchResponse } from '../../wire/index.ts';
import type { Cluster } from '../cluster.ts';
import type { BrokerConnection } from '../connection.ts';
import { brokerError, canPass, clientErrors } from '../errors.ts';
import { byTopic } from '../topic-partition.ts';
import { Assignment, checkEpochs, resolveOffsets, type ResetPolicy } from './assignment.ts';
import { readRecordData, RecordDataDefect } from './record-data.ts';

export interface ConsumerSettings {
  readonly minBytes: number;
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  /** Of all that is fetched ahead, but for single batches beyond it. */
  readonly queuedBytesMax: number;
  readonly partitionMaxBytes: number;
  readonly reset: ResetPolicy;
  readonly checksCrc: boolean;
  /** Records of open and aborted transactions are not seen. */
  readonly readsCommitted: boolean;
}

export const CONSUMER_DEFAULTS: ConsumerSettings = {
  minBytes: 1,
  maxWaitMs: 500,
  maxBytes: 50 * 1024 * 1024,
  queuedBytesMax: Number.POSITIVE_INFINITY,
  partitionMaxBytes: 1024 * 1024,
  reset: 'earliest',
  checksCrc: true,
  readsCommitted: true,
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
/** How much longer than its long poll an answer may take. */
const GRACE_MS = 30_000;

interface Piece {
  readonly entry: Assignment;
  readonly fetched: FetchedBatches;
  readonly readEpoch: number;
}

/** What is asked of a leader and what came of it. */
interface Leader {
  readonly node: number;
  isBusy: boolean;
  ready: Piece[];
  failures: number;
}

export class Consumer {
  private readonly cluster: Cluster;
  private readonly settings: ConsumerSettings;
  private readonly assigned = new Map<string, Assignment>();
  /** In the order in which they are asked for. */
  private turns: Assignment[] = [];
  private readonly leaders = new Map<number, Leader>();
  private readonly lookups = new Set<string>();
  private failure: Error | undefined;
  private wake: (() => void) | undefined;
  private retry: Timer | undefined;
  private isClosed = false;

  constructor(cluster: Cluster, settings: Partial<ConsumerSettings> = {}) {
    this.cluster = cluster;
    this.settings = { ...CONSUMER_DEFAULTS, ...settings };
  }

  /** Replaces the assignment. Offsets may be `BY_RESET`, `FROM_START` or `FROM_END`. */
  assign(partitions: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[]): void {
    this.assigned.clear();
    for (const place of partitions) {
      this.assigned.set(keyOf(place.topic, place.partition), new Assignment(this.cluster, this.settings.reset, place));
    }
    this.turns = [...this.assigned.values()];
    for (const leader of this.leaders.values()) release(leader.ready.splice(0));
    this.changed();
  }

  pause(topic: string, partition: number, isPaused: boolean): void {
    const entry = this.assigned.get(keyOf(topic, partition));
    if (entry) entry.isPaused = isPaused;
    this.changed();
  }

  /** True when every assigned partition has been read to the end that the last fetch saw. */
  get isAtEnd(): boolean {
    for (const { endOffset, offset } of this.assigned.values()) if (endOffset < 0 || offset < endOffset) return false;
    return true;
  }

  /** What has been asked for without an answer for longest, and since when; undefined where all was answered. */
  awaited(): { readonly what: string; readonly sinceMs: number } | undefined {
    let longest: Assignment | undefined;
    for (const entry of this.turns) {
      if (entry.awaitedMs < (longest?.awaitedMs ?? Number.POSITIVE_INFINITY)) longest = entry;
    }
    return longest && { what: longest.name, sinceMs: longest.awaitedMs };
  }

  /** The next batches; empty when none came within the long poll. Errors that pass are waited out. */
  async poll(): Promise<FetchedBatches[]> {
    const { clock } = this.cluster.io;
    const until = clock.monotonic() + this.settings.maxWaitMs;
    for (;;) {
      if (this.failure) {
        const { failure } = this;
        this.failure = undefined;
        throw failure;
      }
      if (this.isClosed) throw clientErrors.closed();
      this.ask();
      const fetched = this.takeReady();
      if (fetched.length > 0) {
        this.ask();
        return fetched;
      }
      const leftMs = until - clock.monotonic();
      if (leftMs <= 0) return [];
      await this.change(leftMs);
    }
  }

  /** Gives back what was fetched ahead; a poll under way fails with MR4208. */
  close(): void {
    this.isClosed = true;
    this.assign([]);
    this.retry?.cancel();
  }

  private takeReady(): FetchedBatches[] {
    const taken: FetchedBatches[] = [];
    for (const leader of this.leaders.values()) {
      for (const piece of leader.ready.splice(0)) {
        const { entry, fetched, readEpoch } = piece;
        if (!this.isCurrent(entry) || entry.isPaused || entry.offset !== fetched.fromOffset) {
          release([piece]);
          continue;
        }
        entry.offset = fetched.nextOffset;
        entry.readEpoch = readEpoch;
        taken.push(fetched);
      }
    }
    return taken;
  }

  private isCurrent(entry: Assignment): boolean {
    return this.assigned.get(keyOf(entry.topic, entry.partition)) === entry;
  }

  /** Asks every leader that has something to be asked for, and neither a request under way nor an answer that waits. */
  private ask(): void {
    try {
      this.askLeaders();
    } catch (error) {
      this.fail(error);
    }
  }

  private askLeaders(): void {
    const plans = new Map<number, Assignment[]>();
    const now = this.cluster.io.clock.monotonic();
    for (const entry of this.turns) {
      if (entry.isPaused) continue;
      entry.awaitedMs = Math.min(entry.awaitedMs, now);
      if (entry.retryAtMs > now) continue;
      const info = this.cluster.known(entry.topic);
      if (!info) {
        this.lookUp(entry.topic);
        continue;
      }
      entry.follow(info);
      const leader = info.leaders[entry.partition] ?? -1;
      if (leader < 0) {
        entry.postpone(clientErrors.notReady({ api: 'Fetch', what: `of ${entry.name}`, error: 'no leader' }));
        continue;
      }
      const plan = plans.get(leader);
      if (plan) plan.push(entry);
      else plans.set(leader, [entry]);
    }
    for (const [node, entries] of plans) {
      const leader = this.leaderOf(node);
      if (!leader.isBusy && leader.ready.length === 0) void this.run(leader, entries);
    }
  }

  private lookUp(topic: string): void {
    if (this.lookups.has(topic)) return;
    this.lookups.add(topic);
    const done = (): void => {
      this.lookups.delete(topic);
      this.changed();
    };
    const what = `look-up of ${topic}`;
    this.cluster.topic(topic).then(
      () => {
        this.cluster.calmed(what);
        done();
      },
      async (error: unknown) => {
        if (canPass(error)) {
          this.cluster.troubled(what, error as Error);
          await this.cluster.backoff(3);
        } else if ([...this.assigned.values()].some(entry => entry.topic === topic)) this.fail(error);
        done();
      },
    );
  }

  private leaderOf(node: number): Leader {
    let leader = this.leaders.get(node);
    if (!leader) {
      leader = { node, isBusy: false, ready: [], failures: 0 };
      this.leaders.set(node, leader);
    }
    return leader;
  }

  private async run(leader: Leader, entries: readonly Assignment[]): Promise<void> {
    leader.isBusy = true;
    const what = `fetching from node ${leader.node}`;
    try {
      const connection = await this.cluster.node(leader.node, 'fetch');
      await resolveOffsets(connection, entries, this.isolationLevel);
      await checkEpochs(connection, entries, connection.speaks(apis.offsetForLeaderEpoch));
      const asked = entries.filter(entry => this.isCurrent(entry) && entry.offset >= 0 && !entry.isPaused);
      if (asked.length > 0) await this.fetch(leader, connection, asked);
      leader.failures = 0;
      this.cluster.calmed(what);
    } catch (error) {
      if (!canPass(error)) this.fail(error);
      else {
        this.cluster.troubled(what, error as Error);
        for (const { topic } of entries) this.cluster.forget(topic);
        await this.cluster.backoff(leader.failures++);
      }
    }
    leader.isBusy = false;
    this.changed();
  }

  private async fetch(leader: Leader, connection: BrokerConnection, asked: readonly Assignment[]): Promise<void> {
    const { maxWaitMs, minBytes, partitionMaxBytes } = this.settings;
    // An answer that fits a slab is read into place; only a single batch beyond that is larger.
    const { arena } = this.cluster.settings;
    const maxBytes = Math.min(
      this.settings.maxBytes,
      Math.max(1, Math.floor(this.settings.queuedBytesMax / this.leaders.size)),
      (arena?.slabBytes ?? Number.POSITIVE_INFINITY) - ANSWER_BYTES,
    );
    const from = new Map(asked.map(entry => [entry, entry.offset]));
    let owner: Slab | undefined;
    const answer = await connection.request(
      apis.fetch,
      {
        maxWaitMs,
        minBytes,
        maxBytes,
        isolationLevel: this.isolationLevel,
        topics: byTopic(asked).map(([topic, list]) => ({
          topic,
          topicId: list[0]!.topicId,
          partitions: list.map(({ leaderEpoch, offset, partition }) => ({
            partition,
            fetchOffset: offset,
            currentLeaderEpoch: leaderEpoch,
            partitionMaxBytes,
          })),
        })),
      },
      {
        timeoutMs: maxWaitMs + GRACE_MS,
        keep: kept => {
          owner = kept;
        },
      },
    );
    try {
      const pieces = this.accept(answer, from, owner);
      for (const _piece of pieces) owner?.hold();
      leader.ready.push(...pieces);
      const served = new Set(pieces.map(({ entry }) => entry));
      this.turns = [
        ...this.turns.filter(entry => !served.has(entry)),
        ...this.turns.filter(entry => served.has(entry)),
      ];
    } finally {
      owner?.release();
    }
  }

  /** What an answer brought. */
  private accept(answer: FetchResponse, from: ReadonlyMap<Assignment, number>, owner: Slab | undefined): Piece[] {
    if (answer.errorCode !== 0) throw brokerError('Fetch', 'of the whole request', answer.errorCode);
    const pieces: Piece[] = [];
    for (const response of answer.responses) {
      const topic = response.topic === '' ? this.cluster.topicName(response.topicId) : response.topic;
      for (const partition of response.partitions) {
        const entry = this.assigned.get(keyOf(topic ?? '', partition.partitionIndex));
        const fromOffset = entry && from.get(entry);
        if (!entry || fromOffset === undefined) continue;
        if (partition.errorCode !== 0) {
          entry.refused(fromOffset, partition.errorCode);
          continue;
        }
        entry.succeeded();
        const { abortedTransactions: aborted, highWatermark, lastStableOffset } = partition;
        entry.endOffset = this.settings.readsCommitted && lastStableOffset >= 0 ? lastStableOffset : highWatermark;
        if (!partition.records) continue;
        const options = { checksCrc: this.settings.checksCrc, aborted };
        const data = readRecordData(partition.records, fromOffset, options);
        if (!data) continue;
        if (data instanceof RecordDataDefect) {
          const { offset, reason } = data;
          throw clientErrors.badBatch({ topic: entry.topic, partition: entry.partition, offset, reason });
        }
        const { batches, leaderEpoch, nextOffset } = data;
        const { endOffset, partition: index } = entry;
        const fetched = { topic: entry.topic, partition: index, batches, fromOffset, nextOffset, endOffset, owner };
        pieces.push({ entry, fetched, readEpoch: leaderEpoch });
      }
    }
    return pieces;
  }

  private get isolationLevel(): number {
    return this.settings.readsCommitted ? 1 : 0;
  }

  private fail(error: unknown): void {
    if (this.isClosed) return;
    this.failure ??= error instanceof Error ? error : new Error(String(error));
  }

  private changed(): void {
    this.wake?.();
    this.wake = undefined;
  }

  /** Resolves when something has changed, when a postponed partition is due again, or after `ms`. */
  private change(ms: number): Promise<void> {
    const now = this.cluster.io.clock.monotonic();
    let waitMs = ms;
    for (const { retryAtMs } of this.turns) if (retryAtMs > now) waitMs = Math.min(waitMs, retryAtMs - now);
    return new Promise(resolve => {
      this.retry = this.cluster.io.clock.after(waitMs, () => this.changed());
      this.wake = () => {
        this.retry?.cancel();
        resolve();
      };
    });
  }
}

function release(pieces: readonly Piece[]): void {
  for (const { fetched } of pieces) fetched.owner?.release();
}

function keyOf(topic: string, partition: number): string {
  return `${topic}\n${partition}`;
}
