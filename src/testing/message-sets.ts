/**
 * Message sets as clients of Kafka 0.8 to 0.10 write them, byte by byte, for tests: right ones, and ones with the mistakes
 * that such clients are known for. Written from the layout, apart from the code that it tests.
 */
import { crc32, gzipSync } from 'node:zlib';

export interface LegacyMessage {
  readonly magic: 0 | 1;
  readonly offset?: number;
  /** Format 1 only. */
  readonly timestamp?: number;
  readonly attributes?: number;
  readonly key?: Uint8Array | null;
  readonly value?: Uint8Array | null;
}

export type LegacyCodec = 'none' | 'gzip' | 'snappy' | 'lz4';

/** How inner messages are numbered: counted from 0, with absolute offsets, or not at all. */
export type InnerOffsets = 'relative' | 'absolute' | 'zero';

export function message(parts: LegacyMessage): Buffer {
  const { attributes = 0, key = null, magic, offset = 0, timestamp = -1, value = null } = parts;
  const body: Uint8Array[] = [Buffer.from([magic, attributes])];
  if (magic === 1) body.push(int64(timestamp));
  for (const bytes of [key, value]) body.push(int32(bytes?.length ?? -1), Buffer.from(bytes ?? []));
  const covered = Buffer.concat(body);
  return Buffer.concat([int64(offset), int32(covered.length + 4), int32(crc32(covered)), covered]);
}

export function messageSet(messages: readonly LegacyMessage[]): Buffer {
  return Buffer.concat(messages.map(message));
}

/** One message that holds `messages` compressed; its offset is the last one's unless `offset` is given. */
export function wrapper(
  codec: Exclude<LegacyCodec, 'none'>,
  messages: readonly LegacyMessage[],
  options: { readonly inner?: InnerOffsets; readonly offset?: number; readonly appendTime?: number } = {},
): Buffer {
  const { magic } = messages[0]!;
  const numbering = options.inner ?? (magic === 1 ? 'relative' : 'absolute');
  const inner = messages.map((one, i) => ({
    ...one,
    offset: { relative: i, absolute: one.offset ?? i, zero: 0 }[numbering],
  }));
  const isAppendTime = options.appendTime !== undefined;
  return message({
    magic,
    offset: options.offset ?? messages.at(-1)!.offset ?? messages.length - 1,
    timestamp: options.appendTime ?? Math.max(...messages.map(({ timestamp }) => timestamp ?? -1)),
    attributes: { gzip: 1, snappy: 2, lz4: 3 }[codec] | (isAppendTime ? 8 : 0),
    value: pack(codec, messageSet(inner), magic),
  });
}

function pack(codec: Exclude<LegacyCodec, 'none'>, bytes: Uint8Array, magic: 0 | 1): Uint8Array {
  if (codec === 'gzip') return gzipSync(bytes);
  return codec === 'snappy' ? snappyStream(bytes) : lz4Frame(bytes, magic);
}

/** The stream of Java clients: blocks of 32 KiB, here of literals. */
function snappyStream(bytes: Uint8Array): Buffer {
  const pieces: Uint8Array[] = [Buffer.from('82534e41505059000000000100000001', 'hex')];
  for (let at = 0; at < bytes.length; at += 32_768) {
    const literals = bytes.subarray(at, at + 32_768);
    const size = literals.length;
    // The inflated length as uvarint, always in three bytes; a literal with its length in two.
    const head = [
      0x80 | (size & 0x7f),
      0x80 | ((size >> 7) & 0x7f),
      size >> 14,
      61 << 2,
      (size - 1) & 0xff,
      (size - 1) >> 8,
    ];
    pieces.push(int32(head.length + size), Buffer.from(head), Buffer.from(literals));
  }
  return Buffer.concat(pieces);
}

/** A frame of stored blocks. Its header checksum is the one that clients of the format write: wrong in format 0. */
function lz4Frame(bytes: Uint8Array, magic: 0 | 1): Buffer {
  const pieces: Uint8Array[] = [Buffer.from(magic === 0 ? '04224d1860401a' : '04224d18604082', 'hex')];
  for (let at = 0; at < bytes.length; at += 65_536) {
    const stored = Buffer.from(bytes.subarray(at, at + 65_536));
    const size = Buffer.alloc(4);
    size.writeUInt32LE((0x8000_0000 | stored.length) >>> 0);
    pieces.push(size, stored);
  }
  return Buffer.concat([...pieces, Buffer.alloc(4)]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}
