/**
 * One partition's batches between sealing and acknowledgement: what may be sent now, what is under way, what comes again.
 *
 *   waiting ─next()─► underway ─┬─ acknowledged ─► settled, in order
 *      ▲                        └─ failed ──┐
 *      └──────── recover(), once nothing is under way ─┘
 *
 * Up to five batches are under way at a time (as many as a broker remembers of a producer, KIP-98). After a failure
 * nothing new is sent until all answers are in; then everything unacknowledged goes again in order, with the sequences
 * that it had (go-back-N). Only the oldest failed batch is judged: what failed behind it mostly failed because of it.
 *
 * A batch whose sequence the broker refuses although it is the oldest and nothing else is under way was never taken, nor
 * was anything behind it: the producer then raises its epoch for this partition and counts from zero (KIP-360). The epoch,
 * not another id: copies of old tries that the network still holds back are then refused, should they arrive. This also
 * closes the gap that a batch leaves that was given up.
 *
 * Invariants
 * I1 batches are settled in the order in which they were pushed, each once; one that was too large as two in its place.
 * I2 a batch keeps identity and sequence over all its tries, unless the identity was renewed as above.
 * I3 at most `size` batches lie between the oldest unsettled and the newest sent, so that the broker still knows the oldest
 *    when it comes again; nothing is sent while a failure waits for the other answers.
 * I4 until a batch of an identity is acknowledged, one is under way at most: a broker that knows nothing of a producer takes
 *    any sequence for its first, so the second batch would pass when the first is refused (by a leader that has just
 *    learned of the topic, say), and the first would come behind it.
 */
import { assert } from '../../base/index.ts';
import { type Failure, type Identity, type ProducedBatch, SEQUENCES } from './batch.ts';

const EPOCH_MAX = 32_767;

export class PartitionWindow {
  readonly topic: string;
  readonly partition: number;
  identity: Identity | undefined;
  /** The identity under which the broker has taken a batch. */
  private taken: Identity | undefined;
  /** Tries of the oldest batch so far that failed. */
  failedTries = 0;
  /** The identity that it had was given up, and an epoch more does not help. */
  needsNewId = false;
  /** True while it waits before the next try. */
  isPaused = false;
  /** Batches larger than that were refused. */
  batchBytesMax: number = Number.POSITIVE_INFINITY;
  /** Why the last try failed. */
  lastReason = 'not sent yet';
  private readonly size: number;
  private readonly settle: (batch: ProducedBatch, error: Error | undefined) => void;
  private readonly batches: ProducedBatch[] = [];
  private underway = 0;
  private hasFailed = false;
  private nextSequence = 0;

  constructor(
    topic: string,
    partition: number,
    size: number,
    settle: (batch: ProducedBatch, error: Error | undefined) => void,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.size = size;
    this.settle = settle;
  }

  get isEmpty(): boolean {
    return this.batches.length === 0;
  }

  /** When the oldest batch was born; undefined for none. */
  get oldestMs(): number | undefined {
    return this.batches[0]?.bornMs;
  }

  get waitingRecords(): number {
    return this.batches.reduce((sum, { recordCount, state }) => sum + (state === 'waiting' ? recordCount : 0), 0);
  }

  get isIdle(): boolean {
    return this.underway === 0;
  }

  push(batch: ProducedBatch): void {
    this.batches.push(batch);
  }

  get canSend(): boolean {
    if (this.isPaused || this.hasFailed) return false;
    const next = this.firstWaiting();
    return next < (this.identity === this.taken ? this.size : 1) && next < this.batches.length;
  }

  /** The next batch to send, now under way; undefined when there is none. */
  next(): ProducedBatch | undefined {
    if (!this.canSend) return undefined;
    const batch = this.batches[this.firstWaiting()]!;
    if (this.identity && batch.sequence < 0) {
      batch.sequence = this.nextSequence;
      this.nextSequence = (this.nextSequence + batch.recordCount) % SEQUENCES;
    }
    batch.state = 'underway';
    this.underway++;
    return batch;
  }

