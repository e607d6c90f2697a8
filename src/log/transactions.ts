/**
 * Transactions as partitions see them: which producers have one open and since which offset, and which were aborted.
 *
 *   table `open-transactions`      key partition number/producer id     value: first offset i64
 *   table `aborted-transactions`   key partition number/marker offset   value: producer id i64 · first offset i64
 *
 * A row is made in the frame of the transaction's first batch, and taken away in the frame of its marker, so what the
 * tables say and what the partitions hold cannot differ. As every journal file begins with all tables, nothing is looked
 * for in batches at a start, and the aborted index needs no place in the footers. Rows of aborted transactions go when
 * the partition's start has moved past their marker.
 *
 *   marker   control batch of one record: key version i16 = 0 · type i16 (0 abort, 1 commit),
 *            value version i16 = 0 · coordinator epoch i32
 *
 * Invariants
 * I1 a transaction is entered when its first offset is reserved; a failed commit takes back what it had entered
 *    (`forgetUnsynced`).
 * I2 nothing at or behind the last stable offset is decided; it moves when markers are durable.
 */
import { RecordBatchBuilder } from '../wire/records/index.ts';
import { asBuffer, readInt64, writeInt64 } from './bytes.ts';
import { firstThat } from './entries.ts';
import type { Partition } from './partition.ts';
import type { StateChange, StateTables } from './state-tables.ts';

const OPEN = 'open-transactions';
const ABORTED = 'aborted-transactions';
const NONE: readonly AbortedTransaction[] = [];

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  /** Of its marker. */
  readonly lastOffset: number;
}

/** Those of one partition. */
export class PartitionTransactions {
  /** First offsets by producer id, ascending. */
  private readonly open = new Map<number, number>();
  /** By ascending marker. */
  private aborted: AbortedTransaction[] = [];

  /** Infinity when none is open. */
  get firstOpenOffset(): number {
    for (const offset of this.open.values()) return offset;
    return Number.POSITIVE_INFINITY;
  }

  /** Where the producer's open transaction begins. */
  openSince(producerId: number): number | undefined {
    return this.open.get(producerId);
  }

  /** Those that have anything between the two offsets; `to` is not included. */
  abortedIn(from: number, to: number): readonly AbortedTransaction[] {
    const { aborted } = this;
    if (aborted.length === 0) return NONE;
    const first = firstThat(0, aborted.length, i => aborted[i]!.lastOffset >= from);
    return aborted.slice(first).filter(({ firstOffset }) => firstOffset < to);
  }

  /** @internal */
  begin(producerId: number, offset: number): void {
    this.open.set(producerId, offset);
  }

  /** @internal */
  forgetUnsynced(syncedEnd: number): void {
    for (const [producerId, offset] of this.open) if (offset >= syncedEnd) this.open.delete(producerId);
  }

  /** @internal the marker is durable */
  end(producerId: number, aborted: AbortedTransaction | undefined): void {
    this.open.delete(producerId);
    if (aborted) this.aborted.push(aborted);
  }

  /** @internal */
  endedBefore(offset: number): readonly AbortedTransaction[] {
    return this.aborted.slice(0, this.countBefore(offset));
  }

  /** @internal */
  forgetBefore(offset: number): void {
    this.aborted = this.aborted.slice(this.countBefore(offset));
  }

  /** @internal */
  all(): { readonly open: Iterable<number>; readonly aborted: readonly AbortedTransaction[] } {
    return { open: this.open.keys(), aborted: this.aborted };
  }

  /** @internal rows come in any order */
  restore(open: readonly (readonly [number, number])[], aborted: readonly AbortedTransaction[]): void {
    for (const [producerId, offset] of open.toSorted((a, b) => a[1] - b[1])) this.open.set(producerId, offset);
    this.aborted = aborted.toSorted((a, b) => a.lastOffset - b.lastOffset);
  }

  private countBefore(offset: number): number {
    return firstThat(0, this.aborted.length, i => this.aborted[i]!.lastOffset >= offset);
  }
}

/** Their rows in the state tables. */
export class TransactionRows {
  private readonly states: StateTables;
  private readonly partitions: ReadonlyMap<number, Partition>;
  private readonly change: (states: readonly StateChange[]) => Promise<void>;

  constructor(
    states: StateTables,
    partitions: ReadonlyMap<number, Partition>,
    change: (states: readonly StateChange[]) => Promise<void>,
  ) {
    this.states = states;
    this.partitions = partitions;
    this.change = change;
  }

