/**
 * Where the batches of one partition lie in one journal file. The form in memory is the form in the footer, so a footer
 * is read without making an object of any entry.
 *
 *   entry   base offset i64 · last offset delta u32 · length u32 · position i64 · time i64
 *   time    greatest timestamp of the batch's records; of a batch without timestamps minus the time of its commit, which
 *           retention goes by and no search by time finds
 *
 * Invariants
 * I1 entries ascend in offset and do not overlap.
 */
import { readInt64, writeInt64 } from './bytes.ts';

export const ENTRY_BYTES = 32;
const START_ENTRIES = 4;

export class Entries {
  count: number;
  private bytes: Buffer;
  /** Greatest time up to each entry; made by searches by time. */
  private readonly timesSoFar: number[] = [];

  constructor(bytes: Buffer = Buffer.allocUnsafe(START_ENTRIES * ENTRY_BYTES), count = 0) {
    this.bytes = bytes;
    this.count = count;
  }

  /** Of entries as they are in a footer. */
  static of(bytes: Buffer): Entries {
    return new Entries(bytes, bytes.length / ENTRY_BYTES);
  }

  get sizeBytes(): number {
    return this.count * ENTRY_BYTES;
  }

  add(baseOffset: number, lastOffset: number, position: number, length: number, time: number): void {
    const p = this.count * ENTRY_BYTES;
    if (p === this.bytes.length) {
      const grown = Buffer.allocUnsafe(p * 2);
      this.bytes.copy(grown);
      this.bytes = grown;
    }
    const { bytes } = this;
    writeInt64(bytes, baseOffset, p);
    bytes.writeUInt32BE(lastOffset - baseOffset, p + 8);
    bytes.writeUInt32BE(length, p + 12);
    writeInt64(bytes, position, p + 16);
    writeInt64(bytes, time, p + 24);
    this.count++;
  }

  baseOffset(i: number): number {
    return readInt64(this.bytes, i * ENTRY_BYTES);
  }

  lastOffset(i: number): number {
    return readInt64(this.bytes, i * ENTRY_BYTES) + this.bytes.readUInt32BE(i * ENTRY_BYTES + 8);
  }

  length(i: number): number {
    return this.bytes.readUInt32BE(i * ENTRY_BYTES + 12);
  }

  position(i: number): number {
    return readInt64(this.bytes, i * ENTRY_BYTES + 16);
  }

  time(i: number): number {
    return readInt64(this.bytes, i * ENTRY_BYTES + 24);
  }

  /** First entry whose last offset is at or behind `offset`; `count` when there is none. */
  find(offset: number): number {
    return firstThat(0, this.count, i => this.lastOffset(i) >= offset);
  }

  /** First entry from `from` on with a record at or behind the time; `count` when there is none. */
  findTime(from: number, time: number): number {
    const { count, timesSoFar } = this;
    for (let i = timesSoFar.length; i < count; i++) timesSoFar.push(Math.max(this.time(i), timesSoFar[i - 1] ?? -1));
    if (from === 0 || timesSoFar[from - 1]! < time) return firstThat(from, count, i => timesSoFar[i]! >= time);
    // Something before `from` is as new: what was seen so far says nothing about the rest.
    for (let i = from; i < count; i++) if (this.time(i) >= time) return i;
    return count;
  }

  copyTo(target: Buffer, at: number): void {
    this.bytes.copy(target, at, 0, this.sizeBytes);
  }
}

/** Least number in [low, high) that fits, `high` when none does; all behind the first one that fits must fit. */
export function firstThat(low: number, high: number, fits: (i: number) => boolean): number {
  let from = low;
  let to = high;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (fits(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}
