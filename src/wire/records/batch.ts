/**
 * Record batch v2: the header in place, without touching records.
 *
 *    0 baseOffset i64 · 8 batchLength i32 (bytes after this field) · 12 partitionLeaderEpoch i32 · 16 magic i8 = 2
 *   17 crc u32 (CRC-32C of everything from the attributes on) · 21 attributes i16 · 23 lastOffsetDelta i32
 *   27 baseTimestamp i64 · 35 maxTimestamp i64 · 43 producerId i64 · 51 producerEpoch i16 · 53 baseSequence i32
 *   57 recordCount i32 · 61 records (compressed as a whole)
 *
 *   attributes: bits 0–2 codec, bit 3 timestamp type (1 log append), bit 4 transactional, bit 5 control
 *
 * The crc leaves out base offset, length, leader epoch and magic, so a broker writes those in place without hashing.
 *
 * Invariants
 * I1 nothing is read beyond the bytes given; a length that does not fit is a defect, never an allocation.
 */
import { wireErrors } from '../errors.ts';
import { crc32c } from './crc.ts';
import { recordsDefect } from './structure.ts';

export const BATCH_HEADER_BYTES = 61;
/** Bytes in front of `batchLength`'s end: base offset and the length itself. */
export const BATCH_OVERHEAD_BYTES = 12;
const CRC_START = 21;

export const CODEC = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;
export type CodecName = keyof typeof CODEC;

export const ATTRIBUTE = { codecMask: 7, logAppendTime: 8, transactional: 16, control: 32, deleteHorizon: 64 } as const;

/** Fields of the batch at `offset` of a buffer; move it along with `at`. */
export class BatchHeader {
  private view: DataView;
  private bytes: Uint8Array;
  private start = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The same object at another place. */
  at(start: number): this {
    this.start = start;
    return this;
  }

  reset(bytes: Uint8Array): this {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.start = 0;
    return this;
  }

  get baseOffset(): number {
    return this.int64(0);
  }
  set baseOffset(value: number) {
    this.setInt64(0, value);
  }
  get batchLength(): number {
    return this.view.getInt32(this.start + 8);
  }
  /** Bytes of the whole batch. */
  get sizeBytes(): number {
    return this.batchLength + BATCH_OVERHEAD_BYTES;
  }
  get partitionLeaderEpoch(): number {
    return this.view.getInt32(this.start + 12);
  }
  set partitionLeaderEpoch(value: number) {
    this.view.setInt32(this.start + 12, value);
  }
  get magic(): number {
    return this.view.getInt8(this.start + 16);
  }
  get crc(): number {
    return this.view.getUint32(this.start + 17);
  }
  get attributes(): number {
    return this.view.getInt16(this.start + 21);
  }
  get codec(): number {
    return this.attributes & ATTRIBUTE.codecMask;
  }
  get isTransactional(): boolean {
    return (this.attributes & ATTRIBUTE.transactional) !== 0;
  }
  get isControl(): boolean {
    return (this.attributes & ATTRIBUTE.control) !== 0;
  }
  get isLogAppendTime(): boolean {
    return (this.attributes & ATTRIBUTE.logAppendTime) !== 0;
  }
  get lastOffsetDelta(): number {
    return this.view.getInt32(this.start + 23);
  }
  get lastOffset(): number {
    return this.baseOffset + this.lastOffsetDelta;
  }
  get baseTimestamp(): number {
    return this.int64(27);
  }
  get maxTimestamp(): number {
    return this.int64(35);
  }
  get producerId(): number {
    return this.int64(43);
  }
  get producerEpoch(): number {
    return this.view.getInt16(this.start + 51);
  }
  get baseSequence(): number {
    return this.view.getInt32(this.start + 53);
  }
  get recordCount(): number {
    return this.view.getInt32(this.start + 57);
  }

  /** Sets who sent it and seals it anew. */
  setProducer(producerId: number, producerEpoch: number, baseSequence: number): void {
    this.setInt64(43, producerId);
    this.view.setInt16(this.start + 51, producerEpoch);
    this.view.setInt32(this.start + 53, baseSequence);
    this.seal();
  }

  /** The broker's time in place of the client's. */
  setLogAppendTime(timestampMs: number): void {
    this.view.setInt16(this.start + 21, this.attributes | ATTRIBUTE.logAppendTime);
    this.setInt64(35, timestampMs);
    this.seal();
  }

  /** Writes the crc of what stands there. */
  seal(): void {
    this.view.setUint32(this.start + 17, this.computeCrc());
  }

  computeCrc(): number {
    return crc32c(this.bytes.subarray(this.start + CRC_START, this.start + this.sizeBytes));
  }

  /** True when a whole batch stands here: header and body fit. */
  fits(): boolean {
    const rest = this.bytes.length - this.start;
    return (
      rest >= BATCH_HEADER_BYTES &&
      this.batchLength >= BATCH_HEADER_BYTES - BATCH_OVERHEAD_BYTES &&
      this.sizeBytes <= rest
    );
  }

