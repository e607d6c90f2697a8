/** The contract of aggregates: parts merged give what the whole gives, and a state that was stored goes on as if it had not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decodeValue, encodeValue, Duration, type Value } from '../../data/index.ts';
import { scalars } from '../../data/value-cases.ts';
import type { Accumulator, AggregateDefinition } from '../../sdk/index.ts';
import { aggregates } from './index.ts';

const RUNS = { seed: 1_999, numRuns: 60 };

/** Sums of these are exact in a double, so that no order of adding shows. */
const wholeFloats = fc.integer({ min: -(2 ** 20), max: 2 ** 20 }).map(whole => whole / 4);
const types: Readonly<Record<string, fc.Arbitrary<Value>>> = { ...scalars, float: wholeFloats };
const mixed = fc.oneof(...Object.values(types), fc.constant([1n]));

function feed(accumulator: Accumulator, values: readonly Value[]): Accumulator {
  for (const value of values) if (value !== null) accumulator.update(value);
  return accumulator;
}

function stored(definition: AggregateDefinition, accumulator: Accumulator): Accumulator {
  return definition.decode(decodeValue(encodeValue(accumulator.encode())), () => undefined);
}

function text(value: Value): string {
  return encodeValue(value);
}

for (const definition of aggregates) {
  const create = (): Accumulator => definition.create(() => undefined);
  for (const [name, values] of Object.entries({ ...types, mixed })) {
    test(`${definition.name} over ${name}: merged equals sequential, and states survive being stored`, () => {
      fc.assert(
        fc.property(fc.array(values, { maxLength: 8 }), fc.array(values, { maxLength: 8 }), (left, right) => {
          const whole = text(feed(create(), [...left, ...right]).finish());
          const merged = feed(create(), left);
          merged.merge(feed(create(), right));
          assert.equal(text(merged.finish()), whole, 'merged');
          assert.equal(text(feed(stored(definition, feed(create(), left)), right).finish()), whole, 'stored, then fed');
          const storedParts = stored(definition, feed(create(), left));
          storedParts.merge(stored(definition, feed(create(), right)));
          assert.equal(text(storedParts.finish()), whole, 'stored, then merged');
        }),
        RUNS,
      );
    });
  }
}

test('states of the earlier format are read', () => {
  const of = (name: string): AggregateDefinition => aggregates.find(definition => definition.name === name)!;
  const read = (name: string, state: string): Value =>
    of(name)
      .decode(decodeValue(state), () => undefined)
      .finish();
  const sum = '["record",["sum",6],["count",3],["duration",false]]';
  assert.equal(read('sum', sum), 6n);
  assert.equal(read('mean', sum), 2);
  assert.deepEqual(read('sum', '["record",["sum",6],["count",3],["duration",true]]'), new Duration(6n));
  assert.equal(read('max', '7'), 7n);
});
