/**
 * The index of one journal file: for each partition the batches that lie in it.
 *
 *   part      what a partition has in a file: offsets, times, bytes, and its entries
 *   entries   five parallel arrays: base offset, last offset, position, length, max timestamp
 *
 *   footer of a sealed file   entries of all partitions · directory: partition u32, first offset f64, last offset f64, max
 *                             timestamp f64, bytes f64, entries u32, position of its entries f64 (44 bytes each)
 *                             · trailer: directory position f64 · parts u32 · crc u32 of directory and entries · "MRFT"
 *
 * A footer is a copy of what the frames' tables say: absent or damaged it is rebuilt from them, never trusted.
 *
 * Invariants
 * I1 entries of a part ascend in offset and do not overlap.
 * I2 sealed files keep their parts' summaries in memory; entries are read when first needed and may be dropped again.
 */
import type { File } from '../base/index.ts';
import { crc32c } from '../wire/records/index.ts';
import { asBuffer } from './frame.ts';

const ENTRY_BYTES = 40;
const PART_BYTES = 44;
const TRAILER_BYTES = 24;
const FOOTER_MAGIC = 0x4d524654;

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
  entries: Entries | undefined;
  /** Where the entries stand in the footer, and how many they are. */
  entriesPosition: number;
  entriesCount: number;
}

export class FileIndex {
  readonly sequence: number;
  readonly path: string;
  /** End of the frames; the footer begins here in a sealed file. */
  endPosition: number;
  isSealed = false;
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
        entries: new Entries(),
        entriesPosition: 0,
        entriesCount: 0,
      };
      this.parts.set(partitionId, part);
    }
    part.lastOffset = lastOffset;
    part.maxTimestamp = Math.max(part.maxTimestamp, maxTimestamp);
    part.bytes += length;
    part.entries!.add(baseOffset, lastOffset, position, length, maxTimestamp);
    part.entriesCount++;
  }

  /** Entries of a part, read from the footer if they are not in memory. */
  entriesOf(part: Part, file: () => File): Entries {
    if (part.entries) return part.entries;
    const bytes = Buffer.allocUnsafe(part.entriesCount * ENTRY_BYTES);
    file().read(bytes, 0, bytes.length, part.entriesPosition);
    part.entries = new Entries();
    for (let p = 0; p < bytes.length; p += ENTRY_BYTES) {
      part.entries.add(
        bytes.readDoubleBE(p),
        bytes.readDoubleBE(p + 8),
        bytes.readDoubleBE(p + 16),
        bytes.readDoubleBE(p + 24),
        bytes.readDoubleBE(p + 32),
      );
    }
    return part.entries;
  }

  /** Footer bytes to be written at `endPosition`. All entries are in memory while a file is active. */
  encodeFooter(): Uint8Array {
    const count = [...this.parts.values()].reduce((sum, part) => sum + part.entriesCount, 0);
    const directory = count * ENTRY_BYTES;
    const bytes = Buffer.alloc(directory + this.parts.size * PART_BYTES + TRAILER_BYTES);
    let p = 0;
    let d = directory;
    for (const [partitionId, part] of this.parts) {
      part.entriesPosition = this.endPosition + p;
      bytes.writeUInt32BE(partitionId, d);
      bytes.writeDoubleBE(part.firstOffset, d + 4);
      bytes.writeDoubleBE(part.lastOffset, d + 12);
      bytes.writeDoubleBE(part.maxTimestamp, d + 20);
      bytes.writeDoubleBE(part.bytes, d + 28);
      bytes.writeDoubleBE(part.entriesPosition, d + 36);
      d += PART_BYTES;
      p = encodeEntries(bytes, p, part.entries!);
    }
    bytes.writeDoubleBE(this.endPosition, d);
    bytes.writeUInt32BE(this.parts.size, d + 8);
    bytes.writeUInt32BE(count, d + 12);
    bytes.writeUInt32BE(crc32c(bytes.subarray(0, d + 16)), d + 16);
    bytes.writeUInt32BE(FOOTER_MAGIC, d + 20);
    return bytes;
  }

  /** Reads the footer of a sealed file; undefined when it is absent or damaged. */
  static fromFooter(sequence: number, path: string, file: File): FileIndex | undefined {
    const size = file.size();
    if (size < TRAILER_BYTES) return undefined;
    const trailer = Buffer.alloc(TRAILER_BYTES);
    file.read(trailer, 0, TRAILER_BYTES, size - TRAILER_BYTES);
    if (trailer.readUInt32BE(20) !== FOOTER_MAGIC) return undefined;
    const start = trailer.readDoubleBE(0);
    const parts = trailer.readUInt32BE(8);
    const length = trailer.readUInt32BE(12) * ENTRY_BYTES + parts * PART_BYTES + TRAILER_BYTES;
    if (start + length !== size) return undefined;
    const bytes = Buffer.alloc(length);
    if (file.read(bytes, 0, length, start) !== length) return undefined;
    if (crc32c(bytes.subarray(0, length - 8)) !== trailer.readUInt32BE(16)) return undefined;
    return FileIndex.decode(sequence, path, start, asBuffer(bytes), parts);
  }

  private static decode(sequence: number, path: string, start: number, bytes: Buffer, parts: number): FileIndex {
    const index = new FileIndex(sequence, path, start);
    index.isSealed = true;
    const directory = bytes.length - TRAILER_BYTES - parts * PART_BYTES;
    for (let i = 0; i < parts; i++) {
      const d = directory + i * PART_BYTES;
      const entriesPosition = bytes.readDoubleBE(d + 36);
      const next = i + 1 < parts ? bytes.readDoubleBE(d + PART_BYTES + 36) : start + directory;
      index.parts.set(bytes.readUInt32BE(d), {
        firstOffset: bytes.readDoubleBE(d + 4),
        lastOffset: bytes.readDoubleBE(d + 12),
        maxTimestamp: bytes.readDoubleBE(d + 20),
        bytes: bytes.readDoubleBE(d + 28),
        entries: undefined,
        entriesPosition,
        entriesCount: (next - entriesPosition) / ENTRY_BYTES,
      });
    }
    return index;
  }
}

function encodeEntries(bytes: Buffer, at: number, entries: Entries): number {
  let p = at;
  for (let i = 0; i < entries.count; i++) {
    bytes.writeDoubleBE(entries.baseOffsets[i]!, p);
    bytes.writeDoubleBE(entries.lastOffsets[i]!, p + 8);
    bytes.writeDoubleBE(entries.positions[i]!, p + 16);
    bytes.writeDoubleBE(entries.lengths[i]!, p + 24);
    bytes.writeDoubleBE(entries.maxTimestamps[i]!, p + 32);
    p += ENTRY_BYTES;
  }
  return p;
}
