/**
 * The meaning of operations on two values (spec of TQL, section 5), shared by the interpreter and the compiled form.
 *
 *   arithmetic   null if an operand is null; int and uint are exact 64-bit, anything with float is float; `/` is float
 *   overflow     null and a warning, for times and durations as well: ints stay within int64; a result with an operand
 *                beyond int64 may be either, since a small uint is not told from an int
 *   division by zero gives null and a warning
 *   equality     total: values that cannot be compared are unequal, null equals null
 *   order        null unless both are ordered alike; `<=` and `>=` of two nulls are true
 *
 * Invariants
 * I1 an operation never throws: what does not fit is null and one warning.
 */
import { compare, Duration, equals, Secret, Subnet, Time, typeOf, type Value } from '../../data/index.ts';
import type { ArithmeticOperation, BinaryOperation, ComparisonOperation } from '../../sdk/index.ts';

export type Warn = (message: string, hint?: string) => void;

const SYMBOLS: Readonly<Record<BinaryOperation, string>> = {
  add: '+',
  subtract: '-',
  multiply: '*',
  divide: '/',
  equal: '==',
  not_equal: '!=',
  less: '<',
  less_equal: '<=',
  greater: '>',
  greater_equal: '>=',
  in: 'in',
  not_in: 'not in',
};

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;
const UINT_MAX = 2n ** 64n - 1n;

export function binary(operation: BinaryOperation, left: Value, right: Value, warn: Warn): Value {
  switch (operation) {
    case 'equal':
      return equals(left, right);
    case 'not_equal':
      return !equals(left, right);
    case 'less':
    case 'less_equal':
    case 'greater':
    case 'greater_equal':
      return order(operation, left, right, warn);
    case 'in':
      return member(left, right, warn);
    case 'not_in': {
      const inside = member(left, right, warn);
      return inside === null ? null : !inside;
    }
    default:
      return arithmetic(operation, left, right, warn);
  }
}

function order(operation: ComparisonOperation, left: Value, right: Value, warn: Warn): Value {
  if (left === null || right === null) {
    const isInclusive = operation === 'less_equal' || operation === 'greater_equal';
    return isInclusive && left === null && right === null ? true : null;
  }
  const sign = compare(left, right);
  if (sign === undefined) {
    refuse(operation, left, right, warn);
    return null;
  }
  if (Number.isNaN(sign)) return false;
  switch (operation) {
    case 'less':
      return sign < 0;
    case 'less_equal':
      return sign <= 0;
    case 'greater':
      return sign > 0;
    default:
      return sign >= 0;
  }
}

function member(value: Value, container: Value, warn: Warn): Value {
  if (container === null) return null;
  if (Array.isArray(container)) return container.some(element => equals(element, value));
  if (typeof container === 'string' && typeof value === 'string') return container.includes(value);
  if (container instanceof Subnet) {
    const inside = container.contains(value);
    if (inside !== undefined) return inside;
  }
  if (value === null) return null;
  refuse('in', value, container, warn);
  return null;
}

function arithmetic(operation: ArithmeticOperation, left: Value, right: Value, warn: Warn): Value {
  if (left === null || right === null) return null;
  if (typeof left === 'bigint' && typeof right === 'bigint' && operation !== 'divide') {
    return integer(operation, left, right, warn);
  }
  if (isNumber(left) && isNumber(right)) return float(operation, Number(left), Number(right), warn);
  if (operation === 'add' && isText(left) && isText(right)) {
    if (left instanceof Secret || right instanceof Secret) return Secret.join([left, right]);
    return (left as string) + (right as string);
  }
  return temporal(operation, left, right, warn);
}

function integer(operation: ArithmeticOperation, left: bigint, right: bigint, warn: Warn): Value {
  const result = operation === 'add' ? left + right : operation === 'subtract' ? left - right : left * right;
  return ranged(result, left > INT_MAX || right > INT_MAX ? UINT_MAX : INT_MAX, warn);
}

function ranged(result: bigint, limit: bigint, warn: Warn): Value {
  if (result >= INT_MIN && result <= limit) return result;
  warn('integer overflow');
  return null;
}

function duration(ns: bigint, warn: Warn): Value {
  if (ns >= INT_MIN && ns <= INT_MAX) return new Duration(ns);
  warn('duration overflow');
  return null;
}

/** Rounded to whole nanoseconds. */
function roundedDuration(ns: number, warn: Warn): Value {
  if (Number.isFinite(ns)) return duration(BigInt(Math.round(ns)), warn);
  warn('duration overflow');
  return null;
}

function time(ns: bigint, warn: Warn): Value {
  if (ns >= INT_MIN && ns <= INT_MAX) return new Time(ns);
  warn('time overflow');
  return null;
}

function float(operation: ArithmeticOperation, left: number, right: number, warn: Warn): Value {
  switch (operation) {
    case 'add':
      return left + right;
    case 'subtract':
      return left - right;
    case 'multiply':
      return left * right;
    case 'divide':
      if (right === 0) {
        warn('division by zero');
        return null;
      }
      return left / right;
  }
}

