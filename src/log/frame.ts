/**
 * Frames of a journal file: one for each group commit.
 *
 *   file    header (32 bytes) · frame* · [footer, see footer.ts]
 *   header  "MRJ1" · format u32 = 3 · file sequence u32 · zero u32 · created i64 (ms) · zero u32 · crc u32 of the 28 bytes before
 *   frame   head (40 bytes) · table · bodies
 *   head     0 "MRFR" · 4 crc u32 · 8 file sequence u32 · 12 table bytes u32 · 16 entries u32 · 20 body bytes u32
 *           24 lsn i64 · 32 position in the file i64
 *   table   entry*: kind u8 · …
 *     1 APPEND      partition u32 · last offset delta u32 · time i64 (entries.ts) · length u32 · first 21 bytes of the batch
 *     2 PRODUCED    as APPEND · producer id i64 · epoch i16 · base sequence i32: a batch of an idempotent producer
 *     3 STATE       table name, key, value: each length i32 · bytes; the value's length is -1 when the key is deleted
 *     4 CHECKPOINT  length i32 · bytes, see checkpoint.ts; first entry of a file, all state tables follow it
 *   bodies  the record batches in the order of their entries, which are grouped by partition
 *
 * The crc (CRC-32C) covers the head behind it and the table. File sequence and position are part of the head, so a frame
 * copied to another place does not pass for one. A batch is covered by its own crc from byte 21 on; its first 21 bytes,
 * that crc among them, stand in the table. So every byte is summed once, and recovery reads tables only, but for the
 * last frame.
 *
 * Written: format 3. Read: format 3.
 *
 * Invariants
 * I1 frames of a file follow each other without gaps, their lsn counts up by one.
 * I2 a frame is synced before the next is written: only the last frame of the last file can be torn.
 */
import { assert } from '../base/index.ts';
import { crc32c } from '../wire/records/index.ts';
import { asBuffer, readInt64, writeInt64 } from './bytes.ts';
import type { Staging } from './staging.ts';

export const FILE_HEADER_BYTES = 32;
export const FRAME_HEAD_BYTES = 40;
export const BATCH_PREFIX_BYTES = 21;
const FILE_MAGIC = 0x4d524a31;
const FRAME_MAGIC = 0x4d524652;
export const FRAME_MAGIC_TEXT = 'MRFR';
const FORMAT = 3;

const APPEND_BYTES = 1 + 4 + 4 + 8 + 4 + BATCH_PREFIX_BYTES;

/** Kinds of entries, and the sizes of those that have one. */
export const ENTRY = {
  append: 1,
  produced: 2,
  state: 3,
  checkpoint: 4,
  appendBytes: APPEND_BYTES,
  producedBytes: APPEND_BYTES + 8 + 2 + 4,
} as const;

export function encodeFileHeader(target: Buffer, at: number, sequence: number, createdMs: number): void {
  target.fill(0, at, at + FILE_HEADER_BYTES);
  target.writeUInt32BE(FILE_MAGIC, at);
  target.writeUInt32BE(FORMAT, at + 4);
  target.writeUInt32BE(sequence, at + 8);
  writeInt64(target, Math.floor(createdMs), at + 16);
  target.writeUInt32BE(crc32c(target.subarray(at, at + 28)), at + 28);
}

/** The file's sequence, or why the header is none; with `format` when another version wrote it. */
export function decodeFileHeader(
  bytes: Uint8Array,
): { readonly sequence: number } | { readonly defect: string; readonly format?: number } {
  const buffer = asBuffer(bytes);
  if (buffer.length < FILE_HEADER_BYTES) return { defect: 'shorter than a file header' };
  if (buffer.readUInt32BE(0) !== FILE_MAGIC) return { defect: 'no journal file' };
  if (crc32c(buffer.subarray(0, 28)) !== buffer.readUInt32BE(28)) {
    return { defect: 'the file header’s crc does not match' };
  }
  const format = buffer.readUInt32BE(4);
  if (format !== FORMAT) return { defect: `format ${format}, this version reads ${FORMAT}`, format };
  return { sequence: buffer.readUInt32BE(8) };
}

/** Lays one frame's head and table out in the staging; the bodies are the caller's to add behind. */
export class FrameBuilder {
  private readonly staging: Staging;
  private readonly start: number;
  private entries = 0;
  private bodyBytes = 0;

