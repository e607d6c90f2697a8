/**
 * `ceil`, `floor`, `round`: whole numbers near a number, and times and durations near a multiple of a unit (of times, since
 * 1970). `round` takes halves away from zero.
 */
import { Duration, Time, type Value } from '../../../data/index.ts';
import { defineFunction, type FunctionDefinition } from '../../../sdk/index.ts';

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;

interface Near {
  of(x: number): number;
  /** Whether a rest of `rest` units above the multiple below goes up. */
  goesUp(rest: bigint, unit: bigint, isNegative: boolean): boolean;
}

function whole(name: string, summary: string, outs: readonly [string, string], near: Near): FunctionDefinition {
  return defineFunction({
    name,
    category: 'number',
    summary,
    parameters: [
      { name: 'x', type: ['number', 'time', 'duration'] },
      { name: 'unit', type: 'duration', isOptional: true },
    ],
    returns: 'any',
    isPure: true,
    examples: [
      { tql: `${name}(2.6)`, out: outs[0] },
      { tql: `2024-02-03T04:40:00Z.${name}(1h)`, out: outs[1] },
      { tql: `${name}(40min, 20min)`, out: '40min' },
    ],
    evaluate: ([value, unit], { warn }) => {
      const x = value as Value;
      const isTemporal = x instanceof Time || x instanceof Duration;
      if (isTemporal !== (unit !== undefined)) {
        warn(isTemporal ? `\`${name}\` of a time or duration needs a unit` : `\`${name}\` of a number takes no unit`);
        return null;
      }
      const found = isTemporal ? multiple(x.ns, (unit as Duration).ns, near) : number(x as number | bigint, near);
      if (found !== undefined && found >= INT_MIN && found <= (typeof x === 'bigint' ? x : INT_MAX))
        return x instanceof Time ? new Time(found) : x instanceof Duration ? new Duration(found) : found;
      warn(isTemporal ? 'the unit must be longer than zero, and the result within 64 bits' : 'no integer is near');
      return null;
    },
  });
}

function number(x: number | bigint, near: Near): bigint | undefined {
  if (typeof x === 'bigint') return x;
  const found = near.of(x);
  return Number.isFinite(found) ? BigInt(found) : undefined;
}

function multiple(ns: bigint, unit: bigint, near: Near): bigint | undefined {
  if (unit <= 0n) return undefined;
  const rest = ((ns % unit) + unit) % unit;
  return ns - rest + (rest > 0n && near.goesUp(rest, unit, ns < 0n) ? unit : 0n);
}

export const wholeNumbers: readonly FunctionDefinition[] = [
  whole('ceil', 'The next integer upwards, or the next multiple of a unit.', ['3', '2024-02-03T05:00:00Z'], {
    of: Math.ceil,
    goesUp: () => true,
  }),
  whole('floor', 'The next integer downwards, or the multiple of a unit below.', ['2', '2024-02-03T04:00:00Z'], {
    of: Math.floor,
    goesUp: () => false,
  }),
  whole('round', 'The nearest integer, or the nearest multiple of a unit.', ['3', '2024-02-03T05:00:00Z'], {
    of: x => Math.sign(x) * Math.round(Math.abs(x)),
    goesUp: (rest, unit, isNegative) => (isNegative ? 2n * rest > unit : 2n * rest >= unit),
  }),
];
