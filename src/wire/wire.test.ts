/** The generated codecs are up to date, and what their parts do. Every message in every version: `test/runners`. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { generatedFiles } from '../../tools/gen-wire/files.ts';
import { encodeFetchRequest } from './generated/01-fetch.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

test('the generated codecs are those of the definitions', async () => {
  for (const [name, text] of await generatedFiles()) {
    assert.equal(readFileSync(join(import.meta.dirname, 'generated', name), 'utf8'), text, `run npm run gen: ${name}`);
  }
});

test('a tagged structure whose fields are all at their defaults is left out, as Kafka leaves it out', () => {
  const encoded = (replicaState: { replicaId?: number; replicaEpoch?: number } | undefined): string => {
    const w = new Writer();
    encodeFetchRequest(w, { maxWaitMs: 1, minBytes: 1, topics: [], replicaState }, 15);
    return Buffer.concat(w.finish()).toString('hex');
  };
  assert.equal(encoded({ replicaId: -1, replicaEpoch: -1 }), encoded(undefined));
  assert.equal(encoded({ replicaEpoch: 7 }), `${encoded(undefined).slice(0, -2)}01010dffffffff000000000000000700`);
});

test('a huge count or length in a small frame allocates nothing', () => {
  const frame = Buffer.from('7fffffff0000', 'hex');
  const reader = new Reader(frame);
  assert.throws(() => reader.definiteCount(false), { code: 'MR4001' });
  assert.throws(() => new Reader(Buffer.from('ffffffff0f', 'hex')).bytes(true), { code: 'MR4001' });
  assert.throws(() => new Reader(Buffer.from('ffffffffffff', 'hex')).uvarint(), { code: 'MR4001' });
});

test('a string that its length cannot tell is refused when it is written, not cut', () => {
  const w = new Writer();
  w.nullableString('x'.repeat(0x7fff), false);
  assert.throws(() => w.nullableString('é'.repeat(0x4000), false), { code: 'MR4009' });
  const long = new Writer();
  long.nullableString('é'.repeat(0x4000), true);
  assert.equal(new Reader(Buffer.concat(long.finish())).string(true).length, 0x4000);
});

test('64-bit integers are exact to 2^53 both ways, and beyond it only the extremes are read', () => {
  for (const value of [
    0,
    1,
    -1,
    2 ** 31,
    -(2 ** 32) - 1,
    Number.MAX_SAFE_INTEGER,
    -Number.MAX_SAFE_INTEGER,
    2 ** 63,
    -(2 ** 63),
  ]) {
    const w = new Writer();
    w.int64(value);
    const bytes = Buffer.concat(w.finish());
    assert.equal(new Reader(bytes).int64(), value);
    assert.equal(Number(bytes.readBigInt64BE()), value === 2 ** 63 ? Number(2n ** 63n - 1n) : value);
  }
  const beyond = Buffer.alloc(8);
  beyond.writeBigInt64BE(2n ** 53n + 2n);
  assert.throws(() => new Reader(beyond).int64(), { code: 'MR4001' });
});
