/**
 * LZ4 frames: magic 04 22 4D 18 · descriptor (flags, block size, optional content size and dictionary id, header
 * checksum) · { block size u32 LE, top bit: stored · bytes · optional checksum }* · 0 · optional content checksum.
 * Blocks may refer to earlier ones (linked) or not; several frames may follow each other. Checksums inside the frame are not
 * verified: the record batch's own crc covers every byte of it.
 *
 * Our own decoder, because its output must be bounded before it is allocated; compression is the library's.
 */
import { createRequire } from 'node:module';
import type { Inflated } from './inflated.ts';

const MAGIC = 0x184d2204;
const MATCH_BYTES_MIN = 4;

export function compressLz4(bytes: Uint8Array): Uint8Array {
  const { compressFrameSync } = createRequire(import.meta.url)('lz4-napi') as {
    compressFrameSync(bytes: Buffer): Buffer;
  };
  return compressFrameSync(Buffer.from(bytes));
}

export function decompressLz4(bytes: Uint8Array, out: Inflated): void {
  let p = 0;
  do p = frame(bytes, p, out);
  while (p < bytes.length);
}

function frame(bytes: Uint8Array, start: number, out: Inflated): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length - start < 7 || view.getUint32(start, true) !== MAGIC) out.fail('no frame magic');
  const flags = bytes[start + 4]!;
  if (flags >>> 6 !== 1) out.fail(`frame version ${flags >>> 6}`);
  const hasBlockChecksum = (flags & 0x10) !== 0;
  const hasContentChecksum = (flags & 4) !== 0;
  let p = start + 7 + ((flags & 8) !== 0 ? 8 : 0) + ((flags & 1) !== 0 ? 4 : 0);
  const floor = out.length;
  for (;;) {
    if (p + 4 > bytes.length) out.fail('the frame ends inside a block size');
    const word = view.getUint32(p, true);
    p += 4;
    if (word === 0) break;
    const size = word & 0x7fff_ffff;
    if (size > bytes.length - p) out.fail('a block beyond the frame');
    if (word >>> 31 === 1) out.literal(bytes, p, size);
    else block(bytes, p, p + size, out, floor);
    p += size + (hasBlockChecksum ? 4 : 0);
  }
  p += hasContentChecksum ? 4 : 0;
  if (p > bytes.length) out.fail('the frame ends inside its checksum');
  return p;
}

/** Sequences: token (literal length, match length) · literals · offset u16 LE; the last has literals only. */
function block(bytes: Uint8Array, start: number, end: number, out: Inflated, floor: number): void {
  let p = start;
  while (p < end) {
    const token = bytes[p++]!;
    let literals = token >>> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255) {
        if (p >= end) out.fail('a literal length without end');
        more = bytes[p++]!;
        literals += more;
      }
    }
    if (literals > end - p) out.fail('literals beyond the block');
    if (literals > 0) out.literal(bytes, p, literals);
    p += literals;
    if (p === end) return;
    if (p + 2 > end) out.fail('a match without its offset');
    const distance = bytes[p]! | (bytes[p + 1]! << 8);
    p += 2;
    let length = token & 15;
    if (length === 15) {
      let more = 255;
      while (more === 255) {
        if (p >= end) out.fail('a match length without end');
        more = bytes[p++]!;
        length += more;
      }
    }
    out.copy(distance, length + MATCH_BYTES_MIN, floor);
  }
}
