/** Record batches: what is built reads back, in every codec; damage is found; hostile lengths end in a clear error. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError } from '../../base/index.ts';
import { BatchHeader, CODEC, type CodecName, validateBatch } from './batch.ts';
import { RecordBatchBuilder } from './builder.ts';
import { crc32c, crc32cPortable } from './crc.ts';
import { RecordCursor } from './cursor.ts';

const CODECS = Object.keys(CODEC) as CodecName[];

function sample(codec: CodecName, records = 200): Uint8Array {
  const builder = new RecordBatchBuilder(64);
  for (let i = 0; i < records; i++) {
    const key = i % 3 === 0 ? null : Buffer.from(`key-${i}`);
    const value = i % 7 === 0 ? null : Buffer.from(`value ${i} `.repeat(i % 20));
    builder.append(
      1_700_000_000_000 + i * 3 - (i % 2) * 10,
      key,
      value,
      i % 5 === 0
        ? [
            ['h', Buffer.from([i])],
            ['n', null],
          ]
        : [],
    );
  }
  return builder.finish({ codec });
}

for (const codec of CODECS) {
  test(`a batch written with ${codec} reads back record by record`, () => {
    const batch = sample(codec);
    assert.equal(validateBatch(batch), undefined);
    assert.equal(new BatchHeader(batch).codec, CODEC[codec]);
    const cursor = new RecordCursor().open(batch);
    let i = 0;
    while (cursor.advance()) {
      assert.equal(cursor.offset, i);
      assert.equal(cursor.timestamp, 1_700_000_000_000 + i * 3 - (i % 2) * 10);
      assert.equal(cursor.key && Buffer.from(cursor.key).toString(), i % 3 === 0 ? null : `key-${i}`);
      const value = i % 7 === 0 ? null : `value ${i} `.repeat(i % 20);
      assert.equal(cursor.value && Buffer.from(cursor.value).toString(), value);
      assert.equal(cursor.headers().length, i % 5 === 0 ? 2 : 0);
      i++;
    }
    assert.equal(i, 200);
  });
}

test('a batch reads the same from shared memory', () => {
  const batch = sample('zstd');
  const shared = new Uint8Array(new SharedArrayBuffer(batch.length + 7)).subarray(7);
  shared.set(batch);
  assert.equal(validateBatch(shared), undefined);
  for (const codec of CODECS) {
    const one = sample(codec, 9);
    const copy = new Uint8Array(new SharedArrayBuffer(one.length));
    copy.set(one);
    const cursor = new RecordCursor().open(copy);
    let count = 0;
    while (cursor.advance()) count++;
    assert.equal(count, 9);
  }
});

test('every flipped bit behind the header’s free part is found by the crc', () => {
  const batch = Buffer.from(sample('none', 3));
  for (let at = 17; at < batch.length; at++) {
    const copy = Uint8Array.from(batch);
    copy[at]! ^= 1 << (at % 8);
    assert.ok(validateBatch(copy), `byte ${at}`);
  }
});

test('base offset and leader epoch are written in place without a new crc', () => {
  const batch = sample('none');
  const header = new BatchHeader(batch);
  header.baseOffset = 2 ** 40 + 5;
  header.partitionLeaderEpoch = 9;
  assert.equal(validateBatch(batch), undefined);
  assert.equal(header.lastOffset, 2 ** 40 + 204);
});

test('a batch cut at any byte is refused', () => {
  const batch = sample('none', 5);
  for (let length = 0; length < batch.length; length++) assert.ok(validateBatch(batch.subarray(0, length)));
});

test('mutated records end in MR4003 or MR4004, never in anything else', () => {
  for (const codec of CODECS) {
    const batch = sample(codec, 20);
    for (let i = 0; i < 400; i++) {
      const copy = Uint8Array.from(batch);
      const at = 61 + ((i * 7919) % (copy.length - 61));
      copy[at] = (copy[at]! + 1 + (i % 255)) & 0xff;
      try {
        const cursor = new RecordCursor().open(copy, 1_000_000);
        while (cursor.advance()) cursor.headers();
      } catch (error) {
        assert.ok(error instanceof MillraceError && /^MR400[34]$/.test(error.code), String(error));
      }
    }
  }
});

test('a small batch that inflates beyond the bound is refused', () => {
  for (const codec of CODECS.slice(1)) {
    const builder = new RecordBatchBuilder();
    builder.append(0, null, new Uint8Array(4_000_000));
    const batch = builder.finish({ codec });
    assert.throws(() => new RecordCursor().open(batch, 1_000_000), { code: 'MR4004' });
  }
});

test('crc32c of the library and of the tables agree', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe306_9283);
  for (let length = 0; length < 100; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37) & 0xff);
    assert.equal(crc32cPortable(bytes), crc32c(bytes));
    const shared = new Uint8Array(new SharedArrayBuffer(length + 9)).subarray(5, 5 + length);
    shared.set(bytes);
    assert.equal(crc32c(shared), crc32cPortable(bytes), 'in the middle of shared memory');
  }
});
