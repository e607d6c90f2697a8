/**
 * The index of one journal file: for each partition the batches that lie in it.
 *
 *   part      what a partition has in a file: offsets, times, bytes, and its entries
 *   entries   five parallel arrays: base offset, last offset, position, length, max timestamp
 *
 * Invariants
 * I1 entries of a part ascend in offset and do not overlap.
 * I2 parts stay in memory; the entries of a sealed file are read from its footer when needed (index-cache.ts).
 */
export class Entries {
  readonly baseOffsets: number[] = [];
  readonly lastOffsets: number[] = [];
  readonly positions: number[] = [];
  readonly lengths: number[] = [];
  readonly maxTimestamps: number[] = [];

  get count(): number {
    return this.baseOffsets.length;
  }

  add(baseOffset: number, lastOffset: number, position: number, length: number, maxTimestamp: number): void {
    this.baseOffsets.push(baseOffset);
    this.lastOffsets.push(lastOffset);
    this.positions.push(position);
    this.lengths.push(length);
    this.maxTimestamps.push(maxTimestamp);
  }

  /** First entry whose last offset is at or behind `offset`; `count` when there is none. */
  find(offset: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.lastOffsets[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export interface Part {
  firstOffset: number;
  lastOffset: number;
  maxTimestamp: number;
  bytes: number;
  entriesCount: number;
  entries: Entries | undefined;
  /** Where the footer has the entries, and their crc; undefined when they are in memory only. */
  stored: { readonly position: number; readonly crc: number } | undefined;
}

export class FileIndex {
  readonly sequence: number;
  readonly path: string;
  /** End of the frames; the footer begins here in a sealed file. */
  endPosition: number;
  readonly parts = new Map<number, Part>();

  constructor(sequence: number, path: string, endPosition: number) {
    this.sequence = sequence;
    this.path = path;
    this.endPosition = endPosition;
  }

  add(
    partitionId: number,
    baseOffset: number,
    lastOffset: number,
    position: number,
    length: number,
    maxTimestamp: number,
  ): void {
    let part = this.parts.get(partitionId);
    if (!part) {
      part = {
        firstOffset: baseOffset,
        lastOffset,
        maxTimestamp,
        bytes: 0,
        entriesCount: 0,
        entries: new Entries(),
        stored: undefined,
      };
      this.parts.set(partitionId, part);
    }
    part.lastOffset = lastOffset;
    part.maxTimestamp = Math.max(part.maxTimestamp, maxTimestamp);
    part.bytes += length;
    part.entriesCount++;
    part.entries!.add(baseOffset, lastOffset, position, length, maxTimestamp);
  }
}
