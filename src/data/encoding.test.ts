/** Encoded values come back with their types; keys are equal exactly where values are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decodeValue, encodeValue, keyOf } from './encoding.ts';
import { printTql } from './print.ts';
import { anyValue } from './value-cases.ts';
import { equals, RecordValue, Secret, Time, typeOf, type Value } from './value.ts';

const SEED = 4_711;

/** Types too, and NaN equals itself. */
function isSame(a: Value, b: Value): boolean {
  if (typeOf(a) !== typeOf(b)) return false;
  if (Array.isArray(a)) return a.length === (b as Value[]).length && a.every((x, i) => isSame(x, (b as Value[])[i]!));
  if (a instanceof RecordValue) {
    const [left, right] = [[...a.entries()], [...(b as RecordValue).entries()]];
    return left.length === right.length && left.every(([k, v], i) => k === right[i]![0] && isSame(v, right[i]![1]));
  }
  return Object.is(a, b) || equals(a, b);
}

test('a value comes back from its encoding as it was', () => {
  fc.assert(
    fc.property(anyValue, value => {
      const back = decodeValue(encodeValue(value));
      assert.ok(isSame(value, back), `${printTql(value)} became ${printTql(back)}`);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

test('two values have the same key exactly when they are equal', () => {
  fc.assert(
    fc.property(anyValue, anyValue, (a, b) => {
      assert.equal(keyOf(a) === keyOf(b), equals(a, b) || (Number.isNaN(a) && Number.isNaN(b)));
    }),
    { seed: SEED, numRuns: 500 },
  );
  const nested = (x: Value): Value => [
    new RecordValue([
      ['x', x],
      ['y', 'a'],
    ]),
  ];
  const turned = (x: Value): Value => [
    new RecordValue([
      ['y', 'a'],
      ['x', x],
    ]),
  ];
  assert.equal(keyOf(nested(1n)), keyOf(turned(1)));
  assert.notEqual(keyOf(nested(2n ** 53n + 1n)), keyOf(nested(2 ** 53)));
  assert.notEqual(keyOf(new Time(0n)), keyOf('1970-01-01T00:00:00Z'));
});

test('the text of a secret is not in its encoding', () => {
  assert.equal(encodeValue([new Secret('tell nobody')]), '["list","***"]');
});
