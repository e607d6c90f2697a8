/**
 * The meaning of operations over all pairs of types: what comes out, and how many warnings. The tables here are written from
 * the language's description, not from the code: whatever they do not name is null and exactly one warning.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Blob,
  Duration,
  printTql,
  readIp,
  readSubnet,
  RecordValue,
  Secret,
  Time,
  typeOf,
  type Value,
} from '../../data/index.ts';
import type { ArithmeticOperation, BinaryOperation, ComparisonOperation } from '../../sdk/index.ts';
import { binary, isTrue, logical, negate, not, plus } from './operations.ts';

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;
const UINT_MAX = 2n ** 64n - 1n;

/** Two different values of each type, the smaller one first. */
const SAMPLES: Readonly<Record<string, readonly [Value, Value]>> = {
  bool: [false, true],
  int: [2n, 3n],
  uint: [UINT_MAX - 1n, UINT_MAX],
  float: [1.5, 2.5],
  string: ['a', 'b'],
  time: [new Time(1n), new Time(2n)],
  duration: [new Duration(10n), new Duration(20n)],
  blob: [new Blob(new Uint8Array([1])), new Blob(new Uint8Array([2]))],
  ip: [readIp('10.0.0.1')!, readIp('10.0.0.2')!],
  subnet: [readSubnet('10.0.0.0/8')!, readSubnet('11.0.0.0/8')!],
  secret: [new Secret('x'), new Secret('y')],
  list: [[1n], [2n]],
  record: [new RecordValue([['a', 1n]]), new RecordValue([['a', 2n]])],
};
const TYPES = Object.keys(SAMPLES);
const NUMBERS = ['int', 'uint', 'float'];

function run(operation: BinaryOperation, left: Value, right: Value): { value: Value; warnings: readonly string[] } {
  const warnings: string[] = [];
  const value = binary(operation, left, right, message => warnings.push(message));
  return { value, warnings };
}

function pairs(): readonly (readonly [string, string])[] {
  return TYPES.flatMap(left => TYPES.map(right => [left, right] as const));
}

/** Result types; `int` beyond int64 is uint. */
function arithmeticType(operation: ArithmeticOperation, left: string, right: string): string | undefined {
  if (NUMBERS.includes(left) && NUMBERS.includes(right)) {
    if (operation === 'divide' || left === 'float' || right === 'float') return 'double';
    // Sums and products of the samples that are beyond 64 bits are an overflow.
    return 'integer';
  }
  const texts = ['string', 'secret'];
  if (operation === 'add' && texts.includes(left) && texts.includes(right))
    return left === 'string' && right === 'string' ? 'string' : 'secret';
  const key = `${left} ${operation} ${NUMBERS.includes(right) ? 'number' : right}`;
  if (NUMBERS.includes(left) && operation === 'multiply' && right === 'duration') return 'duration';
  return {
    'duration add duration': 'duration',
    'duration subtract duration': 'duration',
    'duration divide duration': 'double',
    'duration multiply number': 'duration',
    'duration divide number': 'duration',
    'time add duration': 'time',
    'duration add time': 'time',
    'time subtract duration': 'time',
    'time subtract time': 'duration',
  }[key];
}

const SYMBOLS: Readonly<Record<string, string>> = { add: '+', subtract: '-', multiply: '*', divide: '/' };
const ARITHMETIC: readonly ArithmeticOperation[] = ['add', 'subtract', 'multiply', 'divide'];
const COMPARISONS: readonly ComparisonOperation[] = ['less', 'less_equal', 'greater', 'greater_equal'];

for (const operation of ARITHMETIC) {
  test(`${operation}: every pair of types gives what the table says, or null and one warning`, () => {
    for (const [left, right] of pairs()) {
      const [a, b] = [SAMPLES[left]![0], SAMPLES[right]![1]];
      const expected = arithmeticType(operation, left, right);
      const { value, warnings } = run(operation, a, b);
      const text = `${left} ${operation} ${right} = ${printTql(value)} (${warnings.join(', ')})`;
      if (expected === undefined) {
        const types = `\`(${typeOf(a)}, ${typeOf(b)})\``;
        const message = `binary operator \`${SYMBOLS[operation]}\` does not accept the argument type combination ${types}`;
        assert.deepEqual([value, warnings], [null, [message]], text);
      } else if (expected === 'integer') {
        const exact = exactly(operation, a as bigint, b as bigint);
        const isBeyond = exact < INT_MIN || exact > UINT_MAX;
        assert.deepEqual([value, warnings], isBeyond ? [null, ['integer overflow']] : [exact, []], text);
      } else if (left === 'duration' && right === 'uint' && operation === 'multiply') {
        assert.deepEqual([value, warnings], [null, ['duration overflow']], text);
      } else if (left === 'uint' && right === 'duration') {
        assert.deepEqual([value, warnings], [null, ['duration overflow']], text);
      } else assert.deepEqual([typeOf(value), warnings], [expected, []], text);
    }
  });

  test(`${operation}: a null operand gives null without a warning`, () => {
    for (const type of TYPES) {
      for (const other of SAMPLES[type]!) {
        assert.deepEqual(run(operation, null, other), { value: null, warnings: [] }, type);
        assert.deepEqual(run(operation, other, null), { value: null, warnings: [] }, type);
      }
    }
    assert.deepEqual(run(operation, null, null), { value: null, warnings: [] });
  });
}

