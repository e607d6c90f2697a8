/** Message sets of formats 0 and 1: read with every codec, offsets in every way they are written, damage named. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { MillraceError } from '../../base/index.ts';
import { type InnerOffsets, type LegacyMessage, message, messageSet, wrapper } from '../../testing/index.ts';
import { MessageSetCursor } from './message-set.ts';

interface Read {
  offset: number;
  timestamp: number;
  key: string | null;
  value: string | null;
}

const text = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString());

function readAll(set: Uint8Array, options: Parameters<MessageSetCursor['open']>[1] = {}): Read[] {
  const cursor = new MessageSetCursor().open(set, options);
  const list: Read[] = [];
  while (cursor.advance()) {
    const { offset, timestamp } = cursor;
    list.push({ offset, timestamp, key: text(cursor.key), value: text(cursor.value) });
  }
  return list;
}

const offsets = (set: Uint8Array): number[] => readAll(set).map(({ offset }) => offset);

function samples(magic: 0 | 1, first = 100): LegacyMessage[] {
  return Array.from({ length: 5 }, (_, i) => ({
    magic,
    offset: first + i,
    timestamp: magic === 1 ? 1_500_000_000_000 + i : -1,
    key: i % 2 === 0 ? null : Buffer.from(`k${i}`),
    value: i === 3 ? null : Buffer.from(`value ${i}`),
  }));
}

const expected = (messages: readonly LegacyMessage[]): Read[] =>
  messages.map(({ key, offset, timestamp, value }) => ({
    offset: offset!,
    timestamp: timestamp!,
    key: text(key ?? null),
    value: text(value ?? null),
  }));

for (const magic of [0, 1] as const) {
  test(`a set of format ${magic} reads back, plain and in wrappers of every codec`, () => {
    const messages = samples(magic);
    assert.deepEqual(readAll(messageSet(messages)), expected(messages));
    for (const codec of ['gzip', 'snappy', 'lz4'] as const) {
      const more = samples(magic, 200);
      const set = Buffer.concat([message(messages[0]!), wrapper(codec, messages.slice(1)), wrapper(codec, more)]);
      assert.deepEqual(readAll(set), expected([...messages, ...more]), codec);
    }
  });

  test(`inner offsets of format ${magic} are understood relative, absolute and missing`, () => {
    for (const inner of ['relative', 'absolute', 'zero'] satisfies InnerOffsets[]) {
      assert.deepEqual(offsets(wrapper('gzip', samples(magic), { inner })), [100, 101, 102, 103, 104], inner);
    }
  });

  test(`a compacted wrapper of format ${magic} keeps the gaps between its messages`, () => {
    const messages = samples(magic).filter((_, i) => i !== 2);
    const inner = messages.map((one, i) => ({ ...one, offset: [0, 1, 3, 4][i]! }));
    assert.deepEqual(offsets(wrapper('lz4', inner, { inner: 'absolute', offset: 104 })), [100, 101, 103, 104]);
  });

  test(`every flipped bit of a message of format ${magic} is found`, () => {
    const set = messageSet(samples(magic).slice(0, 2));
    for (let at = 8; at < set.length; at++) {
      const copy = Uint8Array.from(set);
      copy[at]! ^= 1 << (at % 8);
      // The second message's offset is covered by nothing.
      const second = 12 + set.readInt32BE(8);
      if (at >= second && at < second + 8) continue;
      assert.throws(() => readAll(copy), { code: 'MR4005' }, `byte ${at}`);
    }
  });

  test(`a set of format ${magic} that ends inside a message is damage, or the end where a fetch may cut`, () => {
    const messages = samples(magic).slice(0, 2);
    const set = messageSet(messages);
    const whole = 12 + set.readInt32BE(8);
    for (let length = 1; length < set.length; length++) {
      if (length === whole) continue;
      const cut = set.subarray(0, length);
      assert.throws(() => readAll(cut), { code: 'MR4005' });
      const cursor = new MessageSetCursor().open(cut, { mayBeCut: true });
      let count = 0;
      while (cursor.advance()) count++;
      assert.equal(count, length < whole ? 0 : 1);
      assert.ok(cursor.isCut);
    }
  });
}

test('the log append time of a wrapper holds for all in it', () => {
  const set = wrapper('snappy', samples(1), { appendTime: 1_600_000_000_000 });
  assert.deepEqual(
    readAll(set).map(({ timestamp }) => timestamp),
    Array(5).fill(1_600_000_000_000),
  );
  const cursor = new MessageSetCursor().open(set);
  cursor.advance();
  assert.equal(cursor.isLogAppendTime, true);
});

test('a raw snappy block is read like the stream of Java clients', () => {
  const [inner] = samples(1, 0);
  const literal = message({ ...inner!, offset: 0 });
  const raw = Buffer.concat([Buffer.from([literal.length, (literal.length - 1) << 2]), literal]);
  const set = message({ magic: 1, offset: 9, timestamp: 1, attributes: 2, value: raw });
  assert.deepEqual(offsets(set), [9]);
});

test('what a wrapper must not hold is refused with its place', () => {
  const inner = samples(1);
  const cases: readonly (readonly [string, Uint8Array, string])[] = [
    ['a wrapper in a wrapper', wrapOne(wrapper('gzip', inner)), 'MR4005'],
    ['another magic inside', wrapOne(message(samples(0)[0]!)), 'MR4005'],
    ['a message cut short', wrapOne(messageSet(inner).subarray(0, 60)), 'MR4005'],
    ['nothing', wrapOne(new Uint8Array(0)), 'MR4005'],
    ['no value', message({ magic: 1, attributes: 1 }), 'MR4005'],
    ['zstd', message({ magic: 1, attributes: 4, value: Buffer.from('x') }), 'MR4006'],
    ['codec 7', message({ magic: 0, attributes: 7, value: Buffer.from('x') }), 'MR4006'],
    ['no snappy', message({ magic: 0, attributes: 2, value: Buffer.from('\x7fx') }), 'MR4004'],
    ['magic 2', message({ magic: 2 as 1, value: Buffer.from('x'.repeat(20)) }), 'MR4005'],
  ];
  for (const [what, set, code] of cases) {
    assert.throws(
      () => readAll(Buffer.concat([message(inner[0]!), set])),
      error => error instanceof MillraceError && error.code === code,
      what,
    );
  }
});

/** A gzip wrapper of format 1 around any bytes. */
function wrapOne(bytes: Uint8Array): Buffer {
  return message({ magic: 1, attributes: 1, value: gzipSync(bytes) });
}

test('all wrappers of a set together inflate to the bound, not each', () => {
  const zeros = { magic: 1 as const, value: new Uint8Array(400_000), timestamp: 1 };
  const set = Buffer.concat([wrapper('gzip', [zeros]), wrapper('gzip', [zeros]), wrapper('gzip', [zeros])]);
  assert.equal(readAll(set, { inflatedBytesMax: 1_300_000 }).length, 3);
  assert.throws(() => readAll(set, { inflatedBytesMax: 1_000_000 }), { code: 'MR4004' });
});

test('a set reads the same from shared memory', () => {
  for (const set of [messageSet(samples(1)), wrapper('lz4', samples(0)), wrapper('gzip', samples(1))]) {
    const shared = new Uint8Array(new SharedArrayBuffer(set.length + 3)).subarray(3);
    shared.set(set);
    assert.deepEqual(readAll(shared), readAll(set));
  }
});
