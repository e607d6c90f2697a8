/**
 * One transactional id: its producer, its state, and what the open transaction has touched.
 *
 *   table `transactions`   key [namespace, transactional id]   value: the fields below, as JSON
 */
import type { StateChange } from '../../log/index.ts';
import type { OffsetToCommit } from '../offsets.ts';
import { nextState, type TransactionEvent, type TransactionState } from './states.ts';

export const TRANSACTIONS = 'transactions';
/** A producer id whose epoch has come so far is not used any more. */
const LAST_EPOCH = 32_766;

export interface Producer {
  readonly producerId: number;
  readonly producerEpoch: number;
}

export interface GroupOffset extends OffsetToCommit {
  readonly groupId: string;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** How a producer's transaction ended, for repetitions of the request that ended it. */
export interface Ended extends Producer {
  readonly isCommit: boolean;
}

interface Stored {
  readonly producer: Producer;
  readonly timeoutMs: number;
  readonly state: TransactionState;
  readonly startedMs: number;
  readonly updatedMs: number;
  readonly partitions: readonly (readonly [topic: string, partition: number])[];
  readonly groups: readonly string[];
  readonly offsets: readonly GroupOffset[];
  readonly ended?: Ended;
  readonly before?: Producer;
}

export class Transaction {
  readonly namespace: string;
  readonly id: string;
  producer: Producer;
  timeoutMs: number;
  state: TransactionState = 'empty';
  /** Of the open transaction; -1 when there is none. */
  startedMs = -1;
  /** The same on a clock that does not jump, begun anew with the process. */
  startedTick = 0;
  updatedMs: number;
  readonly partitions = new Map<string, Place>();
  /** Those of them whose row is not known to be durable: a batch into one brings it along. */
  private readonly unsynced = new Set<string>();
  readonly groups = new Set<string>();
  /** To be committed with it, by place. */
  readonly offsets = new Map<string, GroupOffset>();
  ended: Ended | undefined;
  /** What the last InitProducerId found, for its repetition. */
  before: Producer | undefined;
  /** Settles, never rejects, when what is being made durable is decided. */
  flight: Promise<void> | undefined;

  constructor(namespace: string, id: string, producer: Producer, timeoutMs: number, nowMs: number) {
    this.namespace = namespace;
    this.id = id;
    this.producer = producer;
    this.timeoutMs = timeoutMs;
    this.updatedMs = nowMs;
  }

  /** Something was added since the last one ended. */
  get isOpen(): boolean {
    return this.state === 'ongoing';
  }

  step(event: TransactionEvent): void {
    this.state = nextState(this.state, event);
  }

  /** Begins a transaction with the first thing that is added. */
  added(nowMs: number, tick: number): void {
    if (this.state !== 'ongoing') {
      this.startedMs = nowMs;
      this.startedTick = tick;
    }
    this.updatedMs = nowMs;
    this.step('added');
  }

  clear(): void {
    this.startedMs = -1;
    this.partitions.clear();
    this.unsynced.clear();
    this.groups.clear();
    this.offsets.clear();
  }

  has(topic: string, partition: number): boolean {
    return this.partitions.has(placeKey(topic, partition));
  }

  isSynced(topic: string, partition: number): boolean {
    const key = placeKey(topic, partition);
    return this.partitions.has(key) && !this.unsynced.has(key);
  }

  addPartition(topic: string, partition: number): void {
    if (this.isSynced(topic, partition)) return;
    const key = placeKey(topic, partition);
    this.partitions.set(key, { topic, partition });
    this.unsynced.add(key);
  }

  /** The row that names it is durable. */
  synced(topic: string, partition: number): void {
    this.unsynced.delete(placeKey(topic, partition));
  }

  /** Gives what takes it back. */
  addOffset(offset: GroupOffset): () => void {
    const key = JSON.stringify([offset.groupId, offset.topic, offset.partition]);
    const before = this.offsets.get(key);
    this.offsets.set(key, offset);
    return () => {
      if (this.offsets.get(key) !== offset) return;
      if (before) this.offsets.set(key, before);
      else this.offsets.delete(key);
    };
  }

  row(): StateChange {
    const { before, ended, producer, startedMs, state, timeoutMs, updatedMs } = this;
    return this.rowOf({
      ...{ producer, timeoutMs, state, startedMs, updatedMs },
      partitions: Array.from(this.partitions.values(), ({ partition, topic }) => [topic, partition] as const),
      groups: [...this.groups],
      offsets: [...this.offsets.values()],
      ...(ended && { ended }),
      ...(before && { before }),
    });
  }

  /** As it is when the open transaction is over. */
  endedRow(ended: Ended, producer: Producer, updatedMs: number): StateChange {
    const { timeoutMs } = this;
    const state = ended.isCommit ? 'committed' : 'aborted';
    const nothing = { startedMs: -1, partitions: [], groups: [], offsets: [] };
    return this.rowOf({ producer, timeoutMs, state, updatedMs, ...nothing, ended });
  }

  deletion(): StateChange {
    return { table: TRANSACTIONS, key: transactionKey(this.namespace, this.id), value: undefined };
  }

  static restore(key: string, value: Uint8Array, tick: number): Transaction {
    const [namespace, id] = JSON.parse(key) as [string, string];
    const stored = JSON.parse(Buffer.from(value).toString()) as Stored;
    const transaction = new Transaction(namespace, id, stored.producer, stored.timeoutMs, stored.updatedMs);
    transaction.state = stored.state;
    transaction.startedMs = stored.startedMs;
    transaction.startedTick = tick;
    for (const [topic, partition] of stored.partitions) {
      transaction.addPartition(topic, partition);
      transaction.synced(topic, partition);
    }
    for (const group of stored.groups) transaction.groups.add(group);
    for (const offset of stored.offsets) transaction.addOffset(offset);
    transaction.ended = stored.ended;
    transaction.before = stored.before;
    return transaction;
  }

  private rowOf(stored: Stored): StateChange {
    const key = transactionKey(this.namespace, this.id);
    return { table: TRANSACTIONS, key, value: Buffer.from(JSON.stringify(stored)) };
  }
}

export function transactionKey(namespace: string, id: string): string {
  return JSON.stringify([namespace, id]);
}

export function isSame(a: Producer | undefined, b: Producer): boolean {
  return a?.producerId === b.producerId && a.producerEpoch === b.producerEpoch;
}

/** False when the epochs of the producer id are used up. */
export function hasNextEpoch({ producerEpoch }: Producer): boolean {
  return producerEpoch < LAST_EPOCH;
}

function placeKey(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