function exactly(operation: ArithmeticOperation, a: bigint, b: bigint): bigint {
  return operation === 'add' ? a + b : operation === 'subtract' ? a - b : a * b;
}

test('integers are exact up to both ends of 64 bits, and beyond is an overflow', () => {
  const overflow = { value: null, warnings: ['integer overflow'] };
  const cases: readonly (readonly [ArithmeticOperation, bigint, bigint, bigint | undefined])[] = [
    ['add', INT_MAX - 1n, 1n, INT_MAX],
    ['add', INT_MAX, 1n, undefined],
    ['add', INT_MIN, -1n, undefined],
    ['subtract', INT_MIN + 1n, 1n, INT_MIN],
    ['subtract', INT_MIN, 1n, undefined],
    ['subtract', 0n, INT_MIN, undefined],
    ['multiply', INT_MIN, -1n, undefined],
    ['multiply', 2n ** 32n, 2n ** 30n, 2n ** 62n],
    ['multiply', 2n ** 32n, 2n ** 31n, undefined],
    ['multiply', 3_037_000_499n, 3_037_000_499n, 9223372030926249001n],
    ['add', UINT_MAX, 0n, UINT_MAX],
    ['add', UINT_MAX, 1n, undefined],
    ['subtract', UINT_MAX, UINT_MAX, 0n],
    ['subtract', INT_MAX + 1n, 1n, INT_MAX],
    ['add', INT_MAX + 1n, -1n, INT_MAX],
    ['add', 9_007_199_254_740_993n, 2n, 9_007_199_254_740_995n],
  ];
  for (const [operation, a, b, exact] of cases) {
    const expected = exact === undefined ? overflow : { value: exact, warnings: [] };
    assert.deepEqual(run(operation, a, b), expected, `${a} ${operation} ${b}`);
  }
});

test('division gives floats, and division by zero null and one warning, for all numbers', () => {
  assert.deepEqual(run('divide', 10n, 5n), { value: 2, warnings: [] });
  for (const zero of [0n, 0, -0]) {
    for (const value of [1n, UINT_MAX, 1.5, new Duration(1n)]) {
      assert.deepEqual(run('divide', value, zero), { value: null, warnings: ['division by zero'] });
    }
  }
  assert.deepEqual(run('divide', new Duration(1n), new Duration(0n)), { value: null, warnings: ['division by zero'] });
});

test('durations and times are exact nanoseconds, and beyond int64 is an overflow', () => {
  const ns = (value: Value): bigint => (value as Duration | Time).ns;
  assert.equal(ns(run('divide', new Duration(INT_MAX), 1n).value), INT_MAX);
  assert.equal(ns(run('divide', new Duration(-7n), 2n).value), -4n);
  assert.equal(ns(run('multiply', new Duration(INT_MAX / 3n), 3n).value), (INT_MAX / 3n) * 3n);
  assert.equal(ns(run('multiply', new Duration(3n), 0.5).value), 2n);
  assert.equal(ns(run('add', new Time(INT_MAX - 1n), new Duration(1n)).value), INT_MAX);
  for (const [operation, a, b, message] of [
    ['add', new Duration(INT_MAX), new Duration(1n), 'duration overflow'],
    ['multiply', new Duration(2n), INT_MAX, 'duration overflow'],
    ['multiply', new Duration(2n), 1e300, 'duration overflow'],
    ['multiply', new Duration(2n), Number.NaN, 'duration overflow'],
    ['divide', new Duration(INT_MIN), -1n, 'duration overflow'],
    ['subtract', new Time(INT_MIN), new Time(1n), 'duration overflow'],
    ['add', new Time(INT_MAX), new Duration(1n), 'time overflow'],
    ['subtract', new Time(INT_MIN), new Duration(1n), 'time overflow'],
  ] as const) {
    assert.deepEqual(run(operation, a, b), { value: null, warnings: [message] });
  }
});

