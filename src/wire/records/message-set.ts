/**
 * Message sets: the formats 0 and 1 of Kafka up to 0.10, read one message after the other without an object for any.
 *
 *   set       { offset i64 · size i32 · message }*, without a count
 *   message   crc u32 (IEEE, of everything behind it) · magic i8 (0, 1) · attributes i8 · timestamp i64 (magic 1 only)
 *             · key (i32 length, -1 null) · value (i32 length, -1 null)
 *   attributes: bits 0–2 codec, bit 3 timestamp type (magic 1; 1 log append)
 *
 * Compression: a *wrapper* is a message whose value is a compressed set; one level deep, of the wrapper's own magic. Its
 * offset is that of its last inner message. Inner offsets are absolute (magic 0) or count from 0 (magic 1), but writers
 * of both kinds are about in both formats, so both are read alike: an inner message is as far from the last one as their
 * numbers are. Numbers that do not ascend mean nothing; then inner messages are counted back from the wrapper. On Produce
 * all offsets mean nothing.
 *
 * A set in a Fetch answer may end inside a message, where the limit of the fetch cut it; anywhere else that is damage.
 *
 * Invariants
 * I1 every length is checked against what surrounds it, and the crc of every message before anything of it is used; what
 *    is wrong throws MR4005.
 * I2 all wrappers of a set together inflate to `inflatedBytesMax` at most.
 */
import { crc32 } from 'node:zlib';
import { decompress, INFLATED_BYTES_MAX } from '../compression/index.ts';
import { wireErrors } from '../errors.ts';
import { ATTRIBUTE, CODEC } from './batch.ts';

/** Offset and size in front of each message. */
export const ENTRY_BYTES = 12;
/** Where a message's crc ends and what it covers begins, from the entry's start. */
export const CRC_END = 16;
/** A message with null key and value, by magic. */
export const MESSAGE_BYTES_MIN = [14, 22] as const;

/** A set with the place in it. */
class Level {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  next = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get hasMore(): boolean {
    return this.next < this.bytes.length;
  }

  int64(at: number): number {
    return this.view.getInt32(at) * 0x1_0000_0000 + this.view.getUint32(at + 4);
  }
}

const NOTHING = new Level(new Uint8Array(0));

export class MessageSetCursor {
  /** What the positions refer to: the set, or what the wrapper around the message inflated to. */
  bytes: Uint8Array = NOTHING.bytes;
  offset = 0;
  /** -1 in format 0, which has none. */
  timestamp = -1;
  isLogAppendTime = false;
  keyStart = 0;
  /** -1 for null. */
  keyLength = -1;
  valueStart = 0;
  /** -1 for null. */
  valueLength = -1;
  magic = 0;
  /** Of the wrapper around the message; 0 without one. */
  codec: number = CODEC.none;
  /** Bytes in the set, offset and size included: of the message, or of the wrapper around it. */
  entryBytes = 0;
  /** True when the set ended inside a message, and may. */
  isCut = false;
  private outer = NOTHING;
  private inner = NOTHING;
  private mayBeCut = false;
  private inflatedLeft = 0;
  private attributes = 0;
  /** Of inner messages: what is added to their own offsets, or NaN where they are counted. */
  private offsetShift = 0;
  private countedOffset = 0;
  /** Log append time of the wrapper, which holds for all in it; -1 without. */
  private appendTime = -1;

  open(set: Uint8Array, options: { readonly mayBeCut?: boolean; readonly inflatedBytesMax?: number } = {}): this {
    this.outer = new Level(set);
    this.inner = NOTHING;
    this.isCut = false;
    this.mayBeCut = options.mayBeCut ?? false;
    this.inflatedLeft = options.inflatedBytesMax ?? INFLATED_BYTES_MAX;
    return this;
  }

  /** False behind the last message. */
  advance(): boolean {
    if (!this.inner.hasMore) {
      if (!this.outer.hasMore) return false;
      if (this.mayBeCut && this.isCutHere()) {
        this.isCut = true;
        this.outer.next = this.outer.bytes.length;
        return false;
      }
      const start = this.outer.next;
      this.message(this.outer);
      this.entryBytes = this.outer.next - start;
      this.codec = this.attributes & ATTRIBUTE.codecMask;
      if (this.codec === CODEC.none) return true;
      this.openWrapper();
    }
    const { magic } = this;
    this.message(this.inner);
    if (this.magic !== magic) this.fail(`magic ${this.magic} in a wrapper of magic ${magic}`);
    if ((this.attributes & ATTRIBUTE.codecMask) !== CODEC.none) this.fail('a wrapper in a wrapper');
    if (Number.isNaN(this.offsetShift)) this.offset = this.countedOffset++;
    else this.offset += this.offsetShift;
    if (this.appendTime >= 0) {
      this.timestamp = this.appendTime;
      this.isLogAppendTime = true;
    }
    return true;
  }

