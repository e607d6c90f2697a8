/**
 * The footer of a sealed journal file: its index.
 *
 *   footer     entries of all parts, part by part · directory · trailer (28 bytes)
 *   entry      base offset i64 · last offset delta u32 · length u32 · position i64 · max timestamp i64
 *   directory  part*: partition u32 · first offset i64 · last offset i64 · max timestamp i64 · bytes i64
 *              · position of its entries i64 · entries u32 · crc u32 of its entries
 *   trailer    end of the frames i64 · position of the directory i64 · parts u32 · crc u32 of directory and trailer before
 *              · "MRFT"
 *
 * A start reads directories only; a part's entries are read when a reader first needs them.
 *
 * Invariants
 * I1 a footer repeats what the frames' tables say: absent or damaged it is rebuilt from them, never trusted.
 */
import type { File } from '../base/index.ts';
import { crc32c } from '../wire/records/index.ts';
import { readInt64, writeInt64 } from './bytes.ts';
import { Entries, type FileIndex, type Part } from './file-index.ts';

const ENTRY_BYTES = 32;
const PART_BYTES = 52;
const TRAILER_BYTES = 28;
const MAGIC = 0x4d524654;

export interface Footer {
  readonly bytes: Buffer;
  /** By partition number; entered into the parts when the footer is durable. */
  readonly stored: ReadonlyMap<number, { readonly position: number; readonly crc: number }>;
}

/** Footer to be written at the end of the file's frames. All entries must be in memory. */
export function encodeFooter(index: FileIndex): Footer {
  const { endPosition, parts } = index;
  let count = 0;
  for (const part of parts.values()) count += part.entriesCount;
  const directory = count * ENTRY_BYTES;
  const bytes = Buffer.alloc(directory + parts.size * PART_BYTES + TRAILER_BYTES);
  const stored = new Map<number, { position: number; crc: number }>();
  let p = 0;
  let d = directory;
  for (const [partitionId, part] of parts) {
    const start = p;
    p = encodeEntries(bytes, p, part.entries!);
    const place = { position: endPosition + start, crc: crc32c(bytes.subarray(start, p)) };
    stored.set(partitionId, place);
    bytes.writeUInt32BE(partitionId, d);
    writeInt64(bytes, part.firstOffset, d + 4);
    writeInt64(bytes, part.lastOffset, d + 12);
    writeInt64(bytes, part.maxTimestamp, d + 20);
    writeInt64(bytes, part.bytes, d + 28);
    writeInt64(bytes, place.position, d + 36);
    bytes.writeUInt32BE(part.entriesCount, d + 44);
    bytes.writeUInt32BE(place.crc, d + 48);
    d += PART_BYTES;
  }
  writeInt64(bytes, endPosition, d);
  writeInt64(bytes, endPosition + directory, d + 8);
  bytes.writeUInt32BE(parts.size, d + 16);
  bytes.writeUInt32BE(crc32c(bytes.subarray(directory, d + 20)), d + 20);
  bytes.writeUInt32BE(MAGIC, d + 24);
  return { bytes, stored };
}

/** Fills the index from the file's footer; false when it has none that can be trusted. */
export function readFooter(index: FileIndex, file: File): boolean {
  const size = file.size();
  if (size < TRAILER_BYTES) return false;
  const trailer = Buffer.alloc(TRAILER_BYTES);
  if (file.read(trailer, 0, TRAILER_BYTES, size - TRAILER_BYTES) !== TRAILER_BYTES) return false;
  if (trailer.readUInt32BE(24) !== MAGIC) return false;
  const end = readInt64(trailer, 0);
  const directory = readInt64(trailer, 8);
  const length = trailer.readUInt32BE(16) * PART_BYTES;
  if (end < 0 || directory < end || directory + length + TRAILER_BYTES !== size) return false;
  const bytes = Buffer.alloc(length + TRAILER_BYTES);
  if (file.read(bytes, 0, bytes.length, directory) !== bytes.length) return false;
  if (crc32c(bytes.subarray(0, length + 20)) !== trailer.readUInt32BE(20)) return false;
  index.endPosition = end;
  index.parts.clear();
  for (let d = 0; d < length; d += PART_BYTES) {
    index.parts.set(bytes.readUInt32BE(d), {
      firstOffset: readInt64(bytes, d + 4),
      lastOffset: readInt64(bytes, d + 12),
      maxTimestamp: readInt64(bytes, d + 20),
      bytes: readInt64(bytes, d + 28),
      entriesCount: bytes.readUInt32BE(d + 44),
      entries: undefined,
      stored: { position: readInt64(bytes, d + 36), crc: bytes.readUInt32BE(d + 48) },
    });
  }
  return true;
}

/** Entries of a part as the footer has them; undefined when they do not match their crc. */
export function readEntries(part: Part, file: File): Entries | undefined {
  if (!part.stored) return undefined;
  const bytes = Buffer.allocUnsafe(part.entriesCount * ENTRY_BYTES);
  if (file.read(bytes, 0, bytes.length, part.stored.position) !== bytes.length) return undefined;
  if (crc32c(bytes) !== part.stored.crc) return undefined;
  const entries = new Entries();
  for (let p = 0; p < bytes.length; p += ENTRY_BYTES) {
    const base = readInt64(bytes, p);
    entries.add(
      base,
      base + bytes.readUInt32BE(p + 8),
      readInt64(bytes, p + 16),
      bytes.readUInt32BE(p + 12),
      readInt64(bytes, p + 24),
    );
  }
  return entries;
}

function encodeEntries(bytes: Buffer, at: number, entries: Entries): number {
  let p = at;
  for (let i = 0; i < entries.count; i++) {
    const base = entries.baseOffsets[i]!;
    writeInt64(bytes, base, p);
    bytes.writeUInt32BE(entries.lastOffsets[i]! - base, p + 8);
    bytes.writeUInt32BE(entries.lengths[i]!, p + 12);
    writeInt64(bytes, entries.positions[i]!, p + 16);
    writeInt64(bytes, entries.maxTimestamps[i]!, p + 24);
    p += ENTRY_BYTES;
  }
  return p;
}
