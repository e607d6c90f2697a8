/**
 * The directory of a journal file: a row for every partition that had records when the file ended, whether or not any are
 * in the file. So one row tells on which side of the file an offset lies.
 *
 *   row   partition u32 · before: end i64, bytes i64, newest i64 · end i64 · bytes i64 · newest i64 · committed i64
 *         · position of its entries i64 · entries u32 · crc u32 of its entries        (see `Span` in file-index.ts)
 *
 * Invariants
 * I1 rows ascend by partition.
 */
import { readInt64, writeInt64 } from './bytes.ts';
import { firstThat } from './entries.ts';
import type { Span } from './file-index.ts';

export const ROW_BYTES = 76;

export interface Row extends Span {
  readonly partitionId: number;
  readonly entriesPosition: number;
  readonly entriesCount: number;
  readonly entriesCrc: number;
}

export class Directory {
  readonly count: number;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.count = bytes.length / ROW_BYTES;
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  find(partitionId: number): Row | undefined {
    const i = firstThat(0, this.count, row => this.bytes.readUInt32BE(row * ROW_BYTES) >= partitionId);
    if (i === this.count || this.bytes.readUInt32BE(i * ROW_BYTES) !== partitionId) return undefined;
    return decodeRow(this.bytes, i * ROW_BYTES);
  }

  *rows(): IterableIterator<Row> {
    for (let p = 0; p < this.bytes.length; p += ROW_BYTES) yield decodeRow(this.bytes, p);
  }
}

export function encodeRow(bytes: Buffer, p: number, row: Row): void {
  bytes.writeUInt32BE(row.partitionId, p);
  writeInt64(bytes, row.before.end, p + 4);
  writeInt64(bytes, row.before.bytes, p + 12);
  writeInt64(bytes, row.before.newest, p + 20);
  writeInt64(bytes, row.end, p + 28);
  writeInt64(bytes, row.bytes, p + 36);
  writeInt64(bytes, row.newest, p + 44);
  writeInt64(bytes, row.committed, p + 52);
  writeInt64(bytes, row.entriesPosition, p + 60);
  bytes.writeUInt32BE(row.entriesCount, p + 68);
  bytes.writeUInt32BE(row.entriesCrc, p + 72);
}

function decodeRow(bytes: Buffer, p: number): Row {
  return {
    partitionId: bytes.readUInt32BE(p),
    before: { end: readInt64(bytes, p + 4), bytes: readInt64(bytes, p + 12), newest: readInt64(bytes, p + 20) },
    end: readInt64(bytes, p + 28),
    bytes: readInt64(bytes, p + 36),
    newest: readInt64(bytes, p + 44),
    committed: readInt64(bytes, p + 52),
    entriesPosition: readInt64(bytes, p + 60),
    entriesCount: bytes.readUInt32BE(p + 68),
    entriesCrc: bytes.readUInt32BE(p + 72),
  };
}
