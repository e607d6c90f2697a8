/** The wrong header checksum of message format 0: its hash by published vectors, its frame byte by byte. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decompress } from './index.ts';
import { compressLz4 } from './lz4.ts';
import { compressLegacyLz4, shortXxh32 } from './lz4-legacy.ts';

test('xxh32 gives the published values', () => {
  const hash = (text: string): string => shortXxh32(Buffer.from(text)).toString(16);
  assert.deepEqual(['', 'a', 'abc'].map(hash), ['2cc5d05', '550d7456', '32d153ff']);
});

test('a frame of format 0 differs from a right one in its header checksum alone, and inflates the same', () => {
  const bytes = Buffer.from('event '.repeat(1_000));
  const right = compressLz4(bytes);
  const legacy = compressLegacyLz4(bytes);
  assert.equal(right[6], (shortXxh32(right.subarray(4, 6)) >>> 8) & 0xff);
  assert.equal(legacy[6], (shortXxh32(right.subarray(0, 6)) >>> 8) & 0xff);
  assert.notEqual(legacy[6], right[6]);
  legacy[6] = right[6]!;
  assert.deepEqual(legacy, right);
  assert.deepEqual(Buffer.from(decompress(3, compressLegacyLz4(bytes))), bytes);
});