  get key(): Uint8Array | null {
    return this.keyLength < 0 ? null : this.bytes.subarray(this.keyStart, this.keyStart + this.keyLength);
  }

  get value(): Uint8Array | null {
    return this.valueLength < 0 ? null : this.bytes.subarray(this.valueStart, this.valueStart + this.valueLength);
  }

  private isCutHere(): boolean {
    const { bytes, next, view } = this.outer;
    const rest = bytes.length - next;
    return rest < ENTRY_BYTES || view.getInt32(next + 8) > rest - ENTRY_BYTES;
  }

  /** Reads the message that stands next. */
  private message(level: Level): void {
    const { bytes, next: at, view } = level;
    const size = this.sizeAt(level, at);
    const end = at + ENTRY_BYTES + size;
    this.magic = bytes[at + CRC_END]!;
    const min = MESSAGE_BYTES_MIN[this.magic];
    if (min === undefined) this.fail(`magic ${this.magic}`);
    if (size < min) this.fail(`${size} bytes are no message of format ${this.magic}`);
    if (crc32(bytes.subarray(at + CRC_END, end)) !== view.getUint32(at + ENTRY_BYTES))
      this.fail('the crc does not match');
    this.bytes = bytes;
    this.offset = level.int64(at);
    this.attributes = bytes[at + CRC_END + 1]!;
    let p = at + CRC_END + 2;
    this.timestamp = -1;
    this.isLogAppendTime = false;
    if (this.magic === 1) {
      this.timestamp = level.int64(p);
      this.isLogAppendTime = (this.attributes & ATTRIBUTE.logAppendTime) !== 0;
      p += 8;
    }
    this.keyStart = p + 4;
    this.keyLength = this.lengthAt(view, p, end - 4);
    p = this.keyStart + Math.max(this.keyLength, 0);
    this.valueStart = p + 4;
    this.valueLength = this.lengthAt(view, p, end);
    if (this.valueStart + Math.max(this.valueLength, 0) !== end) this.fail('bytes left over behind the value');
    level.next = end;
  }

  /** Size of the message at `at`, behind offset and size. */
  private sizeAt({ bytes, view }: Level, at: number): number {
    const rest = bytes.length - at - ENTRY_BYTES;
    const size = rest < 0 ? -1 : view.getInt32(at + 8);
    if (rest < 0 || size > rest) this.fail('the set ends inside it');
    if (size < MESSAGE_BYTES_MIN[0]) this.fail(`its size is ${size}`);
    return size;
  }

  /** A length of bytes that end before `end`. */
  private lengthAt(view: DataView, at: number, end: number): number {
    const length = view.getInt32(at);
    if (length < -1 || length > end - at - 4) this.fail('a field longer than its message');
    return length;
  }

  /** Inflates the wrapper just read, and finds out what its inner offsets mean. */
  private openWrapper(): void {
    const { codec, magic, offset, value } = this;
    if (value === null) this.fail('a wrapper without a value');
    if (codec >= CODEC.zstd) {
      throw wireErrors.codecNeedsFormat2({ codec: codec === CODEC.zstd ? 'zstd' : `codec ${codec}`, magic });
    }
    this.appendTime = this.isLogAppendTime ? this.timestamp : -1;
    const inner = new Level(decompress(codec, value, this.inflatedLeft));
    this.inflatedLeft -= inner.bytes.length;
    let count = 0;
    let last = Number.NEGATIVE_INFINITY;
    let isAscending = true;
    for (let at = 0; at < inner.bytes.length; at += ENTRY_BYTES + this.sizeAt(inner, at)) {
      const number = inner.bytes.length - at < 8 ? 0 : inner.int64(at);
      if (number <= last) isAscending = false;
      last = number;
      count++;
    }
    if (count === 0) this.fail('an empty wrapper');
    this.offsetShift = isAscending ? offset - last : Number.NaN;
    this.countedOffset = offset - count + 1;
    this.inner = inner;
  }

  private fail(reason: string): never {
    throw wireErrors.corruptMessage({ position: this.outer.next, reason });
  }
}