function temporal(operation: ArithmeticOperation, left: Value, right: Value, warn: Warn): Value {
  if (left instanceof Duration && right instanceof Duration) {
    if (operation === 'add') return duration(left.ns + right.ns, warn);
    if (operation === 'subtract') return duration(left.ns - right.ns, warn);
    if (operation === 'divide') return float('divide', Number(left.ns), Number(right.ns), warn);
  }
  if (left instanceof Duration && isNumber(right)) {
    if (operation === 'multiply') return scale(left, right, warn);
    if (operation === 'divide') {
      return divide(left, right, warn);
    }
  }
  if (isNumber(left) && right instanceof Duration && operation === 'multiply') return scale(right, left, warn);
  if (left instanceof Time && right instanceof Duration) {
    if (operation === 'add') return time(left.ns + right.ns, warn);
    if (operation === 'subtract') return time(left.ns - right.ns, warn);
  }
  if (left instanceof Duration && right instanceof Time && operation === 'add') return time(left.ns + right.ns, warn);
  if (left instanceof Time && right instanceof Time && operation === 'subtract')
    return duration(left.ns - right.ns, warn);
  refuse(operation, left, right, warn);
  return null;
}

/** By an integer exactly, to the nearest nanosecond. */
function divide({ ns }: Duration, by: number | bigint, warn: Warn): Value {
  if (typeof by === 'number' || by === 0n) {
    const quotient = float('divide', Number(ns), Number(by), warn);
    return typeof quotient === 'number' ? roundedDuration(quotient, warn) : null;
  }
  const isNegative = ns < 0n !== by < 0n;
  const [dividend, divisor] = [ns < 0n ? -ns : ns, by < 0n ? -by : by];
  const magnitude = (2n * dividend + divisor) / (2n * divisor);
  return duration(isNegative ? -magnitude : magnitude, warn);
}

function scale(by: Duration, factor: number | bigint, warn: Warn): Value {
  if (typeof factor === 'bigint') return duration(by.ns * factor, warn);
  return roundedDuration(Number(by.ns) * factor, warn);
}

function refuse(operation: BinaryOperation, left: Value, right: Value, warn: Warn): void {
  warn(
    `binary operator \`${SYMBOLS[operation]}\` does not accept the argument type combination ` +
      `\`(${typeOf(left)}, ${typeOf(right)})\``,
  );
}

function isNumber(value: Value): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

function isText(value: Value): value is string | Secret {
  return typeof value === 'string' || value instanceof Secret;
}

export function negate(value: Value, warn: Warn): Value {
  if (value === null) return null;
  if (typeof value === 'bigint') return ranged(-value, INT_MAX, warn);
  if (typeof value === 'number') return -value;
  if (value instanceof Duration) return duration(-value.ns, warn);
  return refuseOperand('-', value, warn);
}

/** `+x`: what has a sign. */
export function plus(value: Value, warn: Warn): Value {
  if (value === null || isNumber(value) || value instanceof Duration) return value;
  return refuseOperand('+', value, warn);
}

export function not(value: Value, warn: Warn): Value {
  if (value === null || typeof value === 'boolean') return value === null ? null : !value;
  return refuseOperand('not', value, warn);
}

function refuseOperand(operator: string, value: Value, warn: Warn): null {
  warn(`unary operator \`${operator}\` does not accept the argument type \`${typeOf(value)}\``);
  return null;
}

/** Strictly between two bounds; false, without a warning, for what has no order with them. */
export function between(value: Value, low: Value, high: Value): boolean {
  if (value === null || low === null || high === null) return false;
  const [below, above] = [compare(value, low), compare(value, high)];
  return below !== undefined && above !== undefined && below > 0 && above < 0;
}

/** Three-valued `and` and `or` on operands that may be null; anything but a bool counts as null and warns. */
export function logical(operation: 'and' | 'or', left: Value, right: () => Value, warn: Warn): Value {
  const first = truth(left, operation, warn);
  if (operation === 'and' && first === false) return false;
  if (operation === 'or' && first === true) return true;
  const second = truth(right(), operation, warn);
  if (operation === 'and') return second === false ? false : first === null || second === null ? null : true;
  return second === true ? true : first === null || second === null ? null : false;
}

function truth(value: Value, operation: string, warn: Warn): boolean | null {
  if (value === null || typeof value === 'boolean') return value;
  warn(`binary operator \`${operation}\` expects \`bool\`, got \`${typeOf(value)}\``);
  return null;
}

/** Where a predicate is wanted: null is false, anything but a bool warns and is false. */
export function isTrue(value: Value, warn: Warn): boolean {
  if (typeof value === 'boolean') return value;
  if (value !== null) warn(`expected \`bool\`, got \`${typeOf(value)}\``);
  return false;
}