  /** Fills the partitions. Returns the rows of partitions that are gone. */
  restore(): StateChange[] {
    const orphans: StateChange[] = [];
    const found = new Map<Partition, { open: [number, number][]; aborted: AbortedTransaction[] }>();
    const rowsOf = (
      table: string,
      key: string,
    ): { open: [number, number][]; aborted: AbortedTransaction[] } | undefined => {
      const partition = this.partitions.get(Number(key.split('/')[0]));
      if (!partition) {
        orphans.push({ table, key, value: undefined });
        return undefined;
      }
      const rows = found.get(partition) ?? { open: [], aborted: [] };
      found.set(partition, rows);
      return rows;
    };
    for (const [key, value] of this.states.entries(OPEN)) {
      rowsOf(OPEN, key)?.open.push([Number(key.split('/')[1]), readInt64(asBuffer(value), 0)]);
    }
    for (const [key, value] of this.states.entries(ABORTED)) {
      const bytes = asBuffer(value);
      rowsOf(ABORTED, key)?.aborted.push({
        producerId: readInt64(bytes, 0),
        firstOffset: readInt64(bytes, 8),
        lastOffset: Number(key.split('/')[1]),
      });
    }
    for (const [partition, { aborted, open }] of found) partition.transactions.restore(open, aborted);
    return orphans;
  }

  /** Rows of transactions that retention has done away with. */
  async forgetOld(): Promise<void> {
    const old = [...this.partitions.values()].flatMap(partition => {
      const { startOffset } = partition;
      const rows = partition.transactions.endedBefore(startOffset).map(ended => abortedRow(partition, ended, false));
      return rows.length > 0 ? [{ partition, rows, startOffset }] : [];
    });
    if (old.length === 0) return;
    await this.change(old.flatMap(({ rows }) => rows));
    for (const { partition, startOffset } of old) partition.transactions.forgetBefore(startOffset);
  }

  /** The partitions are gone. */
  async forget(partitions: readonly Partition[]): Promise<void> {
    const rows = partitions.flatMap(partition => {
      const { aborted, open } = partition.transactions.all();
      return [
        ...Array.from(open, producerId => openRow(partition, producerId, undefined)),
        ...aborted.map(ended => abortedRow(partition, ended, false)),
      ];
    });
    if (rows.length > 0) await this.change(rows);
  }
}

/** Undefined takes it away. */
export function openRow({ id }: Partition, producerId: number, firstOffset: number | undefined): StateChange {
  const key = `${id}/${producerId}`;
  if (firstOffset === undefined) return { table: OPEN, key, value: undefined };
  const value = Buffer.alloc(8);
  writeInt64(value, firstOffset, 0);
  return { table: OPEN, key, value };
}

function abortedRow({ id }: Partition, ended: AbortedTransaction, isKept = true): StateChange {
  const key = `${id}/${ended.lastOffset}`;
  if (!isKept) return { table: ABORTED, key, value: undefined };
  const value = Buffer.alloc(16);
  writeInt64(value, ended.producerId, 0);
  writeInt64(value, ended.firstOffset, 8);
  return { table: ABORTED, key, value };
}

interface Open {
  readonly partition: Partition;
  readonly firstOffset: number;
}

/** Those of the partitions in which the producer has a transaction open. */
export function openIn({ producerId }: { readonly producerId: number }, partitions: readonly Partition[]): Open[] {
  return partitions.flatMap(partition => {
    const firstOffset = partition.transactions.openSince(producerId);
    return firstOffset === undefined || partition.topic.isDeleted ? [] : [{ partition, firstOffset }];
  });
}

/** What one frame ends the transaction with; `applied` when it is durable. */
export function endingOf<Part extends { readonly lastOffset: number }>(
  { producerId }: { readonly producerId: number },
  open: readonly Open[],
  isCommit: boolean,
  place: (partition: Partition) => Part,
): { readonly appends: readonly Part[]; readonly rows: readonly StateChange[]; applied(): void } {
  const ended = open.map(({ firstOffset, partition }) => {
    // Markers are no part of the producer's sequence.
    const append = { ...place(partition), producerId: -1 };
    const aborted = isCommit ? undefined : { producerId, firstOffset, lastOffset: append.lastOffset };
    return { partition, aborted, append };
  });
  return {
    appends: ended.map(({ append }) => append),
    rows: ended.flatMap(({ aborted, partition }) => {
      const closed = openRow(partition, producerId, undefined);
      return aborted ? [closed, abortedRow(partition, aborted)] : [closed];
    }),
    applied: () => {
      for (const { aborted, partition } of ended) partition.transactions.end(producerId, aborted);
    },
  };
}

export function markerBatch(
  producer: { readonly producerId: number; readonly producerEpoch: number },
  isCommit: boolean,
  nowMs: number,
): Uint8Array {
  const builder = new RecordBatchBuilder(128);
  const key = Buffer.alloc(4);
  key.writeInt16BE(isCommit ? 1 : 0, 2);
  builder.append(nowMs, key, Buffer.alloc(6));
  return builder.finish({ ...producer, baseSequence: -1, isTransactional: true, isControl: true });
}
