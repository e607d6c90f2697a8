/**
 * The LZ4 frame as message format 0 has it: its header checksum covers the four magic bytes too, where the frame format
 * says the descriptor alone. Clients up to Kafka 0.9 check it so, and refuse the right one.
 *
 *   04 22 4D 18 · flags · block size · checksum = (xxh32 of what the format counts as header, seed 0) >> 8 & 0xff
 */
import { assert } from '../../base/index.ts';
import { compressLz4 } from './lz4.ts';

const HEADER_BYTES = 6;
/** Flags of a content size and a dictionary id, which would lengthen the header. Our compressor sets neither. */
const LONGER_HEADER = 0x09;

const PRIME_1 = 0x9e37_79b1;
const PRIME_2 = 0x85eb_ca77;
const PRIME_3 = 0xc2b2_ae3d;
const PRIME_4 = 0x27d4_eb2f;
const PRIME_5 = 0x1656_67b1;

/** xxh32 with seed 0 of fewer than 16 bytes: all that a frame header has. */
export function shortXxh32(bytes: Uint8Array): number {
  assert(bytes.length < 16, 'inputs of 16 bytes and more go through four lanes');
  let hash = (PRIME_5 + bytes.length) | 0;
  let p = 0;
  for (; p + 4 <= bytes.length; p += 4) {
    const word = bytes[p]! | (bytes[p + 1]! << 8) | (bytes[p + 2]! << 16) | (bytes[p + 3]! << 24);
    hash = Math.imul(rotate(hash + Math.imul(word, PRIME_3), 17), PRIME_4);
  }
  for (; p < bytes.length; p++) hash = Math.imul(rotate(hash + Math.imul(bytes[p]!, PRIME_5), 11), PRIME_1);
  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2);
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A frame that clients of format 0 take. */
export function compressLegacyLz4(bytes: Uint8Array): Uint8Array {
  const frame = compressLz4(bytes);
  assert((frame[4]! & LONGER_HEADER) === 0, 'the header has neither content size nor dictionary');
  frame[HEADER_BYTES] = (shortXxh32(frame.subarray(0, HEADER_BYTES)) >>> 8) & 0xff;
  return frame;
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}
