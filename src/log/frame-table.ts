/**
 * Reading the table of a frame (its form: frame.ts): first whether it is one of ours, then entry by entry, in place and
 * without an object for any, since a start goes through all of them.
 */
import { BATCH_HEADER_BYTES, BATCH_OVERHEAD_BYTES, crc32c } from '../wire/records/index.ts';
import { asBuffer, readInt64 } from './bytes.ts';
import { isCheckpoint } from './checkpoint.ts';
import { BATCH_PREFIX_BYTES, ENTRY, FRAME_HEAD_BYTES, type FrameHead } from './frame.ts';
import type { StateChange } from './state-tables.ts';

const PREFIX = 21;
/** In the prefix: the length behind itself, and the crc of all behind the prefix. */
const PREFIX_LENGTH = PREFIX + 8;
const PREFIX_CRC = PREFIX + 17;

/** Why the table of a frame whose crc matches is none of ours; undefined when it is one. */
export function tableDefect(frame: Uint8Array, { bodyBytes, entries, headBytes }: FrameHead): string | undefined {
  const buffer = asBuffer(frame);
  let p = FRAME_HEAD_BYTES;
  let bodies = 0;
  /** Behind a block; beyond the table when it does not fit. */
  const behindBlock = (at: number, canBeMissing: boolean): number => {
    if (at + 4 > headBytes) return Number.POSITIVE_INFINITY;
    const length = buffer.readInt32BE(at);
    return length < 0 ? (canBeMissing ? at + 4 : Number.POSITIVE_INFINITY) : at + 4 + length;
  };
  for (let i = 0; i < entries; i++) {
    const kind = p < headBytes ? buffer[p] : undefined;
    if (kind === ENTRY.append || kind === ENTRY.produced) {
      const end = p + (kind === ENTRY.produced ? ENTRY.producedBytes : ENTRY.appendBytes);
      if (end <= headBytes) bodies += buffer.readUInt32BE(p + 17);
      p = end;
    } else if (kind === ENTRY.state) p = behindBlock(behindBlock(behindBlock(p + 1, false), false), true);
    else if (kind === ENTRY.checkpoint) {
      const end = behindBlock(p + 1, false);
      if (end > headBytes || !isCheckpoint(buffer.subarray(p + 5, end))) {
        return `entry ${i} is a checkpoint that cannot be read`;
      }
      p = end;
    } else return `entry ${i} is of kind ${kind}`;
    if (p > headBytes) return `entry ${i} is longer than the table`;
  }
  return p === headBytes && bodies === bodyBytes ? undefined : 'the entries do not add up to the frame';
}

/** Entries of a frame in which there is no defect; the fields say what stands at the one it is on. */
export class TableCursor {
  kind: 'append' | 'state' | 'checkpoint' = 'append';
  /** Of an append, and where its batch lies in the file. */
  partitionId = 0;
  baseOffset = 0;
  lastOffset = 0;
  /** See `Entries`. */
  time = 0;
  length = 0;
  position = 0;
  /** -1 when the producer is not idempotent. */
  producerId = -1;
  producerEpoch = -1;
  baseSequence = -1;
  private bytes: Buffer = Buffer.alloc(0);
  private remaining = 0;
  private start = 0;
  private next = 0;
  private body = 0;

  /** `frame` holds head and table, and is copied; `position` is the frame's. */
  open(frame: Uint8Array, head: FrameHead, position: number): this {
    if (this.bytes.length < head.headBytes) this.bytes = Buffer.allocUnsafe(head.headBytes);
    this.bytes.set(frame.subarray(0, head.headBytes));
    this.remaining = head.entries;
    this.next = FRAME_HEAD_BYTES;
    this.body = position + head.headBytes;
    return this;
  }

  /** False behind the last entry. */
  advance(): boolean {
    if (this.remaining === 0) return false;
    this.remaining--;
    const { bytes, next: p } = this;
    this.start = p;
    const kind = bytes[p]!;
    if (kind === ENTRY.append || kind === ENTRY.produced) this.onAppend(bytes, p, kind === ENTRY.produced);
    else if (kind === ENTRY.state) {
      this.kind = 'state';
      this.next = this.behindBlock(this.behindBlock(this.behindBlock(p + 1)));
    } else {
      this.kind = 'checkpoint';
      this.next = this.behindBlock(p + 1);
    }
    return true;
  }

  /** Of a state; a view, valid until the next frame. */
  get change(): StateChange {
    const key = this.behindBlock(this.start + 1);
    const table = String(this.block(this.start + 1));
    return { table, key: String(this.block(key)), value: this.block(this.behindBlock(key)) };
  }

  /** Of a checkpoint; a view, valid until the next frame. */
  get checkpoint(): Uint8Array {
    return this.block(this.start + 1)!;
  }

  /** Whether the batch that was read is the append's. */
  isBatch(batch: Uint8Array): boolean {
    const { bytes, length, start } = this;
    if (batch.length !== length || length < BATCH_HEADER_BYTES) return false;
    if (bytes.readInt32BE(start + PREFIX_LENGTH) + BATCH_OVERHEAD_BYTES !== length) return false;
    for (let i = 0; i < BATCH_PREFIX_BYTES; i++) if (batch[i] !== bytes[start + PREFIX + i]) return false;
    return crc32c(batch.subarray(BATCH_PREFIX_BYTES)) === bytes.readUInt32BE(start + PREFIX_CRC);
  }

  private onAppend(bytes: Buffer, p: number, isProduced: boolean): void {
    this.kind = 'append';
    this.partitionId = bytes.readUInt32BE(p + 1);
    this.baseOffset = readInt64(bytes, p + PREFIX);
    this.lastOffset = this.baseOffset + bytes.readUInt32BE(p + 5);
    this.time = readInt64(bytes, p + 9);
    this.length = bytes.readUInt32BE(p + 17);
    this.position = this.body;
    this.body += this.length;
    this.next = p + (isProduced ? ENTRY.producedBytes : ENTRY.appendBytes);
    this.producerId = isProduced ? readInt64(bytes, p + ENTRY.appendBytes) : -1;
    this.producerEpoch = isProduced ? bytes.readInt16BE(p + ENTRY.appendBytes + 8) : -1;
    this.baseSequence = isProduced ? bytes.readInt32BE(p + ENTRY.appendBytes + 10) : -1;
  }

  private block(at: number): Buffer | undefined {
    const length = this.bytes.readInt32BE(at);
    return length < 0 ? undefined : this.bytes.subarray(at + 4, at + 4 + length);
  }

  private behindBlock(at: number): number {
    return at + 4 + Math.max(0, this.bytes.readInt32BE(at));
  }
}
