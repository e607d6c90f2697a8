/**
 * The meaning of operations on two values (spec of TQL, section 5), shared by the interpreter and the compiled form.
 *
 *   arithmetic   null if an operand is null; int and uint are exact 64-bit, anything with float is float; `/` is float
 *   overflow and division by zero give null and a warning
 *   equality     total: values that cannot be compared are unequal, null equals null
 *   order        null unless both are ordered alike; `<=` and `>=` of two nulls are true
 *
 * Invariants
 * I1 an operation never throws: what does not fit is null and one warning.
 */
import { compare, Duration, equals, RecordValue, Secret, Subnet, Time, typeOf, type Value } from '../../data/index.ts';
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
  if (container instanceof RecordValue && typeof value === 'string') return container.has(value);
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
  if (result >= INT_MIN && result <= UINT_MAX) return result;
  warn('integer overflow');
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
    if (operation === 'add') return new Duration(left.ns + right.ns);
    if (operation === 'subtract') return new Duration(left.ns - right.ns);
    if (operation === 'divide') return float('divide', Number(left.ns), Number(right.ns), warn);
  }
  if (left instanceof Duration && isNumber(right)) {
    if (operation === 'multiply') return scale(left, right);
    if (operation === 'divide') {
      const quotient = float('divide', Number(left.ns), Number(right), warn);
      return typeof quotient === 'number' ? new Duration(BigInt(Math.round(quotient))) : null;
    }
  }
  if (isNumber(left) && right instanceof Duration && operation === 'multiply') return scale(right, left);
  if (left instanceof Time && right instanceof Duration) {
    if (operation === 'add') return new Time(left.ns + right.ns);
    if (operation === 'subtract') return new Time(left.ns - right.ns);
  }
  if (left instanceof Duration && right instanceof Time && operation === 'add') return new Time(left.ns + right.ns);
  if (left instanceof Time && right instanceof Time && operation === 'subtract')
    return new Duration(left.ns - right.ns);
  refuse(operation, left, right, warn);
  return null;
}

function scale(duration: Duration, factor: number | bigint): Duration {
  if (typeof factor === 'bigint') return new Duration(duration.ns * factor);
  return new Duration(BigInt(Math.round(Number(duration.ns) * factor)));
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
  if (typeof value === 'bigint') return value === INT_MIN ? integer('subtract', 0n, value, warn) : -value;
  if (typeof value === 'number') return -value;
  if (value instanceof Duration) return new Duration(-value.ns);
  warn(`unary operator \`-\` does not accept the argument type \`${typeOf(value)}\``);
  return null;
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
