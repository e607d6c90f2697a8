/** Formats 0 and 1 to batches and back: what stays, what goes, what is refused, and how large pieces get. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LegacyCodec, type LegacyMessage, message, messageSet, wrapper } from '../../testing/index.ts';
import { BatchHeader, CODEC, type CodecName, validateBatch } from './batch.ts';
import { RecordBatchBuilder } from './builder.ts';
import { RecordCursor } from './cursor.ts';
import { downConvert, type LegacyMagic } from './down-conversion.ts';
import { MessageSetCursor } from './message-set.ts';
import { upConvert } from './up-conversion.ts';

const LIMITS = { messageBytesMax: 1_048_588 };
const TIME = 1_500_000_000_000;

interface Read {
  offset: number;
  timestamp: number;
  key: string | null;
  value: string | null;
}

const text = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : Buffer.from(bytes).toString('latin1');

function readAll(cursor: RecordCursor | MessageSetCursor): Read[] {
  const list: Read[] = [];
  while (cursor.advance()) {
    const { offset, timestamp } = cursor;
    list.push({ offset, timestamp, key: text(cursor.key), value: text(cursor.value) });
  }
  return list;
}

const readBatch = (batch: Uint8Array): Read[] => readAll(new RecordCursor().open(batch));
const readSet = (pieces: Iterable<Uint8Array>): Read[] =>
  readAll(new MessageSetCursor().open(Buffer.concat([...pieces])));

function messages(magic: 0 | 1, count = 6): LegacyMessage[] {
  return Array.from({ length: count }, (_, i) => ({
    magic,
    offset: i,
    timestamp: magic === 1 ? TIME - i : -1,
    key: i % 2 === 0 ? null : Buffer.from(`k${i}`),
    value: i === 3 ? null : Buffer.from(`value ${i} `.repeat(9)),
  }));
}

function legacySet(codec: LegacyCodec, list: readonly LegacyMessage[], inner?: 'zero'): Buffer {
  return codec === 'none' ? messageSet(list) : wrapper(codec, list, inner ? { inner } : {});
}

function batchOf(
  base: number,
  count: number,
  options: Parameters<RecordBatchBuilder['finish']>[0] = {},
  valueBytes = 40,
): Buffer {
  const builder = new RecordBatchBuilder();
  for (let i = 0; i < count; i++) {
    const value = i % 5 === 4 ? null : Buffer.from(`${base + i} `.padEnd(valueBytes, 'v'));
    builder.append(TIME + i, i % 3 === 0 ? null : Buffer.from(`key ${i}`), value, [['header', Buffer.from('h')]]);
  }
  const batch = builder.finish(options);
  new BatchHeader(batch).baseOffset = base;
  return Buffer.from(batch);
}

for (const magic of [0, 1] as const) {
  for (const codec of ['none', 'gzip', 'snappy', 'lz4'] as const) {
    test(`a ${codec} set of format ${magic} becomes one batch with the same codec, keys, values, timestamps and order`, () => {
      const list = messages(magic);
      for (const inner of [undefined, 'zero'] as const) {
        const [batch, ...more] = upConvert(legacySet(codec, list, inner), LIMITS);
        assert.deepEqual(more, []);
        assert.equal(validateBatch(batch!), undefined);
        const header = new BatchHeader(batch!);
        assert.equal(header.codec, CODEC[codec]);
        assert.equal(header.producerId, -1);
        assert.deepEqual(
          readBatch(batch!),
          list.map(({ key, timestamp, value }, i) => ({
            offset: i,
            timestamp: timestamp!,
            key: text(key!),
            value: text(value!),
          })),
        );
      }
    });

    test(`a ${codec} batch becomes a set of format ${magic} with absolute offsets, the same codec and no headers`, () => {
      const batch = batchOf(1_000, 20, { codec });
      const set = Buffer.concat([...downConvert([batch], magic, 0)]);
      const cursor = new MessageSetCursor().open(set);
      cursor.advance();
      assert.equal(cursor.magic, magic);
      assert.equal(cursor.codec, CODEC[codec]);
      const expected = readBatch(batch).map(record => (magic === 0 ? { ...record, timestamp: -1 } : record));
      assert.deepEqual(readSet([set]), expected);
      // The wrapper's own offset, which clients go by before they look inside.
      if (codec !== 'none') assert.equal(set.readBigInt64BE(0), 1_019n);
    });
  }

  test(`inner offsets of a wrapper of format ${magic} are ${magic === 0 ? 'absolute' : 'counted from 0'}`, () => {
    const [piece] = downConvert([batchOf(500, 4, { codec: 'gzip' }, 200)], magic, 501);
    const cursor = new MessageSetCursor().open(piece!);
    cursor.advance();
    const inner = Buffer.from(cursor.bytes);
    assert.equal(inner.readBigInt64BE(0), magic === 0 ? 501n : 0n);
    assert.equal(cursor.offset, 501);
  });
}

test('lz4 in format 0 has the wrong header checksum, in format 1 the right one', () => {
  const frameOf = (magic: LegacyMagic): Buffer => {
    const [piece] = downConvert([batchOf(0, 30, { codec: 'lz4' })], magic, 0);
    const set = Buffer.from(piece!);
    return set.subarray(set.indexOf(Buffer.from('04224d18', 'hex')));
  };
  const [right, wrong] = [frameOf(1), frameOf(0)];
  assert.notEqual(right[6], wrong[6]);
  assert.deepEqual(right.subarray(0, 6), wrong.subarray(0, 6));
});

test('a set with plain messages and wrappers of several codecs keeps each codec and the order', () => {
  const list = messages(1);
  const set = Buffer.concat([
    legacySet('none', list),
    legacySet('lz4', list),
    legacySet('lz4', list),
    legacySet('gzip', list),
  ]);
  const batches = [...upConvert(set, LIMITS)];
  assert.deepEqual(
    batches.map(batch => [new BatchHeader(batch).codec, new BatchHeader(batch).recordCount]),
    [
      [CODEC.none, 6],
      [CODEC.lz4, 12],
      [CODEC.gzip, 6],
    ],
  );
});

test('a set larger than max.message.bytes of messages that are not becomes several batches below it', () => {
  const list = messages(1, 100);
  const batches = [...upConvert(messageSet(list), { messageBytesMax: 1_000 })];
  assert.ok(batches.length > 5);
  for (const batch of batches) assert.ok(batch.length <= 1_000 && validateBatch(batch) === undefined);
  assert.deepEqual(
    batches.flatMap(readBatch).map(({ value }) => value),
    list.map(({ value }) => text(value!)),
  );
});

test('what a producer of formats 0 and 1 must not send is refused by code', () => {
  const [one] = messages(1);
  const cases: readonly (readonly [string, Uint8Array, string])[] = [
    ['a message over the limit', message({ magic: 0, value: new Uint8Array(2_000) }), 'MR4008'],
    ['a wrapper over the limit', message({ magic: 1, attributes: 1, value: new Uint8Array(2_000) }), 'MR4004'],
    ['log append time', message({ ...one!, attributes: 8 }), 'MR4007'],
    ['log append time of a wrapper', wrapper('gzip', [one!], { appendTime: 5 }), 'MR4007'],
    ['a negative timestamp', message({ ...one!, timestamp: -2 }), 'MR4007'],
    ['a timestamp that is no exact number', message({ ...one!, timestamp: 2 ** 60 }), 'MR4007'],
    ['a cut set', messageSet([one!, one!]).subarray(0, -1), 'MR4005'],
  ];
  for (const [what, set, code] of cases) {
    assert.throws(() => [...upConvert(set, { messageBytesMax: 1_000 })], { code }, what);
  }
});

test('log append time goes down as a type of format 1, in wrapper and messages', () => {
  for (const codec of ['none', 'snappy'] as const) {
    const batch = batchOf(7, 3, { codec }, 200);
    new BatchHeader(batch).setLogAppendTime(TIME + 99);
    const cursor = new MessageSetCursor().open(Buffer.concat([...downConvert([batch], 1, 0)]));
    while (cursor.advance()) {
      assert.equal(cursor.timestamp, TIME + 99);
      assert.equal(cursor.isLogAppendTime, true);
    }
  }
});

test('control batches are left out, aborted data is not', () => {
  const control = batchOf(10, 1, { isTransactional: true, isControl: true });
  const data = batchOf(11, 2, { isTransactional: true, producerId: 5, producerEpoch: 0, baseSequence: 0 });
  const joined = Buffer.concat([control, data, batchOf(13, 1, { isControl: true })]);
  assert.deepEqual(
    readSet(downConvert([joined, control], 1, 0)).map(({ offset }) => offset),
    [11, 12],
  );
});

test('records before the offset that was asked for are left out, in wrappers too', () => {
  for (const codec of ['none', 'gzip'] as const) {
    const pieces = downConvert([batchOf(0, 10, { codec }), batchOf(10, 10, { codec })], 0, 7);
    assert.deepEqual(
      readSet(pieces).map(({ offset }) => offset),
      Array.from({ length: 13 }, (_, i) => 7 + i),
    );
  }
});

test('zstd goes down no further than to where it begins', () => {
  const pieces = downConvert([batchOf(0, 2), batchOf(2, 20, { codec: 'zstd' })], 1, 0);
  assert.deepEqual(readSet([pieces.next().value as Uint8Array]).length, 2);
  assert.throws(() => pieces.next(), { code: 'MR4006' });
});

test('a batch that compression does not make smaller goes down plain, with absolute offsets', () => {
  // It pays for the batch, whose first record repeats itself, and not for what is left of it.
  const builder = new RecordBatchBuilder();
  builder.append(TIME, null, Buffer.from('abcdefghijklmnopqrstuvwxyz0123456789aaaaaaaaaaaaaaaaaaaaaaaaaaaa'));
  builder.append(TIME, null, Buffer.from('z'));
  const batch = builder.finish({ codec: 'snappy' });
  assert.equal(new BatchHeader(batch).codec, CODEC.snappy);
  new BatchHeader(batch).baseOffset = 40;
  for (const magic of [0, 1] as const) {
    const set = Buffer.concat([...downConvert([batch], magic, 41)]);
    const cursor = new MessageSetCursor().open(set);
    assert.ok(cursor.advance());
    assert.deepEqual([cursor.codec, cursor.offset, text(cursor.value)], [CODEC.none, 41, 'z']);
  }
});

test('pieces are limited, and each is whole', () => {
  for (const codec of ['none', 'gzip', 'lz4'] as const satisfies CodecName[]) {
    const batch = batchOf(0, 5_000, { codec }, 300);
    const pieces = [...downConvert([batch], 1, 0)];
    assert.ok(pieces.length > 10, `${pieces.length} pieces`);
    let next = 0;
    for (const piece of pieces) {
      assert.ok(piece.length <= 128 * 1024);
      for (const { offset } of readSet([piece])) assert.equal(offset, next++);
    }
    assert.equal(next, 5_000);
  }
});

test('a record larger than a piece goes down whole', () => {
  const builder = new RecordBatchBuilder();
  builder.append(TIME, null, Buffer.alloc(300_000, 1));
  builder.append(TIME, null, Buffer.from('after'));
  const pieces = [...downConvert([builder.finish()], 0, 0)];
  assert.deepEqual(
    pieces.map(piece => piece.length),
    [300_026, 31],
  );
});

test('a batch without records, as compaction leaves it, gives nothing', () => {
  const batch = batchOf(3, 1);
  batch.writeInt32BE(0, 57);
  const empty = batch.subarray(0, 61);
  empty.writeInt32BE(49, 8);
  assert.deepEqual([...downConvert([empty], 1, 0)], []);
});

test('a record with a timestamp beyond all bounds goes down without an end of anything', () => {
  const builder = new RecordBatchBuilder();
  builder.append(0, null, Buffer.from('first'));
  builder.append(2 ** 62, null, Buffer.from('second'));
  const batch = Buffer.from(builder.finish());
  batch.writeBigInt64BE(2n ** 63n - 1n, 27);
  assert.deepEqual(
    readSet(downConvert([batch], 1, 0)).map(({ value }) => value),
    ['first', 'second'],
  );
});