  /** The answer for a batch under way. True: a failure is to be dealt with by `recover`, and nothing is under way. */
  answered(batch: ProducedBatch, failure: Failure | undefined): boolean {
    assert(batch.state === 'underway', 'I1: an answer for a batch that is not under way');
    this.underway--;
    batch.failure = failure;
    batch.state = failure ? 'failed' : 'acknowledged';
    this.hasFailed ||= failure !== undefined;
    if (!failure) this.taken = this.identity;
    this.settleOldest();
    return this.hasFailed && this.underway === 0;
  }

  /** Nothing could be sent at all. True: the failure is to be dealt with by `recover`, and nothing is under way. */
  refused(failure: Failure): boolean {
    const oldest = this.batches.find(({ state }) => state === 'waiting');
    if (!oldest) return false;
    oldest.state = 'failed';
    oldest.failure = failure;
    this.hasFailed = true;
    return this.underway === 0;
  }

  /**
   * Prepares the next try. Hopeless batches are settled with their error; the rest waits to be sent again. `deadlineMs`
   * is the time of birth up to which batches are given up, with `late` as their error. False: nothing is left to try.
   */
  recover(deadlineMs: number, late: (batch: ProducedBatch, reason: string) => Error): boolean {
    assert(this.underway === 0, 'I3: recovery while batches are under way');
    this.hasFailed = false;
    const oldest = this.batches[0];
    const failure = oldest?.failure;
    if (failure) this.lastReason = failure.error.message;
    switch (failure?.kind) {
      case 'fatal':
        this.drop(failure.error);
        break;
      case 'too large':
        this.halve(oldest!, failure.error);
        break;
      case 'sequence':
        this.renew(true);
        break;
      case 'epoch':
        this.renew(false);
        break;
      case 'again':
      case undefined:
    }
    this.giveUp(deadlineMs, batch => late(batch, this.lastReason));
    for (const batch of this.batches) {
      if (batch.state === 'failed') batch.state = 'waiting';
      batch.failure = undefined;
    }
    this.failedTries = this.batches.length === 0 || this.batches[0] !== oldest ? 0 : this.failedTries + 1;
    this.settleOldest();
    return this.batches.length > 0;
  }

  /** Gives up what was born before; only while nothing is under way. */
  giveUp(deadlineMs: number, error: (batch: ProducedBatch) => Error): void {
    while (this.underway === 0 && this.batches.length > 0) {
      const oldest = this.batches[0]!;
      if (oldest.state === 'acknowledged') this.settleOldest();
      else if (oldest.bornMs <= deadlineMs) this.drop(error(oldest));
      else return;
    }
  }

  /** Sequences from zero for everything that is not acknowledged, under the next epoch or another id. */
  private renew(mayKeepId: boolean): void {
    const { identity } = this;
    const isKept = mayKeepId && identity !== undefined && identity.epoch < EPOCH_MAX;
    this.identity = isKept ? { id: identity.id, epoch: identity.epoch + 1 } : undefined;
    this.needsNewId = !isKept;
    this.nextSequence = 0;
    for (const batch of this.batches) if (batch.state !== 'acknowledged') batch.sequence = -1;
  }

  private halve(batch: ProducedBatch, error: Error): void {
    const halves = batch.split();
    if (!halves) {
      this.drop(error);
      return;
    }
    this.batchBytesMax = Math.min(this.batchBytesMax, Math.ceil(batch.heldBytes / 2));
    this.batches.splice(0, 1, ...halves);
  }

  private drop(error: Error): void {
    this.settle(this.batches.shift()!, error);
  }

  private settleOldest(): void {
    while (this.batches[0]?.state === 'acknowledged') {
      this.failedTries = 0;
      this.settle(this.batches.shift()!, undefined);
    }
  }

  /** Those before it are under way, or acknowledged behind one that is: as many as the broker may have to remember. */
  private firstWaiting(): number {
    let index = 0;
    while (index < this.batches.length && this.batches[index]!.state !== 'waiting') index++;
    return index;
  }
}
