/**
 * Frames of a journal file: one for each group commit.
 *
 *   file    header (32 bytes) · frame* · [footer, see footer.ts]
 *   header  "MRJ1" · format u32 = 1 · file sequence u32 · zero u32 · created i64 (ms) · zero u32 · crc u32 of the 28 bytes before
 *   frame   "MRFR" · file sequence u32 · lsn u48 in 8 bytes · table bytes u32 · entries u32 · body bytes u32 · crc u32 · table · bodies
 *   table   entry*: kind u8 · …
 *     1 APPEND      partition u32 · last offset delta u32 · max timestamp i64 · length u32 · first 21 bytes of the batch
 *     2 STATE       table name string · key string · value (i32 length, -1 deleted · bytes)
 *     3 CHECKPOINT  i32 length · bytes: everything that is not a state table, see checkpoint.ts; first frame of a file
 *   bodies  the record batches in the order of the APPEND entries, which are grouped by partition
 *
 *   crc     CRC-32C over the frame header up to the crc and the table, seeded with file sequence and position, so that a frame
 *           copied to another place does not pass for one
 *
 * A batch is covered by its own crc from byte 21 on; its first 21 bytes, that crc among them, stand in the table. So
 * every byte is summed once, and recovery reads tables only, but for the last frame.
 *
 * Invariants
 * I1 frames of a file follow each other without gaps, their lsn counts up by one.
 * I2 a frame is synced before the next is written: only the last frame of the last file can be torn.
 */
import { assert } from '../base/index.ts';
import { crc32c } from '../wire/records/index.ts';

export const FILE_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 32;
export const BATCH_PREFIX_BYTES = 21;
const FILE_MAGIC = 0x4d524a31;
const FRAME_MAGIC = 0x4d524652;
const FORMAT = 1;

const APPEND = 1;
const STATE = 2;
const CHECKPOINT = 3;
const APPEND_BYTES = 1 + 4 + 4 + 8 + 4 + BATCH_PREFIX_BYTES;

export type FrameEntry =
  | {
      readonly kind: 'append';
      readonly partitionId: number;
      readonly baseOffset: number;
      readonly lastOffset: number;
      readonly maxTimestamp: number;
      readonly length: number;
      readonly prefix: Uint8Array;
    }
  | { readonly kind: 'state'; readonly table: string; readonly key: string; readonly value: Uint8Array | undefined }
  | { readonly kind: 'checkpoint'; readonly bytes: Uint8Array };

export function encodeFileHeader(sequence: number, createdMs: number): Uint8Array {
  const bytes = Buffer.alloc(FILE_HEADER_BYTES);
  bytes.writeUInt32BE(FILE_MAGIC, 0);
  bytes.writeUInt32BE(FORMAT, 4);
  bytes.writeUInt32BE(sequence, 8);
  bytes.writeDoubleBE(createdMs, 16);
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, 28)), 28);
  return bytes;
}

/** The file's sequence, or why the header is none. */
export function decodeFileHeader(bytes: Uint8Array): { readonly sequence: number } | { readonly defect: string } {
  const buffer = asBuffer(bytes);
  if (buffer.length < FILE_HEADER_BYTES) return { defect: 'shorter than a file header' };
  if (buffer.readUInt32BE(0) !== FILE_MAGIC) return { defect: 'no journal file' };
  if (crc32c(buffer.subarray(0, 28)) !== buffer.readUInt32BE(28))
    return { defect: 'the file header’s crc does not match' };
  if (buffer.readUInt32BE(4) !== FORMAT)
    return { defect: `format ${buffer.readUInt32BE(4)}, this version reads ${FORMAT}` };
  return { sequence: buffer.readUInt32BE(8) };
}

/** Collects one frame's table; the bodies are the caller's. */
export class FrameBuilder {
  private bytes = Buffer.allocUnsafeSlow(4_096);
  private position = FRAME_HEADER_BYTES;
  private entries = 0;
  private bodyBytes = 0;

  append(partitionId: number, lastOffsetDelta: number, maxTimestamp: number, batch: Uint8Array): void {
    let p = this.reserve(APPEND_BYTES);
    const { bytes } = this;
    bytes[p] = APPEND;
    bytes.writeUInt32BE(partitionId, p + 1);
    bytes.writeUInt32BE(lastOffsetDelta, p + 5);
    bytes.writeDoubleBE(maxTimestamp, p + 9);
    bytes.writeUInt32BE(batch.length, p + 17);
    p += 21;
    bytes.set(batch.subarray(0, BATCH_PREFIX_BYTES), p);
    this.entries++;
    this.bodyBytes += batch.length;
  }

  state(table: string, key: string, value: Uint8Array | undefined): void {
    this.reserve(1);
    this.bytes[this.position - 1] = STATE;
    this.block(Buffer.from(table));
    this.block(Buffer.from(key));
    this.block(value);
    this.entries++;
  }

