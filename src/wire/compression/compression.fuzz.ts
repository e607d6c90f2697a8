/** Compressed data at random: what is written comes back, what was changed ends in MR4004, within its bound. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError, type SeededRandom } from '../../base/index.ts';
import { fuzz } from '../../testing/fuzz.ts';
import { compress, decompress } from './index.ts';

const CODECS = [1, 2, 3, 4];
const INFLATED_BYTES_MAX = 100_000;

function randomData(random: SeededRandom): Buffer {
  const parts: Buffer[] = [];
  for (let i = random.below(5); i >= 0; i--) {
    const length = random.below(2_000);
    const kind = random.below(3);
    if (kind === 0) parts.push(Buffer.from(random.bytes(length)));
    else if (kind === 1) parts.push(Buffer.alloc(length, random.below(256)));
    else parts.push(Buffer.concat(parts).subarray(0, length));
  }
  return Buffer.concat(parts);
}

test('what is compressed inflates to what it was', () => {
  fuzz(1, random => {
    const codec = CODECS[random.below(CODECS.length)]!;
    const data = randomData(random);
    assert.ok(data.equals(decompress(codec, compress(codec, data))), `codec ${codec}`);
  });
});

test('compressed data that was changed, cut or made up ends in MR4004 or stays within its bound', () => {
  fuzz(2, random => {
    const codec = CODECS[random.below(CODECS.length)]!;
    let bytes = Buffer.from(
      random.below(5) === 0 ? random.bytes(random.below(200)) : compress(codec, randomData(random)),
    );
    for (let i = random.below(4); i > 0 && bytes.length > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
    if (random.below(3) === 0) bytes = bytes.subarray(0, random.below(bytes.length + 1));
    if (random.below(4) === 0) bytes = Buffer.concat([bytes, bytes]);
    try {
      const inflated = decompress(codec, bytes, INFLATED_BYTES_MAX);
      assert.ok(inflated.length <= INFLATED_BYTES_MAX);
    } catch (error) {
      assert.ok(error instanceof MillraceError && error.code === 'MR4004', String(error));
    }
  });
});
