/**
 * Codecs both ways: what others write inflates (`test/corpus/compression`), in every shape a frame can have; what we write
 * inflates; every output is bounded; what is cut or left over is refused.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { compress, decompress } from './index.ts';

const CODECS = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;

interface Sample {
  readonly codec: keyof typeof CODECS;
  readonly what: string;
  readonly lines: number;
  readonly bytes: string;
}

const corpus = join(import.meta.dirname, '../../../test/corpus/compression/frames.jsonl');
const samples = readFileSync(corpus, 'utf8')
  .trim()
  .split('\n')
  .map(line => JSON.parse(line) as Sample);

function textOf(lines: number): Buffer {
  return Buffer.from(Array.from({ length: lines }, (_, i) => `event ${Math.floor(i / 100)} of its kind\n`).join(''));
}

for (const { bytes, codec, lines, what } of samples) {
  test(`${codec}, ${what}: inflates, and is refused when it is cut or inflates too far`, () => {
    const packed = Buffer.from(bytes, 'base64');
    const expected = textOf(lines);
    assert.ok(expected.equals(decompress(CODECS[codec], packed)));
    assert.ok(expected.equals(decompress(CODECS[codec], packed, expected.length)), 'the bound is what is allowed');
    assert.throws(() => decompress(CODECS[codec], packed, expected.length - 1), { code: 'MR4004' });
    for (let length = 0; length < packed.length; length += 1 + (length >> 3)) {
      try {
        // Frames that follow each other may end in between.
        const part = decompress(CODECS[codec], packed.subarray(0, length));
        assert.ok(expected.subarray(0, part.length).equals(part) && part.length < expected.length, `cut at ${length}`);
        assert.match(what, /several|concatenated|skipped|xerial/, `cut at ${length} and accepted`);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'MR4004');
      }
    }
    if (codec !== 'snappy') {
      const more = Buffer.concat([packed, Buffer.from('garbage')]);
      assert.throws(() => decompress(CODECS[codec], more), { code: 'MR4004' }, 'what is left over is refused');
    }
  });
}

test('the corpus has every codec in several shapes', () => {
  for (const codec of Object.keys(CODECS))
    assert.ok(samples.filter(sample => sample.codec === codec).length >= 2, codec);
});

for (const [name, codec] of Object.entries(CODECS)) {
  test(`what we write with ${name} inflates to what it was`, () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('x'), textOf(3), textOf(30_000), Buffer.alloc(200_000)]) {
      assert.ok(bytes.equals(decompress(codec, compress(codec, bytes))), `${bytes.length} bytes`);
    }
  });
}

test('bombs are refused before they have grown, in every codec and across frames', () => {
  const zeros = Buffer.alloc(8_000_000);
  for (const codec of Object.values(CODECS)) {
    const bomb = compress(codec, zeros);
    assert.throws(() => decompress(codec, bomb, 1_000_000), { code: 'MR4004' });
  }
  const [frame, member] = [zstdCompressSync(Buffer.alloc(600_000)), gzipSync(Buffer.alloc(600_000))];
  assert.throws(() => decompress(CODECS.zstd, Buffer.concat([frame, frame]), 1_000_000), { code: 'MR4004' });
  assert.throws(() => decompress(CODECS.gzip, Buffer.concat([member, member]), 1_000_000), { code: 'MR4004' });
  const empty = zstdCompressSync(Buffer.alloc(0));
  const many = Buffer.concat(Array.from({ length: 5_000 }, () => empty));
  assert.throws(() => decompress(CODECS.zstd, many), /more than \d+ frames/);
  // A length that the input cannot hold is not believed.
  assert.throws(() => decompress(CODECS.snappy, Buffer.from('ffffff1f00', 'hex')), /cannot hold/);
});

test('a codec that is none is refused', () => {
  assert.throws(() => decompress(5, Buffer.alloc(3)), { code: 'MR4004' });
  assert.throws(() => compress(0, Buffer.alloc(3)), { code: 'MR4004' });
});
