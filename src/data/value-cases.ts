/** Values of all types for property tests: extremes, and pairs that are equal across types more often than chance gives. */
import * as fc from 'fast-check';
import { Blob, Duration, Ip, RecordValue, Subnet, Time, type Value } from './value.ts';

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;

const ns = fc.oneof(fc.constantFrom(0n, 1n, -1n, INT_MIN, INT_MAX), fc.bigInt({ min: INT_MIN, max: INT_MAX }));
const ip = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(bits => new Ip((0xffffn << 32n) | BigInt(bits))),
  fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map(bits => new Ip(bits)),
);
const text = fc.oneof(fc.constantFrom('', '1', '1.0', 'null', '"', '\\', '\0', '\ud83d\ude00', 'ß'), fc.string());

export const scalars = {
  null: fc.constant(null),
  bool: fc.boolean(),
  int: fc.oneof(
    fc.constantFrom(0n, 1n, 2n ** 53n + 1n, INT_MIN, INT_MAX, INT_MAX + 1n, 2n ** 64n - 1n),
    fc.bigInt({ min: INT_MIN, max: 2n ** 64n - 1n }),
  ),
  float: fc.oneof(fc.constantFrom(0, -0, 1, 0.5, 2 ** 53, 1e300, Number.NaN, Number.POSITIVE_INFINITY), fc.double()),
  string: text,
  time: ns.map(at => new Time(at)),
  duration: ns.map(length => new Duration(length)),
  blob: fc.uint8Array({ maxLength: 8 }).map(bytes => new Blob(bytes)),
  ip,
  subnet: fc.tuple(ip, fc.integer({ min: 0, max: 128 })).map(([address, prefix]) => new Subnet(address, prefix)),
} satisfies Record<string, fc.Arbitrary<Value>>;

export const anyScalar: fc.Arbitrary<Value> = fc.oneof(...Object.values(scalars));

export const anyValue: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>(tie => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    anyScalar,
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.constantFrom('a', 'b', '"', ''), tie('value')), { maxLength: 4 })
      .map(entries => new RecordValue(entries)),
  ),
})).value;