  private int64(at: number): number {
    const p = this.start + at;
    return this.view.getInt32(p) * 0x1_0000_0000 + this.view.getUint32(p + 4);
  }

  private setInt64(at: number, value: number): void {
    const p = this.start + at;
    const high = Math.floor(value / 0x1_0000_0000);
    this.view.setInt32(p, high);
    this.view.setUint32(p + 4, value - high * 0x1_0000_0000);
  }
}

/** Whole batches that lie side by side, from one offset to another. */
export interface BatchRange {
  readonly baseOffset: number;
  readonly lastOffset: number;
}

/** What is wrong with stored batches, and at which offset; undefined when all are there and match their crcs. */
export function storedDefect(
  bytes: Uint8Array,
  { baseOffset, lastOffset }: BatchRange,
  header = new BatchHeader(bytes),
): { readonly offset: number; readonly reason: string } | undefined {
  let next = baseOffset;
  for (let at = 0; at < bytes.length; at += header.sizeBytes) {
    header.at(at);
    const isExpected = header.fits() && header.magic === 2 && header.baseOffset === next;
    if (!isExpected || header.lastOffset < next) return { offset: next, reason: 'another header stands there' };
    if (header.computeCrc() !== header.crc) return { offset: next, reason: 'its crc does not match' };
    next = header.lastOffset + 1;
  }
  return next === lastOffset + 1 ? undefined : { offset: next, reason: 'the bytes end before it' };
}

/** Refuses stored batches that are not what was written (MR4003). `path` and `position` are theirs. */
export function expectStored(
  bytes: Uint8Array,
  range: BatchRange & { readonly path: string; readonly position: number },
): void {
  const defect = storedDefect(bytes, range);
  if (!defect) return;
  const { offset, reason } = defect;
  const place = `${range.path}, in the batches from byte ${range.position} on`;
  throw wireErrors.corruptBatch({ reason: `${reason}, at offset ${offset} (${place})` });
}

/** What is wrong with a batch that a producer sent: Kafka's error name and a sentence; undefined when all is well. */
export interface BatchDefect {
  readonly error:
    | 'CORRUPT_MESSAGE'
    | 'INVALID_RECORD'
    | 'UNSUPPORTED_FOR_MESSAGE_FORMAT'
    | 'UNSUPPORTED_COMPRESSION_TYPE'
    | 'INVALID_TIMESTAMP';
  readonly reason: string;
}

/**
 * Checks the one batch that `bytes` must hold, as a broker does before it stores it. Of compressed records only the crc
 * is checked: they are not inflated for it, and who reads them finds what is wrong with them.
 */
export function validateBatch(bytes: Uint8Array, header = new BatchHeader(bytes)): BatchDefect | undefined {
  const corrupt = (reason: string): BatchDefect => ({ error: 'CORRUPT_MESSAGE', reason });
  const invalid = (reason: string): BatchDefect => ({ error: 'INVALID_RECORD', reason });
  if (bytes.length < 17) return corrupt('shorter than a batch header');
  if (header.magic < 2) {
    return {
      error: 'UNSUPPORTED_FOR_MESSAGE_FORMAT',
      reason: `message format ${header.magic} in a request of version 3 or later`,
    };
  }
  if (header.magic > 2) return corrupt(`unknown magic ${header.magic}`);
  if (!header.fits()) return corrupt('the batch is cut short or its length is wrong');
  if (header.sizeBytes !== bytes.length) return invalid('a partition takes exactly one batch in a request');
  if (header.computeCrc() !== header.crc) return corrupt('the crc does not match');
  if (header.codec > CODEC.zstd) return { error: 'UNSUPPORTED_COMPRESSION_TYPE', reason: `codec ${header.codec}` };
  if (header.recordCount <= 0) return invalid('a batch without records');
  if (header.lastOffsetDelta !== header.recordCount - 1) return invalid('offsets in the batch have gaps');
  if (header.isControl) return invalid('control batches are the broker’s own');
  if (header.isLogAppendTime) return { error: 'INVALID_TIMESTAMP', reason: 'log append time is the broker’s to set' };
  if (header.producerId >= 0 && (header.producerEpoch < 0 || header.baseSequence < 0)) {
    return invalid('a producer id without epoch and sequence');
  }
  if (!Number.isSafeInteger(header.producerId)) return invalid('a producer id beyond 2^53');
  if (!Number.isSafeInteger(header.baseTimestamp) || !Number.isSafeInteger(header.maxTimestamp)) {
    return { error: 'INVALID_TIMESTAMP', reason: 'a timestamp beyond 2^53' };
  }
  if (header.codec !== CODEC.none) return undefined;
  const defect = recordsDefect(bytes, BATCH_HEADER_BYTES, bytes.length, header.recordCount);
  return defect === undefined ? undefined : invalid(defect);
}