  constructor(staging: Staging) {
    this.staging = staging;
    this.start = staging.reserve(FRAME_HEAD_BYTES);
  }

  append(
    partitionId: number,
    lastOffsetDelta: number,
    time: number,
    batch: Uint8Array,
    producer: { readonly producerId: number; readonly producerEpoch: number; readonly baseSequence: number },
  ): void {
    const isProduced = producer.producerId >= 0;
    const p = this.staging.reserve(isProduced ? ENTRY.producedBytes : ENTRY.appendBytes);
    const { buffer } = this.staging;
    buffer[p] = isProduced ? ENTRY.produced : ENTRY.append;
    buffer.writeUInt32BE(partitionId, p + 1);
    buffer.writeUInt32BE(lastOffsetDelta, p + 5);
    writeInt64(buffer, time, p + 9);
    buffer.writeUInt32BE(batch.length, p + 17);
    buffer.set(batch.subarray(0, BATCH_PREFIX_BYTES), p + 21);
    if (isProduced) {
      writeInt64(buffer, producer.producerId, p + APPEND_BYTES);
      buffer.writeInt16BE(producer.producerEpoch, p + APPEND_BYTES + 8);
      buffer.writeInt32BE(producer.baseSequence, p + APPEND_BYTES + 10);
    }
    this.entries++;
    this.bodyBytes += batch.length;
  }

  state(table: string, key: string, value: Uint8Array | undefined): void {
    this.kind(ENTRY.state);
    this.block(Buffer.from(table));
    this.block(Buffer.from(key));
    this.block(value);
  }

  checkpoint(value: Uint8Array): void {
    this.kind(ENTRY.checkpoint);
    this.block(value);
  }

  /** Completes the head; returns the bytes of head and table. */
  finish(fileSequence: number, lsn: number, position: number): number {
    const { buffer, length } = this.staging;
    const { start } = this;
    assert(this.bodyBytes < 2 ** 32, 'a frame of 4 GiB: the bound on pending bytes does not hold');
    buffer.writeUInt32BE(FRAME_MAGIC, start);
    buffer.writeUInt32BE(fileSequence, start + 8);
    buffer.writeUInt32BE(length - start - FRAME_HEAD_BYTES, start + 12);
    buffer.writeUInt32BE(this.entries, start + 16);
    buffer.writeUInt32BE(this.bodyBytes, start + 20);
    writeInt64(buffer, lsn, start + 24);
    writeInt64(buffer, position, start + 32);
    buffer.writeUInt32BE(crc32c(buffer.subarray(start + 8, length)), start + 4);
    return length - start;
  }

  private kind(kind: number): void {
    const p = this.staging.reserve(1);
    this.staging.buffer[p] = kind;
    this.entries++;
  }

  private block(value: Uint8Array | undefined): void {
    const p = this.staging.reserve(4 + (value?.length ?? 0));
    this.staging.buffer.writeInt32BE(value ? value.length : -1, p);
    if (value) this.staging.buffer.set(value, p + 4);
  }
}

export interface FrameHead {
  readonly lsn: number;
  /** Head and table. */
  readonly headBytes: number;
  readonly entries: number;
  readonly bodyBytes: number;
  /** Head, table and bodies. */
  readonly totalBytes: number;
}

/** Head of a frame; undefined when none of this file and place stands there. Says nothing about the table yet. */
export function decodeFrameHead(bytes: Uint8Array, fileSequence: number, position: number): FrameHead | undefined {
  const buffer = asBuffer(bytes);
  if (buffer.length < FRAME_HEAD_BYTES || buffer.readUInt32BE(0) !== FRAME_MAGIC) return undefined;
  if (buffer.readUInt32BE(8) !== fileSequence || readInt64(buffer, 32) !== position) return undefined;
  const headBytes = FRAME_HEAD_BYTES + buffer.readUInt32BE(12);
  const bodyBytes = buffer.readUInt32BE(20);
  return {
    lsn: readInt64(buffer, 24),
    headBytes,
    entries: buffer.readUInt32BE(16),
    bodyBytes,
    totalBytes: headBytes + bodyBytes,
  };
}

/** `head` is head and table. */
export function isFrameIntact(head: Uint8Array): boolean {
  const buffer = asBuffer(head);
  return buffer.readUInt32BE(4) === crc32c(buffer.subarray(8));
}
