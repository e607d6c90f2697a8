/**
 * Zstandard: frames that follow each other, some of which may be there to be skipped. The library inflates one frame and is
 * silent about what is behind it, so the ends of frames are found here, by their blocks.
 *
 *   frame       FD2FB528 u32 LE · descriptor · [window u8] · [dictionary id] · [content size] · block* · [checksum u32]
 *   descriptor  bits 0–1 bytes of the dictionary id, 2 checksum, 3 reserved, 5 no window byte, 6–7 bytes of the content size
 *   block       header u24 LE: bit 0 last, bits 1–2 type (0 raw, 1 one byte repeated, 2 compressed), bits 3–23 size
 *   skippable   184D2A5x u32 LE · length u32 LE · bytes
 */
import { zstdDecompressSync } from 'node:zlib';
import { wireErrors } from '../errors.ts';

const MAGIC = 0xfd2f_b528;
const SKIPPABLE = 0x184d_2a50;
const DICTIONARY_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
/** Each costs a call of the library, however small it is. */
const FRAMES_MAX = 1_024;
const REPEATED = 1;
const RESERVED = 3;

export function decompressZstd(bytes: Uint8Array, max: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let left = max;
  let p = 0;
  do {
    if (parts.length === FRAMES_MAX) fail(`more than ${FRAMES_MAX} frames`);
    const end = frameEnd(bytes, p);
    if (isSkippable(bytes, p)) parts.push(new Uint8Array(0));
    else {
      const part = zstdDecompressSync(bytes.subarray(p, end), { maxOutputLength: Math.max(left, 1) });
      if (part.length > left) fail(`it inflates beyond ${max} bytes`);
      parts.push(part);
      left -= part.length;
    }
    p = end;
  } while (p < bytes.length);
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

function isSkippable(bytes: Uint8Array, at: number): boolean {
  return (word(bytes, at) & 0xffff_fff0) >>> 0 === SKIPPABLE;
}

/** Where the frame ends that begins at `start`. */
function frameEnd(bytes: Uint8Array, start: number): number {
  if (isSkippable(bytes, start)) return expectEnd(bytes, start + 8 + word(bytes, start + 4));
  if (word(bytes, start) !== MAGIC) fail('no frame magic');
  expectEnd(bytes, start + 5);
  const descriptor = bytes[start + 4]!;
  const hasWindow = (descriptor & 0x20) === 0;
  const contentSize = CONTENT_SIZE_BYTES[descriptor >>> 6]! || (hasWindow ? 0 : 1);
  let p = start + 5 + (hasWindow ? 1 : 0) + DICTIONARY_BYTES[descriptor & 3]! + contentSize;
  for (let isLast = false; !isLast; ) {
    expectEnd(bytes, p + 3);
    const header = bytes[p]! | (bytes[p + 1]! << 8) | (bytes[p + 2]! << 16);
    const type = (header >>> 1) & 3;
    if (type === RESERVED) fail('a block of the reserved type');
    isLast = (header & 1) === 1;
    p = expectEnd(bytes, p + 3 + (type === REPEATED ? 1 : header >>> 3));
  }
  return expectEnd(bytes, p + ((descriptor & 4) === 0 ? 0 : 4));
}

function word(bytes: Uint8Array, at: number): number {
  expectEnd(bytes, at + 4);
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function expectEnd(bytes: Uint8Array, end: number): number {
  return end > bytes.length ? fail('the frame ends too early') : end;
}

function fail(reason: string): never {
  throw wireErrors.decompression({ codec: 'zstd', reason });
}
