/**
 * One partition: its offsets, its producers, and where its batches lie.
 *
 *   startOffset ≤ … ≤ syncedEnd ≤ nextOffset
 *
 * Invariants
 * I1 offsets at or beyond `syncedEnd` are reserved or being written: nobody reads them.
 * I2 offsets are handed out once: after a failed commit `nextOffset` falls back to `syncedEnd`, and nothing that was
 *    acknowledged lies between.
 */
import type { FileIndex, Part } from './file-index.ts';
import { ProducerStates } from './producer-state.ts';

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
  /** Zero while the log never takes acknowledged records back; a repair that does so would raise it. */
  readonly leaderEpoch = 0;
  readonly producers = new ProducerStates();
  /** Files that hold batches of this partition, oldest first. */
  readonly files: FileIndex[] = [];
  private waiters: { readonly offset: number; readonly wake: () => void }[] = [];

  constructor(id: number, topic: Topic, index: number) {
    this.id = id;
    this.topic = topic;
    this.index = index;
  }

  partOf(file: FileIndex): Part {
    return file.parts.get(this.id)!;
  }

  /** Bytes of batches still kept. */
  get sizeBytes(): number {
    return this.files.reduce((sum, file) => sum + this.partOf(file).bytes, 0);
  }

  /** First file that holds a batch ending at or behind `offset`; undefined when there is none. */
  fileFor(offset: number): number | undefined {
    let low = 0;
    let high = this.files.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.partOf(this.files[middle]!).lastOffset < offset) low = middle + 1;
      else high = middle;
    }
    return low < this.files.length ? low : undefined;
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
