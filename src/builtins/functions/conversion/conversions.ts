/** Conversions: `int`, `float`, `string`, `time`, `duration`, `ip`. What does not convert is null with a warning. */
import {
  Duration,
  Ip,
  printTql,
  readDuration,
  readIp,
  readTime,
  Secret,
  Time,
  typeOf,
  type Value,
} from '../../../data/index.ts';
import { defineFunction, type FunctionDefinition, type FunctionExample, type ValueType } from '../../../sdk/index.ts';

function conversion(
  name: string,
  returns: ValueType,
  summary: string,
  examples: readonly FunctionExample[],
  convert: (value: Value) => Value | undefined,
): FunctionDefinition {
  return defineFunction({
    name,
    category: 'conversion',
    summary,
    parameters: [{ name: 'x', type: 'any' }],
    returns,
    isPure: true,
    examples,
    evaluate: ([x], { warn }) => {
      const value = x as Value;
      const converted = convert(value);
      if (converted !== undefined) return converted;
      warn(`failed to convert \`${typeOf(value)}\` to \`${name}\``);
      return null;
    },
  });
}

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 64n - 1n;

function toInt(value: Value): Value | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number') return Number.isFinite(value) ? ranged(BigInt(Math.trunc(value))) : undefined;
  return typeof value === 'string' && /^\s*[+-]?\d+\s*$/.test(value)
    ? ranged(BigInt(value.trim().replace(/^\+/, '')))
    : undefined;
}

function ranged(value: bigint): bigint | undefined {
  return value >= INT_MIN && value <= INT_MAX ? value : undefined;
}

function toFloat(value: Value): Value | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : undefined;
}

export const conversions: readonly FunctionDefinition[] = [
  conversion('int', 'int', 'An integer; fractions are cut.', [{ tql: 'int("42")', out: '42' }], toInt),
  conversion('float', 'float', 'A floating-point number.', [{ tql: 'float("1.5")', out: '1.5' }], toFloat),
  conversion('string', 'string', 'The text of a value.', [{ tql: 'string(42)', out: '"42"' }], value =>
    typeof value === 'string' || value instanceof Secret ? value : printTql(value, { isCompact: true }),
  ),
  conversion(
    'time',
    'time',
    'A time from ISO 8601 text.',
    [{ tql: 'time("2024-10-03")', out: '2024-10-03T00:00:00Z' }],
    value => (value instanceof Time ? value : typeof value === 'string' ? readTime(value) : undefined),
  ),
  conversion('duration', 'duration', 'A duration from text.', [{ tql: 'duration("90s")', out: '1.5min' }], value =>
    value instanceof Duration ? value : typeof value === 'string' ? readDuration(value) : undefined,
  ),
  conversion('ip', 'ip', 'An address from text.', [{ tql: 'ip("10.0.0.1")', out: '10.0.0.1' }], value =>
    value instanceof Ip ? value : typeof value === 'string' ? readIp(value) : undefined,
  ),
];
