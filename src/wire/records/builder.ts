/**
 * Builds one record batch: records are written straight into a growing buffer behind the room for the header; `finish`
 * compresses them if asked for, fills the header and seals it.
 *
 * Invariants
 * I1 what `finish` returns passes `validateBatch`.
 * I2 compression that does not pay is not used: the batch then says `none`.
 */
import { compress } from '../compression/index.ts';
import { ATTRIBUTE, BATCH_HEADER_BYTES, BATCH_OVERHEAD_BYTES, BatchHeader, CODEC, type CodecName } from './batch.ts';
import { varintSize, writeVarint } from './varint.ts';

export type RecordHeaders = readonly (readonly [string, Uint8Array | null])[];

const NO_HEADERS: RecordHeaders = [];
const NO_NAMES: readonly Uint8Array[] = [];
/** Varints and attributes of a record's own framing, at most. */
const FRAMING_BYTES = 48;

export class RecordBatchBuilder {
  private bytes: Buffer;
  private position = BATCH_HEADER_BYTES;
  private baseTimestamp = 0;
  private maxTimestamp = 0;
  recordCount = 0;

  constructor(capacity = 16_384) {
    this.bytes = Buffer.allocUnsafeSlow(Math.max(capacity, BATCH_HEADER_BYTES + FRAMING_BYTES));
  }

  /** Bytes so far, header included, uncompressed. */
  get sizeBytes(): number {
    return this.position;
  }

  /** Upper bound of what a record adds. */
  static estimate(key: Uint8Array | null, value: Uint8Array | null, headers: RecordHeaders = NO_HEADERS): number {
    let size = FRAMING_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
    for (const [name, bytes] of headers) size += 10 + name.length * 3 + (bytes?.length ?? 0);
    return size;
  }

  append(
    timestampMs: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: RecordHeaders = NO_HEADERS,
  ): void {
    if (this.recordCount === 0) {
      this.baseTimestamp = timestampMs;
      this.maxTimestamp = timestampMs;
    } else if (timestampMs > this.maxTimestamp) this.maxTimestamp = timestampMs;
    const timestampDelta = timestampMs - this.baseTimestamp;
    const names = headers.length === 0 ? NO_NAMES : headers.map(([name]) => Buffer.from(name));
    const length = recordLength(timestampDelta, this.recordCount, key, value, headers, names);
    this.reserve(length + 10);
    const { bytes } = this;
    let p = writeVarint(bytes, this.position, length);
    bytes[p++] = 0;
    p = writeVarint(bytes, p, timestampDelta);
    p = writeVarint(bytes, p, this.recordCount);
    p = this.field(p, key);
    p = this.field(p, value);
    p = writeVarint(bytes, p, headers.length);
    for (let i = 0; i < headers.length; i++) {
      p = this.field(p, names[i]!);
      p = this.field(p, headers[i]![1]);
    }
    this.position = p;
    this.recordCount++;
  }

  /** The finished batch with base offset 0; the builder is not used again. */
  finish(
    options: {
      readonly codec?: CodecName;
      readonly producerId?: number;
      readonly producerEpoch?: number;
      readonly baseSequence?: number;
      readonly isTransactional?: boolean;
      readonly isControl?: boolean;
      /** False leaves producer and checksum to whoever sends it (`BatchHeader.setProducer`). Default true. */
      readonly isSealed?: boolean;
    } = {},
  ): Uint8Array {
    let codec: number = CODEC[options.codec ?? 'none'];
    let batch = this.bytes.subarray(0, this.position);
    if (codec !== CODEC.none) {
      const packed = compress(codec, this.bytes.subarray(BATCH_HEADER_BYTES, this.position));
      if (packed.length < this.position - BATCH_HEADER_BYTES) {
        batch = Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES + packed.length);
        batch.set(packed, BATCH_HEADER_BYTES);
      } else codec = CODEC.none;
    }
    batch.writeBigInt64BE(0n, 0);
    batch.writeInt32BE(batch.length - BATCH_OVERHEAD_BYTES, 8);
    batch.writeInt32BE(-1, 12);
    batch.writeInt8(2, 16);
    const flags = (options.isTransactional ? ATTRIBUTE.transactional : 0) | (options.isControl ? ATTRIBUTE.control : 0);
    batch.writeInt16BE(codec | flags, 21);
    batch.writeInt32BE(this.recordCount - 1, 23);
    batch.writeBigInt64BE(BigInt(this.baseTimestamp), 27);
    batch.writeBigInt64BE(BigInt(this.maxTimestamp), 35);
    batch.writeInt32BE(this.recordCount, 57);
    if (options.isSealed === false) return batch;
    new BatchHeader(batch).setProducer(
      options.producerId ?? -1,
      options.producerEpoch ?? -1,
      options.baseSequence ?? -1,
    );
    return batch;
  }

  private field(at: number, value: Uint8Array | null): number {
    if (value === null) return writeVarint(this.bytes, at, -1);
    const p = writeVarint(this.bytes, at, value.length);
    this.bytes.set(value, p);
    return p + value.length;
  }

  private reserve(length: number): void {
    const needed = this.position + length;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.position);
    this.bytes = grown;
  }
}

/** Bytes of a record behind its own length. */
function recordLength(
  timestampDelta: number,
  offsetDelta: number,
  key: Uint8Array | null,
  value: Uint8Array | null,
  headers: RecordHeaders,
  names: readonly Uint8Array[],
): number {
  let length = 1 + varintSize(timestampDelta) + varintSize(offsetDelta) + fieldSize(key) + fieldSize(value);
  length += varintSize(headers.length);
  for (let i = 0; i < headers.length; i++) length += fieldSize(names[i]!) + fieldSize(headers[i]![1]);
  return length;
}

function fieldSize(value: Uint8Array | null): number {
  return value === null ? 1 : varintSize(value.length) + value.length;
}