  checkpoint(value: Uint8Array): void {
    this.reserve(1);
    this.bytes[this.position - 1] = CHECKPOINT;
    this.block(value);
    this.entries++;
  }

  /** Header and table; `bodyBytes` of bodies follow. */
  finish(
    fileSequence: number,
    lsn: number,
    position: number,
  ): { readonly head: Uint8Array; readonly bodyBytes: number } {
    const { bytes } = this;
    bytes.writeUInt32BE(FRAME_MAGIC, 0);
    bytes.writeUInt32BE(fileSequence, 4);
    bytes.writeDoubleBE(lsn, 8);
    bytes.writeUInt32BE(this.position - FRAME_HEADER_BYTES, 16);
    bytes.writeUInt32BE(this.entries, 20);
    bytes.writeUInt32BE(this.bodyBytes, 24);
    const head = bytes.subarray(0, this.position);
    bytes.writeUInt32BE(frameCrc(head, fileSequence, position), 28);
    return { head, bodyBytes: this.bodyBytes };
  }

  private block(value: Uint8Array | undefined): void {
    const p = this.reserve(4 + (value?.length ?? 0));
    this.bytes.writeInt32BE(value ? value.length : -1, p);
    if (value) this.bytes.set(value, p + 4);
  }

  private reserve(length: number): number {
    const at = this.position;
    this.position += length;
    if (this.position > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.position, this.bytes.length * 2));
      this.bytes.copy(grown, 0, 0, at);
      this.bytes = grown;
    }
    return at;
  }
}

export interface FrameHeader {
  readonly lsn: number;
  readonly tableBytes: number;
  readonly entries: number;
  readonly bodyBytes: number;
  /** Header, table and bodies. */
  readonly totalBytes: number;
}

/** Header of a frame; undefined when there is none of this file at this place. Says nothing about the table yet. */
export function decodeFrameHeader(bytes: Uint8Array, fileSequence: number): FrameHeader | undefined {
  const buffer = asBuffer(bytes);
  if (buffer.length < FRAME_HEADER_BYTES || buffer.readUInt32BE(0) !== FRAME_MAGIC) return undefined;
  if (buffer.readUInt32BE(4) !== fileSequence) return undefined;
  const tableBytes = buffer.readUInt32BE(16);
  const bodyBytes = buffer.readUInt32BE(24);
  return {
    lsn: buffer.readDoubleBE(8),
    tableBytes,
    entries: buffer.readUInt32BE(20),
    bodyBytes,
    totalBytes: FRAME_HEADER_BYTES + tableBytes + bodyBytes,
  };
}

/** `head` is header and table. */
export function isFrameIntact(head: Uint8Array, fileSequence: number, position: number): boolean {
  return asBuffer(head).readUInt32BE(28) === frameCrc(head, fileSequence, position);
}

/** Entries of an intact frame. */
export function decodeEntries(head: Uint8Array, count: number): FrameEntry[] {
  const buffer = asBuffer(head);
  let p = FRAME_HEADER_BYTES;
  const block = (): Uint8Array | undefined => {
    const length = buffer.readInt32BE(p);
    p += 4;
    if (length < 0) return undefined;
    p += length;
    return buffer.subarray(p - length, p);
  };
  const entries: FrameEntry[] = [];
  for (let i = 0; i < count; i++) {
    const kind = buffer[p++];
    if (kind === APPEND) {
      const prefix = buffer.subarray(p + 20, p + 20 + BATCH_PREFIX_BYTES);
      const baseOffset = prefix.readInt32BE(0) * 0x1_0000_0000 + prefix.readUInt32BE(4);
      entries.push({
        kind: 'append',
        partitionId: buffer.readUInt32BE(p),
        baseOffset,
        lastOffset: baseOffset + buffer.readUInt32BE(p + 4),
        maxTimestamp: buffer.readDoubleBE(p + 8),
        length: buffer.readUInt32BE(p + 16),
        prefix,
      });
      p += APPEND_BYTES - 1;
    } else if (kind === STATE) {
      const table = block();
      const key = block();
      entries.push({ kind: 'state', table: String(table), key: String(key), value: block() });
    } else {
      assert(kind === CHECKPOINT, `I1: unknown entry kind ${kind} in an intact frame`);
      entries.push({ kind: 'checkpoint', bytes: block() ?? new Uint8Array(0) });
    }
  }
  return entries;
}

function frameCrc(head: Uint8Array, fileSequence: number, position: number): number {
  const seed = Buffer.allocUnsafe(12);
  seed.writeUInt32BE(fileSequence, 0);
  seed.writeDoubleBE(position, 4);
  return crc32c(Buffer.concat([seed, head.subarray(0, 28), head.subarray(FRAME_HEADER_BYTES)]));
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
}
