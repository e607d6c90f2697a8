/**
 * Snappy: raw blocks, and the stream that Java clients write around them ("xerial").
 *
 *   raw      uvarint inflated length · elements: literal (tag 0) or copy with 1, 2 or 4 bytes of offset (tags 1 to 3)
 *   xerial   82 53 4E 41 50 50 59 00 · version i32 · compatible i32 · { block length i32 · raw block }*, big-endian;
 *            streams may follow each other
 *
 * Our own decoder, because its output must be bounded before it is allocated; compression is the library's.
 */
import { createRequire } from 'node:module';
import type { Inflated } from './inflated.ts';

const MAGIC = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00);
const STREAM_HEADER_BYTES = 16;
const INFLATION_MAX = 22;

export function compressSnappy(bytes: Uint8Array): Uint8Array {
  const { compress } = createRequire(import.meta.url)('snappyjs') as { compress(bytes: Uint8Array): Uint8Array };
  return compress(bytes);
}

export function decompressSnappy(bytes: Uint8Array, out: Inflated): void {
  if (!isStream(bytes, 0)) {
    block(bytes, 0, bytes.length, out);
    return;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let p = 0;
  while (p < bytes.length) {
    while (isStream(bytes, p)) p += STREAM_HEADER_BYTES;
    if (p === bytes.length) return;
    if (p + 4 > bytes.length) out.fail('the stream ends inside a length');
    const length = view.getInt32(p);
    p += 4;
    if (length < 0 || length > bytes.length - p) out.fail('a block longer than the stream');
    block(bytes, p, p + length, out);
    p += length;
  }
}

function isStream(bytes: Uint8Array, at: number): boolean {
  return bytes.length - at >= STREAM_HEADER_BYTES && MAGIC.every((byte, i) => bytes[at + i] === byte);
}

function block(bytes: Uint8Array, start: number, end: number, out: Inflated): void {
  let p = start;
  let length = 0;
  for (let scale = 1; ; scale *= 0x80) {
    if (p >= end || scale > 2 ** 28) out.fail('no length');
    const byte = bytes[p++]!;
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  const from = out.length;
  // A copy makes 64 bytes of 3 at most: what promises more is refused before anything is made for it.
  if (length > (end - p) * INFLATION_MAX) out.fail(`a block of ${end - p} bytes cannot hold ${length}`);
  out.expect(length);
  while (p < end) {
    const tag = bytes[p++]!;
    const kind = tag & 3;
    if (kind === 0) {
      let size = tag >>> 2;
      if (size >= 60) {
        const extra = size - 59;
        if (p + extra > end) out.fail('a literal without its length');
        size = 0;
        for (let i = 0; i < extra; i++) size += bytes[p + i]! * 2 ** (8 * i);
        p += extra;
      }
      size++;
      if (size > end - p) out.fail('a literal beyond the block');
      out.literal(bytes, p, size);
      p += size;
    } else {
      const extra = kind === 3 ? 4 : kind;
      if (p + extra > end) out.fail('a copy without its offset');
      const size = kind === 1 ? 4 + ((tag >>> 2) & 7) : 1 + (tag >>> 2);
      let distance = kind === 1 ? (tag >>> 5) * 256 : 0;
      for (let i = 0; i < extra; i++) distance += bytes[p + i]! * 2 ** (8 * i);
      p += extra;
      out.copy(distance, size, from);
    }
  }
  if (out.length - from !== length) out.fail('another length than announced');
}