test('equality is total: no pair of types warns, and only what is equal is', () => {
  for (const [left, right] of pairs()) {
    for (const i of [0, 1] as const) {
      for (const j of [0, 1] as const) {
        const isSame = left === right && i === j && left !== 'secret';
        const [a, b] = [SAMPLES[left]![i], SAMPLES[right]![j]];
        if (left === 'secret' && right === 'secret') continue;
        assert.deepEqual(run('equal', a, b), { value: isSame, warnings: [] }, `${left} == ${right}`);
        assert.deepEqual(run('not_equal', a, b), { value: !isSame, warnings: [] }, `${left} != ${right}`);
      }
    }
  }
  for (const type of TYPES) {
    assert.deepEqual(run('equal', null, SAMPLES[type]![0]), { value: false, warnings: [] }, type);
    assert.deepEqual(run('not_equal', SAMPLES[type]![0], null), { value: true, warnings: [] }, type);
  }
  assert.equal(run('equal', null, null).value, true);
  assert.equal(run('not_equal', null, null).value, false);
});

test('numbers are equal and ordered by value across types, also inside lists and records', () => {
  const list = (value: Value): Value => [new RecordValue([['a', [value]]])];
  const equal: readonly (readonly [Value, Value, boolean])[] = [
    [1n, 1, true],
    [0n, -0, true],
    [INT_MAX, 2 ** 63, false],
    [2n ** 63n, 2 ** 63, true],
    [UINT_MAX, 2 ** 64, false],
    [9_007_199_254_740_993n, 9_007_199_254_740_992, false],
    [Number.NaN, Number.NaN, false],
  ];
  for (const [a, b, isEqual] of equal) {
    for (const [x, y] of [
      [a, b],
      [b, a],
      [list(a), list(b)],
    ] as const)
      assert.equal(run('equal', x, y).value, isEqual);
  }
  assert.equal(run('less', INT_MAX, 2 ** 63).value, true);
  assert.equal(run('greater', UINT_MAX, 1.8446744073709552e19).value, false);
  assert.equal(run('less', -1n, UINT_MAX).value, true);
  for (const operation of COMPARISONS) {
    assert.deepEqual(run(operation, 1n, Number.NaN), { value: false, warnings: [] });
  }
});

/** Types with a common order. */
function areOrdered(left: string, right: string): boolean {
  if (NUMBERS.includes(left) && NUMBERS.includes(right)) return true;
  return left === right && ['bool', 'string', 'time', 'duration', 'blob', 'ip', 'subnet'].includes(left);
}

for (const operation of COMPARISONS) {
  test(`${operation}: ordered types are compared, all others are null and one warning`, () => {
    const holds = (sign: number): boolean =>
      operation === 'less'
        ? sign < 0
        : operation === 'less_equal'
          ? sign <= 0
          : operation === 'greater'
            ? sign > 0
            : sign >= 0;
    for (const [left, right] of pairs()) {
      const [[low, high], [, otherHigh]] = [SAMPLES[left]!, SAMPLES[right]!];
      const { value, warnings } = run(operation, low, otherHigh);
      if (!areOrdered(left, right))
        assert.deepEqual([value, warnings.length], [null, 1], `${left} ${operation} ${right}`);
      else if (left === right) {
        assert.deepEqual([value, warnings], [holds(-1), []], left);
        assert.deepEqual(run(operation, high, high), { value: holds(0), warnings: [] }, left);
        assert.deepEqual(run(operation, high, low), { value: holds(1), warnings: [] }, left);
      } else assert.deepEqual([typeof value, warnings], ['boolean', []], `${left} ${operation} ${right}`);
    }
  });

  test(`${operation}: two nulls are true for the inclusive ones, one null is null`, () => {
    const isInclusive = operation.endsWith('_equal');
    assert.deepEqual(run(operation, null, null), { value: isInclusive ? true : null, warnings: [] });
    for (const type of TYPES) {
      assert.deepEqual(run(operation, null, SAMPLES[type]![0]), { value: null, warnings: [] }, type);
      assert.deepEqual(run(operation, SAMPLES[type]![0], null), { value: null, warnings: [] }, type);
    }
  });
}

