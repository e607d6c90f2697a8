/**
 * Record batches become message sets of format 0 or 1, for clients that ask for Fetch 0 to 3.
 *
 * Keys, values, order, offsets and (in format 1) timestamps stay. What those formats cannot hold goes: headers, control
 * batches, and in format 0 timestamps. Records of aborted transactions are records like others. A compressed batch becomes
 * wrappers of the same codec, unless compression does not pay; zstd has no form there and throws MR4006.
 *
 * The set is given out in pieces, each some whole messages or one wrapper of limited size: whoever has enough stops asking,
 * and goes on later from the offset behind the last one that the client got. Records before `fromOffset` are left out.
 *
 * Invariants
 * I1 pieces one after the other are a message set as message-set.ts describes it; a wrapper has the offset of its last
 *    inner message, inner offsets are absolute in format 0 and count from 0 in format 1.
 * I2 memory: what one batch inflates to (bounded) and one piece.
 */
import { crc32 } from 'node:zlib';
import { compress } from '../compression/index.ts';
import { compressLegacyLz4 } from '../compression/lz4-legacy.ts';
import { wireErrors } from '../errors.ts';
import { ATTRIBUTE, BatchHeader, CODEC } from './batch.ts';
import { RecordCursor } from './cursor.ts';
import { CRC_END, ENTRY_BYTES, MESSAGE_BYTES_MIN } from './message-set.ts';

/** A piece is ended when it has this size, before compression: about what is compressed in 2 ms. */
const PIECE_BYTES = 128 * 1024;

export type LegacyMagic = 0 | 1;

/** `batches` are whole batches, one or several a piece, as the log reads them. */
export function* downConvert(
  batches: Iterable<Uint8Array>,
  magic: LegacyMagic,
  fromOffset: number,
): Generator<Uint8Array, void, undefined> {
  const cursor = new RecordCursor();
  for (const bytes of batches) {
    const header = new BatchHeader(bytes);
    for (let at = 0; at < bytes.length; at += header.at(at).sizeBytes) {
      const { codec, isControl, isLogAppendTime, lastOffset, sizeBytes } = header.at(at);
      if (isControl || lastOffset < fromOffset) continue;
      if (codec === CODEC.zstd) throw wireErrors.codecNeedsFormat2({ codec: 'zstd', magic });
      const isAppendTime = magic === 1 && isLogAppendTime;
      let piece = new MessageSetBuilder(magic, codec, isAppendTime);
      cursor.open(bytes.subarray(at, at + sizeBytes));
      while (cursor.advance()) {
        if (cursor.offset < fromOffset) continue;
        if (piece.count > 0 && piece.sizeBytes + MessageSetBuilder.sizeOf(magic, cursor) > PIECE_BYTES) {
          yield piece.finish();
          piece = new MessageSetBuilder(magic, codec, isAppendTime);
        }
        piece.append(cursor);
      }
      if (piece.count > 0) yield piece.finish();
    }
  }
}

/** Builds messages one behind the other, and puts a wrapper around them in the end. */
class MessageSetBuilder {
  count = 0;
  sizeBytes = 0;
  private bytes = Buffer.allocUnsafeSlow(4_096);
  private readonly magic: LegacyMagic;
  private readonly codec: number;
  private readonly timestampType: number;
  private firstOffset = 0;
  private lastOffset = 0;
  private maxTimestamp = -1;

  constructor(magic: LegacyMagic, codec: number, isAppendTime: boolean) {
    this.magic = magic;
    this.codec = codec;
    this.timestampType = isAppendTime ? ATTRIBUTE.logAppendTime : 0;
  }

  static sizeOf(magic: LegacyMagic, { keyLength, valueLength }: RecordCursor): number {
    return ENTRY_BYTES + MESSAGE_BYTES_MIN[magic] + Math.max(keyLength, 0) + Math.max(valueLength, 0);
  }

  append(record: RecordCursor): void {
    const { offset, timestamp } = record;
    const at = this.sizeBytes;
    this.sizeBytes += MessageSetBuilder.sizeOf(this.magic, record);
    if (this.sizeBytes > this.bytes.length) this.grow();
    if (this.count === 0) this.firstOffset = offset;
    this.count++;
    this.lastOffset = offset;
    if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp;
    const { bytes, codec, firstOffset, magic } = this;
    writeInt64(bytes, at, magic === 1 && codec !== CODEC.none ? offset - firstOffset : offset);
    let p = this.begin(bytes, at, this.timestampType, timestamp);
    p = field(bytes, p, record.bytes, record.keyStart, record.keyLength);
    p = field(bytes, p, record.bytes, record.valueStart, record.valueLength);
    seal(bytes, at, p);
  }

  finish(): Uint8Array {
    const { codec, magic } = this;
    const messages = this.bytes.subarray(0, this.sizeBytes);
    if (codec === CODEC.none) return messages;
    const packed = magic === 0 && codec === CODEC.lz4 ? compressLegacyLz4(messages) : compress(codec, messages);
    const size = ENTRY_BYTES + MESSAGE_BYTES_MIN[magic] + packed.length;
    if (size >= messages.length) return this.unwrapped(messages);
    const wrapper = Buffer.allocUnsafeSlow(size);
    writeInt64(wrapper, 0, this.lastOffset);
    let p = this.begin(wrapper, 0, codec | this.timestampType, this.maxTimestamp);
    p = field(wrapper, p, packed, 0, -1);
    p = field(wrapper, p, packed, 0, packed.length);
    seal(wrapper, 0, p);
    return wrapper;
  }

  /** Inner messages of format 1 standing for themselves: offsets are absolute, and no crc covers them. */
  private unwrapped(messages: Buffer): Uint8Array {
    if (this.magic === 0) return messages;
    for (let at = 0; at < messages.length; at += ENTRY_BYTES + messages.readInt32BE(at + 8)) {
      writeInt64(messages, at, this.firstOffset + messages.readUInt32BE(at + 4));
    }
    return messages;
  }

  /** Magic, attributes and timestamp of the message at `at`; returns the position behind. */
  private begin(bytes: Buffer, at: number, attributes: number, timestamp: number): number {
    bytes[at + CRC_END] = this.magic;
    bytes[at + CRC_END + 1] = attributes;
    const p = at + CRC_END + 2;
    if (this.magic === 0) return p;
    writeInt64(bytes, p, timestamp);
    return p + 8;
  }

  private grow(): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.sizeBytes, this.bytes.length * 2));
    this.bytes.copy(grown);
    this.bytes = grown;
  }
}

function field(bytes: Buffer, at: number, from: Uint8Array, start: number, length: number): number {
  bytes.writeInt32BE(length, at);
  if (length <= 0) return at + 4;
  bytes.set(from.subarray(start, start + length), at + 4);
  return at + 4 + length;
}

/** Size and crc of the message from `at` to `end`. */
function seal(bytes: Buffer, at: number, end: number): void {
  bytes.writeInt32BE(end - at - ENTRY_BYTES, at + 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(at + CRC_END, end)), at + ENTRY_BYTES);
}

/** A number beyond 64 bits, which only a broken producer writes into a record, wraps. */
function writeInt64(bytes: Buffer, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  bytes.writeInt32BE(high | 0, at);
  bytes.writeUInt32BE(value - high * 0x1_0000_0000, at + 4);
}
