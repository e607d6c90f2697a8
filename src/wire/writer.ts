/**
 * Writes protocol primitives into pieces: small things into a buffer of its own, record data as the views that it was
 * given, so that a fetched batch travels from file or arena to socket without being copied.
 *
 * Invariants
 * I1 what is written reads back as it was, or the writer throws MR4009; numbers are the caller's to keep in range.
 * I2 `finish` gives all bytes in order; views handed in must not change before the pieces were sent.
 */
import { wireErrors } from './errors.ts';
import type { Records } from './types.ts';

const CHUNK_BYTES = 512;
/** Record data up to this size is cheaper to copy than to send as a piece of its own. */
const COPY_BYTES_MAX = 1_024;
/** Of strings in versions that are not flexible: their length has 16 bits. */
const STRING_BYTES_MAX = 0x7fff;

export class Writer {
  private buffer: Buffer;
  private view: DataView;
  private position = 0;
  private start = 0;
  private readonly pieces: Uint8Array[] = [];
  private finished = 0;

  constructor(bytes: number = CHUNK_BYTES) {
    this.buffer = Buffer.allocUnsafeSlow(bytes);
    this.view = new DataView(this.buffer.buffer);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.finished + this.position - this.start;
  }

  bool(value: boolean): void {
    this.int8(value ? 1 : 0);
  }

  int8(value: number): void {
    const at = this.reserve(1);
    this.view.setInt8(at, value);
  }

  int16(value: number): void {
    const at = this.reserve(2);
    this.view.setInt16(at, value);
  }

  uint16(value: number): void {
    const at = this.reserve(2);
    this.view.setUint16(at, value);
  }

  int32(value: number): void {
    const at = this.reserve(4);
    this.view.setInt32(at, value);
  }

  int64(value: number): void {
    const at = this.reserve(8);
    if (value >= 2 ** 63) {
      this.view.setInt32(at, 0x7fff_ffff);
      this.view.setInt32(at + 4, -1);
      return;
    }
    const high = Math.floor(value / 0x1_0000_0000);
    this.view.setInt32(at, high);
    this.view.setUint32(at + 4, value - high * 0x1_0000_0000);
  }

  float64(value: number): void {
    const at = this.reserve(8);
    this.view.setFloat64(at, value);
  }

  uuid(value: string): void {
    const at = this.reserve(16);
    this.buffer.write(value, at, 16, 'hex');
  }

  uvarint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      const at = this.reserve(1);
      this.view.setUint8(at, (rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    const at = this.reserve(1);
    this.view.setUint8(at, rest);
  }

  nullableString(value: string | null, isCompact: boolean): void {
    if (value === null) {
      if (isCompact) this.uvarint(0);
      else this.int16(-1);
      return;
    }
    const length = Buffer.byteLength(value);
    if (isCompact) this.uvarint(length + 1);
    else if (length > STRING_BYTES_MAX) throw wireErrors.cannotEncode({ reason: `a string of ${length} bytes` });
    else this.int16(length);
    const at = this.reserve(length);
    this.buffer.write(value, at, length, 'utf8');
  }

  nullableBytes(value: Uint8Array | null, isCompact: boolean): void {
    if (value === null) {
      if (isCompact) this.uvarint(0);
      else this.int32(-1);
      return;
    }
    if (isCompact) this.uvarint(value.length + 1);
    else this.int32(value.length);
    this.raw(value);
  }

  /** Record data, as one view or as pieces that follow each other. */
  records(value: Records | null, isCompact: boolean): void {
    if (value === null || value instanceof Uint8Array) {
      this.nullableBytes(value, isCompact);
      return;
    }
    const length = value.reduce((sum, piece) => sum + piece.length, 0);
    if (isCompact) this.uvarint(length + 1);
    else this.int32(length);
    for (const piece of value) this.raw(piece);
  }

  /** Count of an array, -1 for null. */
  count(value: number, isCompact: boolean): void {
    if (isCompact) this.uvarint(value + 1);
    else this.int32(value);
  }

  raw(bytes: Uint8Array): void {
    if (bytes.length > COPY_BYTES_MAX) {
      this.cut();
      this.pieces.push(bytes);
      this.finished += bytes.length;
      return;
    }
    const at = this.reserve(bytes.length);
    this.buffer.set(bytes, at);
  }

  /** All pieces in order. The writer is not used again. */
  finish(): Uint8Array[] {
    this.cut();
    return this.pieces;
  }

  private cut(): void {
    if (this.position === this.start) return;
    this.pieces.push(this.buffer.subarray(this.start, this.position));
    this.finished += this.position - this.start;
    this.start = this.position;
  }

  private reserve(length: number): number {
    const at = this.position;
    if (at + length <= this.buffer.length) {
      this.position = at + length;
      return at;
    }
    this.cut();
    this.buffer = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, length));
    this.view = new DataView(this.buffer.buffer);
    this.start = 0;
    this.position = length;
    return 0;
  }
}