test('`in`: lists hold anything, texts texts, subnets addresses and subnets; all else is null and one warning', () => {
  for (const [left, right] of pairs()) {
    const [value, container] = [SAMPLES[left]![0], SAMPLES[right]![0]];
    const isDefined =
      right === 'list' ||
      (left === 'string' && right === 'string') ||
      (right === 'subnet' && ['ip', 'subnet'].includes(left));
    for (const operation of ['in', 'not_in'] as const) {
      const { value: found, warnings } = run(operation, value, container);
      const text = `${left} ${operation} ${right}`;
      if (isDefined) assert.deepEqual([typeof found, warnings], ['boolean', []], text);
      else assert.deepEqual([found, warnings.length], [null, 1], text);
    }
  }
  const cases: readonly (readonly [Value, Value, boolean | null])[] = [
    [[2n], [0n, [2]], true],
    [2n, [[2n]], false],
    [new RecordValue([['x', 1n]]), [0n, new RecordValue([['x', 1]])], true],
    [null, [1n, null], true],
    [null, [1n], false],
    ['b', 'abc', true],
    ['', 'abc', true],
    [readIp('10.1.2.3')!, readSubnet('10.0.0.0/8')!, true],
    [readIp('11.1.2.3')!, readSubnet('10.0.0.0/8')!, false],
    [readSubnet('10.1.0.0/16')!, readSubnet('10.0.0.0/8')!, true],
    [readSubnet('10.0.0.0/8')!, readSubnet('10.1.0.0/16')!, false],
    [readSubnet('10.0.0.0/8')!, readSubnet('10.0.0.0/8')!, true],
    [5n, null, null],
    [null, null, null],
    [null, 'abc', null],
  ];
  for (const [value, container, expected] of cases) {
    assert.deepEqual(run('in', value, container), { value: expected, warnings: [] });
    const inverse = expected === null ? null : !expected;
    assert.deepEqual(run('not_in', value, container), { value: inverse, warnings: [] });
  }
});

test('`and` and `or` are three-valued and look no further than they must', () => {
  const T = true;
  const F = false;
  const N = null;
  const table: readonly (readonly [Value, Value, Value, Value])[] = [
    [T, T, T, T],
    [T, F, F, T],
    [T, N, N, T],
    [F, T, F, T],
    [F, F, F, F],
    [F, N, F, N],
    [N, T, N, T],
    [N, F, F, N],
    [N, N, N, N],
  ];
  for (const [left, right, and, or] of table) {
    const looked: string[] = [];
    const get = (operation: 'and' | 'or'): Value =>
      logical(
        operation,
        left,
        () => [right, looked.push(operation)][0]!,
        () => assert.fail('no warning'),
      );
    assert.equal(get('and'), and, `${left} and ${right}`);
    assert.equal(get('or'), or, `${left} or ${right}`);
    assert.deepEqual(looked, left === T ? ['and'] : left === F ? ['or'] : ['and', 'or']);
  }
  for (const type of TYPES.filter(name => name !== 'bool')) {
    const warnings: string[] = [];
    const value = logical(
      'and',
      SAMPLES[type]![0],
      () => true,
      message => warnings.push(message),
    );
    assert.deepEqual([value, warnings.length], [null, 1], type);
  }
});

test('a predicate is true for true alone: null is false in silence, all else warns once', () => {
  const warnings: string[] = [];
  const holds = (value: Value): boolean => isTrue(value, message => warnings.push(message));
  assert.deepEqual([holds(true), holds(false), holds(null), warnings.length], [true, false, false, 0]);
  for (const type of TYPES.filter(name => name !== 'bool')) {
    warnings.length = 0;
    assert.equal(holds(SAMPLES[type]![0]), false, type);
    assert.equal(warnings.length, 1, type);
  }
});

test('signs are for numbers and durations, `not` is for bools', () => {
  const unary = { negate, plus, not };
  for (const [name, operation] of Object.entries(unary)) {
    for (const type of TYPES) {
      const warnings: string[] = [];
      const value = operation(SAMPLES[type]![0], message => warnings.push(message));
      const isDefined = name === 'not' ? type === 'bool' : [...NUMBERS, 'duration'].includes(type);
      const isBeyond = name === 'negate' && type === 'uint';
      assert.equal(value === null, !isDefined || isBeyond, `${name} ${type}`);
      assert.equal(warnings.length, isDefined && !isBeyond ? 0 : 1, `${name} ${type}`);
    }
    assert.equal(
      operation(null, () => assert.fail('no warning')),
      null,
    );
  }
  const silent = (): void => assert.fail('no warning');
  assert.equal(negate(2n ** 63n, silent), INT_MIN);
  assert.equal(negate(INT_MAX, silent), -INT_MAX);
  const warnings: string[] = [];
  assert.equal(
    negate(INT_MIN, message => warnings.push(message)),
    null,
  );
  assert.deepEqual(warnings, ['integer overflow']);
});
