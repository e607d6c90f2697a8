/**
 * Reads protocol primitives from a frame, which may be a view of the shared arena.
 *
 *   int8 … int64, uint16, float64   big-endian
 *   string, bytes                   i16 or i32 length, -1 null; compact: unsigned varint of length + 1, 0 null
 *   array                           i32 count, -1 null; compact: unsigned varint of count + 1, 0 null
 *   uvarint                         LEB128, at most 5 bytes
 *
 * Invariants
 * I1 nothing is read beyond the frame, and nothing is allocated for a length or count that the frame cannot hold. So what a
 *    message takes in memory is at most a constant times its frame, and for elements of arrays, which may take sixty times
 *    their bytes, no more than `elementsMax` of them.
 * I2 64-bit integers beyond 2^53 are refused: no real offset, time or id is there, and numbers stay exact.
 */
import { wireErrors } from './errors.ts';

/** More than any client asks for in one request; about 100 MB of objects at most. */
const ELEMENTS_MAX = 1_000_000;

export class Reader {
  private readonly buffer: Buffer;
  private readonly view: DataView;
  private readonly length: number;
  private readonly elementsMax: number;
  private elements = 0;
  position = 0;

  /** `elementsMax` bounds the elements of all arrays of the message together. */
  constructor(bytes: Uint8Array, elementsMax: number = ELEMENTS_MAX) {
    this.buffer = Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.length = bytes.byteLength;
    this.elementsMax = elementsMax;
  }

  get remaining(): number {
    return this.length - this.position;
  }

  bool(): boolean {
    return this.int8() !== 0;
  }

  int8(): number {
    return this.view.getInt8(this.advance(1));
  }

  int16(): number {
    return this.view.getInt16(this.advance(2));
  }

  uint16(): number {
    return this.view.getUint16(this.advance(2));
  }

  int32(): number {
    return this.view.getInt32(this.advance(4));
  }

  int64(): number {
    const at = this.advance(8);
    const value = this.view.getInt32(at) * 0x1_0000_0000 + this.view.getUint32(at + 4);
    // Kafka marks "none" and "unlimited" with the extremes of int64; both survive as the nearest double.
    if (!Number.isSafeInteger(value) && value !== 2 ** 63 && value !== -(2 ** 63))
      this.fail('64-bit integer beyond 2^53');
    return value;
  }

  float64(): number {
    return this.view.getFloat64(this.advance(8));
  }

  uuid(): string {
    const at = this.advance(16);
    return this.buffer.toString('hex', at, at + 16);
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.view.getUint8(this.advance(1));
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value <= 0xffff_ffff ? value : this.fail('varint beyond 32 bits');
    }
    return this.fail('varint longer than 5 bytes');
  }

  string(isCompact: boolean): string {
    return this.nullableString(isCompact) ?? this.fail('null where a string must be');
  }

  nullableString(isCompact: boolean): string | null {
    const length = isCompact ? this.uvarint() - 1 : this.int16();
    if (length < 0) return length === -1 ? null : this.fail('negative length');
    const at = this.advance(length);
    return this.buffer.toString('utf8', at, at + length);
  }

  bytes(isCompact: boolean): Uint8Array {
    return this.nullableBytes(isCompact) ?? this.fail('null where bytes must be');
  }

  /** A view of the frame, not a copy. */
  nullableBytes(isCompact: boolean): Uint8Array | null {
    const length = isCompact ? this.uvarint() - 1 : this.int32();
    if (length < 0) return length === -1 ? null : this.fail('negative length');
    const at = this.advance(length);
    return this.buffer.subarray(at, at + length);
  }

  /** Element count of an array, -1 for null. Each element takes at least one byte, which bounds it. */
  count(isCompact: boolean): number {
    const count = isCompact ? this.uvarint() - 1 : this.int32();
    if (count < -1 || count > this.remaining) this.fail(`count ${count} does not fit the frame`);
    if (count > 0 && (this.elements += count) > this.elementsMax)
      this.fail(`more than ${this.elementsMax} elements in one message`);
    return count;
  }

  /** For fields that may not be null. */
  definiteCount(isCompact: boolean): number {
    const count = this.count(isCompact);
    return count < 0 ? this.fail('null where an array must be') : count;
  }

  skip(length: number): void {
    this.advance(length);
  }

  /** Skips a section of tagged fields. */
  skipTags(): void {
    const count = this.uvarint();
    if (count > this.remaining) this.fail('count of tagged fields does not fit the frame');
    for (let i = 0; i < count; i++) {
      this.uvarint();
      this.skip(this.uvarint());
    }
  }

  expectEnd(): void {
    if (this.remaining > 0) this.fail(`${this.remaining} bytes left over`);
  }

  fail(reason: string): never {
    throw wireErrors.malformed({ reason, position: this.position });
  }

  private advance(length: number): number {
    const at = this.position;
    if (length > this.length - at) this.fail('the frame ends too early');
    this.position = at + length;
    return at;
  }
}
