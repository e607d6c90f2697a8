/**
 * One partition: its offsets and its producers. Where its batches lie is known by file (places.ts).
 *
 *   startOffset ≤ … ≤ lastStableOffset ≤ syncedEnd ≤ nextOffset
 *
 * Invariants
 * I1 offsets at or beyond `syncedEnd` are reserved or being written: nobody reads them.
 * I2 offsets are handed out once: after a failed commit `nextOffset` falls back to `syncedEnd`, and nothing that was
 *    acknowledged lies between.
 */
import type { History } from './file-index.ts';
import { ProducerStates } from './producer-state.ts';
import { PartitionTransactions } from './transactions.ts';

export interface TopicName {
  readonly namespace: string;
  readonly name: string;
}

export class Partition {
  /** Number in the journal's tables, never reused. */
  readonly id: number;
  readonly topic: Topic;
  readonly index: number;
  startOffset = 0;
  syncedEnd = 0;
  nextOffset = 0;
  /** Of all batches ever synced. */
  appendedBytes = 0;
  /** Greatest timestamp ever synced; -1 when no record had one. */
  newestTimestamp = -1;
  /** Zero while the log never takes acknowledged records back; a repair that does so would raise it. */
  readonly leaderEpoch = 0;
  producers: ProducerStates = new ProducerStates();
  readonly transactions = new PartitionTransactions();
  private waiters: { readonly offset: number; readonly wake: () => void }[] = [];

  constructor(id: number, topic: Topic, index: number) {
    this.id = id;
    this.topic = topic;
    this.index = index;
  }

  /** First offset of which is not decided whether it counts; the synced end when no transaction is open. */
  get lastStableOffset(): number {
    return Math.min(this.syncedEnd, this.transactions.firstOpenOffset);
  }

  /** What is synced. */
  get history(): History {
    return { end: this.syncedEnd, bytes: this.appendedBytes, newest: this.newestTimestamp };
  }

  /** @internal */
  restore(history: History, producers: ProducerStates | undefined): void {
    this.syncedEnd = history.end;
    this.nextOffset = history.end;
    this.appendedBytes = history.bytes;
    this.newestTimestamp = history.newest;
    if (producers) this.producers = producers;
  }

  /** @internal a batch is durable; the synced end is the committer's to move */
  appended(length: number, time: number): void {
    this.appendedBytes += length;
    if (time > this.newestTimestamp) this.newestTimestamp = time;
  }

  /** Calls back once when the synced end lies behind `offset`, or the topic is deleted. Returns how to forget it. */
  whenBehind(offset: number, wake: () => void): () => void {
    const waiter = { offset, wake };
    this.waiters.push(waiter);
    return () => {
      this.waiters = this.waiters.filter(candidate => candidate !== waiter);
    };
  }

  /** @internal the synced end has moved */
  advanced(): void {
    if (this.waiters.length > 0) this.wake(waiter => this.syncedEnd > waiter.offset);
  }

  /** @internal */
  wakeAll(): void {
    this.wake(() => true);
  }

  private wake(isDue: (waiter: { readonly offset: number }) => boolean): void {
    const due = this.waiters.filter(isDue);
    if (due.length === 0) return;
    this.waiters = this.waiters.filter(waiter => !isDue(waiter));
    for (const waiter of due) waiter.wake();
  }
}

export class Topic implements TopicName {
  readonly namespace: string;
  readonly name: string;
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly partitions: Partition[] = [];
  configs: ReadonlyMap<string, string>;
  isDeleted = false;
  /** @internal its deletion is on its way to the disk */
  isEnding = false;

  constructor(namespace: string, name: string, id: string, configs: ReadonlyMap<string, string>) {
    this.namespace = namespace;
    this.name = name;
    this.id = id;
    this.configs = configs;
  }

  get isInternal(): boolean {
    return this.name.startsWith('__millrace_');
  }
}
