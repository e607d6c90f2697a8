/** `ceil`, `floor`, `round`: whole numbers near a number; `round` takes halves away from zero. */
import { defineFunction, type FunctionDefinition } from '../../../sdk/index.ts';

const INT_MIN = -(2n ** 63n);
const UINT_MAX = 2n ** 64n - 1n;

function whole(name: string, summary: string, out: string, near: (x: number) => number): FunctionDefinition {
  return defineFunction({
    name,
    category: 'number',
    summary,
    parameters: [{ name: 'x', type: 'number' }],
    returns: 'int',
    isPure: true,
    examples: [{ tql: `${name}(2.6)`, out }],
    evaluate: ([x], { warn }) => {
      if (typeof x === 'bigint') return x;
      const found = near(x as number);
      const value = Number.isFinite(found) ? BigInt(found) : undefined;
      if (value !== undefined && value >= INT_MIN && value <= UINT_MAX) return value;
      warn('no integer is near');
      return null;
    },
  });
}

export const wholeNumbers: readonly FunctionDefinition[] = [
  whole('ceil', 'The next integer upwards.', '3', Math.ceil),
  whole('floor', 'The next integer downwards.', '2', Math.floor),
  whole('round', 'The nearest integer.', '3', x => Math.sign(x) * Math.round(Math.abs(x))),
];
