/** `int` and `uint`: 64-bit integers from numbers, bools and texts. What does not fit is null and a warning. */
import { typeOf, type Value } from '../../../data/index.ts';
import { defineFunction, type FunctionDefinition } from '../../../sdk/index.ts';

const PREFIXES: Readonly<Record<number, RegExp>> = { 2: /^0[bB]/, 8: /^0[oO]/, 16: /^0[xX]/ };

function integer(name: 'int' | 'uint', low: bigint, high: bigint, out: string): FunctionDefinition {
  return defineFunction({
    name,
    category: 'conversion',
    summary: `An integer from ${low} to ${high}; fractions are cut, texts are read to the base 10 or another.`,
    parameters: [
      { name: 'x', type: 'any' },
      { name: 'base', type: 'int', isOptional: true },
    ],
    returns: 'int',
    isPure: true,
    examples: [
      { tql: `${name}("42")`, out: '42' },
      { tql: `${name}(2.9)`, out: '2' },
      { tql: `${name}("0xff", base=16)`, out: '255' },
      { tql: `${name}("${high}")`, out },
    ],
    evaluate: ([x, base], { warn }) => {
      const value = x as Value;
      const radix = base === undefined ? 10 : Number(base);
      if (!(radix >= 2 && radix <= 36)) {
        warn('`base` must be from 2 to 36');
        return null;
      }
      const whole = wholeOf(value, radix);
      if (whole !== undefined && whole >= low && whole <= high) return whole;
      warn(`failed to convert \`${typeOf(value)}\` to \`${name}\``);
      return null;
    },
  });
}

function wholeOf(value: Value, radix: number): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number') return Number.isFinite(value) ? BigInt(Math.trunc(value)) : undefined;
  return typeof value === 'string' ? parsed(value.trim(), radix) : undefined;
}

function parsed(text: string, radix: number): bigint | undefined {
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  const digits = text.slice(sign.length).replace(PREFIXES[radix] ?? '', '');
  if (digits === '' || digits.length > 64) return undefined;
  let whole = 0n;
  for (const char of digits.toLowerCase()) {
    const digit = /[0-9a-z]/.test(char) ? Number.parseInt(char, 36) : radix;
    if (digit >= radix) return undefined;
    whole = whole * BigInt(radix) + BigInt(digit);
  }
  return sign === '-' ? -whole : whole;
}

export const integers: readonly FunctionDefinition[] = [
  integer('int', -(2n ** 63n), 2n ** 63n - 1n, '9223372036854775807'),
  integer('uint', 0n, 2n ** 64n - 1n, '18446744073709551615'),
];
