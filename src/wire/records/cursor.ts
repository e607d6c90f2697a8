/**
 * Records of one batch, one after the other, without an object for any: the cursor's fields tell where key, value and
 * headers stand in `bytes`, which are the batch's own bytes or, when it was compressed, what they inflated to.
 *
 *   record: length varint · attributes i8 · timestampDelta varlong · offsetDelta varint · keyLength varint (-1 null) · key
 *           · valueLength varint (-1 null) · value · headerCount varint · { keyLength · key · valueLength (-1 null) · value }*
 *
 * Invariants
 * I1 every length is checked against the record's end, the record's against the batch's; what does not fit throws
 *    MR4003, and nothing was allocated for it.
 * I2 as many records are given as the header says, their offsets ascend within the batch, and nothing is left over:
 *    a header that lies about its records is told, not believed.
 */
import { decompress } from '../compression/index.ts';
import { wireErrors } from '../errors.ts';
import { ATTRIBUTE, BATCH_HEADER_BYTES, BatchHeader, CODEC } from './batch.ts';
import { VarintReader } from './varint.ts';

export class RecordCursor {
  /** What the positions refer to. */
  bytes: Uint8Array = new Uint8Array(0);
  offset = 0;
  timestamp = 0;
  keyStart = 0;
  /** -1 for null. */
  keyLength = -1;
  valueStart = 0;
  /** -1 for null. */
  valueLength = -1;
  headerCount = 0;
  private headersStart = 0;
  private next = 0;
  private end = 0;
  private remaining = 0;
  private baseOffset = 0;
  private lastOffset = 0;
  private baseTimestamp = 0;
  private appendTime = -1;
  private readonly varint = new VarintReader();
  private readonly header = new BatchHeader(new Uint8Array(0));

  /** Begins with the batch that `batch` holds. */
  open(batch: Uint8Array, inflatedBytesMax?: number): this {
    const header = this.header.reset(batch);
    if (!header.fits()) throw wireErrors.corruptBatch({ reason: 'cut short' });
    this.baseOffset = header.baseOffset;
    this.baseTimestamp = header.baseTimestamp;
    this.appendTime = (header.attributes & ATTRIBUTE.logAppendTime) !== 0 ? header.maxTimestamp : -1;
    this.lastOffset = header.lastOffset;
    this.offset = this.baseOffset - 1;
    this.remaining = header.recordCount;
    if (this.remaining < 0) this.fail(`a count of ${this.remaining} records`);
    const body = batch.subarray(BATCH_HEADER_BYTES, header.sizeBytes);
    if (header.codec === CODEC.none) {
      this.bytes = batch;
      this.next = BATCH_HEADER_BYTES;
      this.end = header.sizeBytes;
    } else {
      this.bytes = decompress(header.codec, body, inflatedBytesMax);
      this.next = 0;
      this.end = this.bytes.length;
    }
    return this;
  }

  /** False behind the last record. */
  advance(): boolean {
    if (this.remaining === 0) {
      if (this.next !== this.end) this.fail('bytes left over behind the last record');
      return false;
    }
    this.remaining--;
    let p = this.number(this.next, this.end);
    const end = p + this.varint.value;
    if (this.varint.value < 0 || end > this.end) this.fail('a record longer than its batch');
    this.next = end;
    p = this.number(p + 1, end);
    this.timestamp = this.appendTime >= 0 ? this.appendTime : this.baseTimestamp + this.varint.value;
    p = this.number(p, end);
    const offset = this.baseOffset + this.varint.value;
    if (offset <= this.offset || offset > this.lastOffset) this.fail('offsets out of order');
    this.offset = offset;
    p = this.number(p, end);
    this.keyLength = this.varint.value;
    this.keyStart = p;
    p = this.skip(p, end);
    p = this.number(p, end);
    this.valueLength = this.varint.value;
    this.valueStart = p;
    p = this.skip(p, end);
    p = this.number(p, end);
    this.headerCount = this.varint.value;
    this.headersStart = p;
    if (this.headerCount < 0 || this.headerCount * 2 > end - p) this.fail('more headers than the record can hold');
    if (this.headerCount === 0 && p !== end) this.fail('bytes left over behind a record');
    return true;
  }

  get key(): Uint8Array | null {
    return this.keyLength < 0 ? null : this.bytes.subarray(this.keyStart, this.keyStart + this.keyLength);
  }

  get value(): Uint8Array | null {
    return this.valueLength < 0 ? null : this.bytes.subarray(this.valueStart, this.valueStart + this.valueLength);
  }

  /** Headers of the record; made on each call. */
  headers(): [string, Uint8Array | null][] {
    const list: [string, Uint8Array | null][] = [];
    let p = this.headersStart;
    for (let i = 0; i < this.headerCount; i++) {
      p = this.number(p, this.next);
      const length = this.varint.value;
      const from = p;
      if (length < 0) this.fail('a header without a name');
      p = this.skip(p, this.next);
      const name = Buffer.from(this.bytes.subarray(from, p)).toString('utf8');
      p = this.number(p, this.next);
      const valueLength = this.varint.value;
      const valueFrom = p;
      p = this.skip(p, this.next);
      list.push([name, valueLength < 0 ? null : this.bytes.subarray(valueFrom, p)]);
    }
    if (p !== this.next) this.fail('bytes left over behind the headers');
    return list;
  }

  private number(at: number, end: number): number {
    const p = this.varint.read(this.bytes, at, end);
    return p < 0 ? this.fail('a varint beyond the end') : p;
  }

  /** Skips as many bytes as the varint just read says; -1 is null. */
  private skip(p: number, end: number): number {
    const length = this.varint.value;
    if (length < -1 || length > end - p) this.fail('a field longer than its record');
    return length < 0 ? p : p + length;
  }

  private fail(reason: string): never {
    throw wireErrors.corruptBatch({ reason });
  }
}
