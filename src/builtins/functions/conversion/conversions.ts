/** Conversions: `float`, `string`, `duration`, `ip`. What does not convert is null with a warning. */
import { Duration, Ip, printTql, readDuration, readIp, Secret, typeOf, type Value } from '../../../data/index.ts';
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

const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

function toFloat(value: Value): Value | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  const text = typeof value === 'string' ? value.trim() : '';
  return FLOAT.test(text) ? Number(text) : undefined;
}

export const conversions: readonly FunctionDefinition[] = [
  conversion('float', 'float', 'A floating-point number.', [{ tql: 'float("1.5e3")', out: '1500.0' }], toFloat),
  conversion(
    'string',
    'string',
    'The text of a value, as TQL prints it.',
    [
      { tql: 'string(42)', out: '"42"' },
      { tql: 'string(10.0.0.1)', out: '"10.0.0.1"' },
    ],
    value => (typeof value === 'string' || value instanceof Secret ? value : printTql(value, { isCompact: true })),
  ),
  conversion('duration', 'duration', 'A duration from text.', [{ tql: 'duration("1h30min")', out: '1.5h' }], value =>
    value instanceof Duration ? value : typeof value === 'string' ? readDuration(value) : undefined,
  ),
  conversion('ip', 'ip', 'An address from text.', [{ tql: 'ip("10.0.0.1")', out: '10.0.0.1' }], value =>
    value instanceof Ip ? value : typeof value === 'string' ? readIp(value) : undefined,
  ),
];
