/**
 * The footer of a sealed journal file: its index.
 *
 *   footer     entries of all parts, part by part (entries.ts) · directory (directory.ts) · trailer (28 bytes)
 *   trailer    end of the frames i64 · position of the directory i64 · rows u32 · crc u32 of directory and trailer before
 *              · "MRFT"
 *
 * Nothing of it is read at a start; the directory is when a reader first needs the file, and a part's entries when it
 * needs the part.
 *
 * Invariants
 * I1 a footer repeats what the frames' tables say: absent or damaged it is rebuilt from them, never trusted.
 */
import type { File } from '../base/index.ts';
import { crc32c } from '../wire/records/index.ts';
import { readInt64, writeInt64 } from './bytes.ts';
import { Directory, encodeRow, ROW_BYTES, type Row } from './directory.ts';
import { Entries, ENTRY_BYTES } from './entries.ts';
import type { FileIndex, History } from './file-index.ts';

const TRAILER_BYTES = 28;
const MAGIC = 0x4d524654;

export interface Footer {
  readonly bytes: Buffer;
  readonly directory: Directory;
}

/** Footer to be written at the end of the file's frames; `others` are the partitions without a part in the file. */
export function encodeFooter(index: FileIndex, others: Iterable<readonly [number, History]>): Footer {
  const parts = index.parts ?? new Map<number, never>();
  const rows: Row[] = [];
  for (const [partitionId, before] of others) {
    if (parts.has(partitionId) || before.end === 0) continue;
    const nothing = { bytes: 0, newest: -1, committed: 0, entriesPosition: 0, entriesCount: 0, entriesCrc: 0 };
    rows.push({ partitionId, before, end: before.end, ...nothing });
  }
  const entriesBytes = parts.values().reduce((sum, part) => sum + part.entries.sizeBytes, 0);
  const bytes = Buffer.alloc(entriesBytes + (rows.length + parts.size) * ROW_BYTES + TRAILER_BYTES);
  let p = 0;
  for (const [partitionId, { before, bytes: partBytes, committed, end, entries, newest }] of parts) {
    const start = p;
    entries.copyTo(bytes, p);
    p += entries.sizeBytes;
    rows.push({
      ...{ partitionId, before, end, bytes: partBytes, newest, committed },
      entriesPosition: index.endPosition + start,
      entriesCount: entries.count,
      entriesCrc: crc32c(bytes.subarray(start, p)),
    });
  }
  rows.sort((a, b) => a.partitionId - b.partitionId);
  for (const row of rows) {
    encodeRow(bytes, p, row);
    p += ROW_BYTES;
  }
  const directory = bytes.subarray(entriesBytes, p);
  writeInt64(bytes, index.endPosition, p);
  writeInt64(bytes, index.endPosition + entriesBytes, p + 8);
  bytes.writeUInt32BE(rows.length, p + 16);
  bytes.writeUInt32BE(crc32c(bytes.subarray(entriesBytes, p + 20)), p + 20);
  bytes.writeUInt32BE(MAGIC, p + 24);
  return { bytes, directory: new Directory(Buffer.from(directory)) };
}

/** The file's directory and where its frames end; undefined when it has no footer that can be trusted. */
export function readDirectory(file: File): { readonly directory: Directory; readonly end: number } | undefined {
  const size = file.size();
  if (size < TRAILER_BYTES) return undefined;
  const trailer = Buffer.alloc(TRAILER_BYTES);
  if (file.read(trailer, 0, TRAILER_BYTES, size - TRAILER_BYTES) !== TRAILER_BYTES) return undefined;
  if (trailer.readUInt32BE(24) !== MAGIC) return undefined;
  const end = readInt64(trailer, 0);
  const position = readInt64(trailer, 8);
  const length = trailer.readUInt32BE(16) * ROW_BYTES;
  if (end < 0 || position < end || position + length + TRAILER_BYTES !== size) return undefined;
  const bytes = Buffer.allocUnsafeSlow(length + TRAILER_BYTES);
  if (file.read(bytes, 0, bytes.length, position) !== bytes.length) return undefined;
  if (crc32c(bytes.subarray(0, length + 20)) !== trailer.readUInt32BE(20)) return undefined;
  return { directory: new Directory(bytes.subarray(0, length)), end };
}

/** Entries as the footer has them; undefined when they do not match their crc. */
export function readEntries(row: Row, file: File): Entries | undefined {
  const length = row.entriesCount * ENTRY_BYTES;
  if (row.entriesPosition < 0 || row.entriesPosition + length > file.size()) return undefined;
  const bytes = Buffer.allocUnsafeSlow(length);
  if (file.read(bytes, 0, bytes.length, row.entriesPosition) !== bytes.length) return undefined;
  return crc32c(bytes) === row.entriesCrc ? Entries.of(bytes) : undefined;
}
