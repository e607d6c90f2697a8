/**
 * Message sets at random: what goes up comes down as it was, in every format and codec; damaged sets and batches end in one
 * of the named errors, within the bound of what they may inflate to.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError, type SeededRandom } from '../../base/index.ts';
import { fuzz, type LegacyCodec, type LegacyMessage, messageSet, wrapper } from '../../testing/index.ts';
import { BatchHeader, validateBatch } from './batch.ts';
import { downConvert } from './down-conversion.ts';
import { MessageSetCursor } from './message-set.ts';
import { upConvert } from './up-conversion.ts';

const CODECS: readonly LegacyCodec[] = ['none', 'gzip', 'snappy', 'lz4'];
const INFLATED_BYTES_MAX = 1_000_000;
const NAMED = /^MR400[3-8]$/;

interface Plain {
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

function randomBytes(random: SeededRandom): Uint8Array | null {
  const kind = random.below(8);
  if (kind === 0) return null;
  if (kind === 1) return new Uint8Array(random.below(2_000)).fill(random.below(256));
  return random.bytes(random.below(kind === 2 ? 300 : 20));
}

function randomSet(random: SeededRandom): { set: Buffer; plain: Plain[] } {
  const plain: Plain[] = [];
  const parts: Buffer[] = [];
  const magic = random.below(2) as 0 | 1;
  for (let part = random.below(3); part >= 0; part--) {
    const messages: LegacyMessage[] = Array.from({ length: 1 + random.below(12) }, () => ({
      magic,
      offset: random.below(1_000),
      timestamp: magic === 0 || random.below(5) === 0 ? -1 : random.below(2 ** 41),
      key: randomBytes(random),
      value: randomBytes(random),
    }));
    for (const { key, timestamp, value } of messages) plain.push({ key: key!, timestamp: timestamp!, value: value! });
    const codec = CODECS[random.below(4)]!;
    const inner = (['relative', 'absolute', 'zero'] as const)[random.below(3)]!;
    parts.push(codec === 'none' ? messageSet(messages) : wrapper(codec, messages, { inner }));
  }
  return { set: Buffer.concat(parts), plain };
}

/** A run of changed, removed or repeated bytes. */
function damaged(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  for (let i = random.below(3); i >= 0; i--) copy[random.below(copy.length)] = random.below(256);
  const from = random.below(copy.length);
  const to = from + random.below(20);
  const kind = random.below(4);
  if (kind === 0) return Buffer.concat([copy.subarray(0, from), copy.subarray(to)]);
  if (kind === 1) return Buffer.concat([copy.subarray(0, to), copy.subarray(from)]);
  return copy;
}

test('what goes up comes down as it was', () => {
  fuzz(1, random => {
    const { plain, set } = randomSet(random);
    let next = random.below(2 ** 45);
    const first = next;
    const batches = [...upConvert(set, { messageBytesMax: 1_000 + random.below(100_000) + set.length })];
    for (const batch of batches) {
      assert.equal(validateBatch(batch), undefined);
      const header = new BatchHeader(batch);
      header.baseOffset = next;
      next = header.lastOffset + 1;
    }
    assert.equal(next - first, plain.length);
    for (const magic of [0, 1] as const) {
      const skipped = random.below(plain.length);
      const down = Buffer.concat([...downConvert(batches, magic, first + skipped)]);
      const cursor = new MessageSetCursor().open(down);
      for (let i = skipped; i < plain.length; i++) {
        const { key, timestamp, value } = plain[i]!;
        assert.ok(cursor.advance());
        assert.equal(cursor.offset, first + i);
        assert.equal(cursor.timestamp, magic === 0 ? -1 : timestamp);
        assert.deepEqual(cursor.key && Buffer.from(cursor.key), key && Buffer.from(key));
        assert.deepEqual(cursor.value && Buffer.from(cursor.value), value && Buffer.from(value));
      }
      assert.ok(!cursor.advance());
    }
  });
});

test('a damaged set ends in a named error or in messages, going up and when it is read', () => {
  fuzz(2, random => {
    const set = damaged(random, randomSet(random).set);
    expectNamed(() => {
      for (const batch of upConvert(set, { messageBytesMax: 10_000, inflatedBytesMax: INFLATED_BYTES_MAX })) {
        assert.equal(validateBatch(batch), undefined);
      }
    });
    expectNamed(() => {
      const cursor = new MessageSetCursor().open(set, { mayBeCut: true, inflatedBytesMax: INFLATED_BYTES_MAX });
      while (cursor.advance()) assert.ok(cursor.bytes.length <= Math.max(set.length, INFLATED_BYTES_MAX));
    });
  });
});

test('a set whose crcs are right and whose lengths are not ends in a named error', () => {
  fuzz(3, random => {
    const { set } = randomSet(random);
    const inner = damaged(random, set);
    const magic = random.below(2) as 0 | 1;
    const wrapped = wrapper('gzip', [{ magic, value: inner }]);
    const raw = messageSet([{ magic, attributes: 1 + random.below(7), value: damaged(random, wrapped) }]);
    for (const bytes of [wrapped, raw]) {
      expectNamed(() => [...upConvert(bytes, { messageBytesMax: 100_000, inflatedBytesMax: INFLATED_BYTES_MAX })]);
    }
  });
});

test('a damaged batch goes down to a named error or to a set', () => {
  fuzz(4, random => {
    for (const batch of upConvert(randomSet(random).set, { messageBytesMax: 100_000 })) {
      const copy = Buffer.from(batch);
      // Headers are checked where batches are read; what stands behind is not.
      for (let i = random.below(4); i >= 0; i--) copy[61 + random.below(copy.length - 61)] = random.below(256);
      expectNamed(() => {
        const set = Buffer.concat([...downConvert([copy], 1, 0)]);
        const cursor = new MessageSetCursor().open(set);
        while (cursor.advance());
      });
    }
  });
});

function expectNamed(run: () => void): void {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof MillraceError && NAMED.test(error.code), String(error));
  }
}
