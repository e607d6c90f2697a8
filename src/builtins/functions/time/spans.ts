/**
 * Durations from numbers and numbers from durations: `seconds(n)`, `count_seconds(d)` and so on. A month is a twelfth of a year
 * of 365.2425 days.
 */
import { Duration, type Value } from '../../../data/index.ts';
import { defineFunction, type FunctionDefinition } from '../../../sdk/index.ts';

const UNITS: readonly (readonly [name: string, ns: bigint, one: string])[] = [
  ['nanoseconds', 1n, '2ns'],
  ['microseconds', 1_000n, '2us'],
  ['milliseconds', 1_000_000n, '2ms'],
  ['seconds', 1_000_000_000n, '2s'],
  ['minutes', 60_000_000_000n, '2min'],
  ['hours', 3_600_000_000_000n, '2h'],
  ['days', 86_400_000_000_000n, '2d'],
  ['weeks', 604_800_000_000_000n, '14d'],
  ['months', 2_629_746_000_000_000n, '60.87375d'],
  ['years', 31_556_952_000_000_000n, '730.485d'],
];

function span(name: string, unit: bigint, out: string): FunctionDefinition {
  return defineFunction({
    name,
    category: 'time',
    summary: `A duration of so many ${name}.`,
    parameters: [{ name: 'n', type: 'number' }],
    returns: 'duration',
    isPure: true,
    examples: [{ tql: `${name}(2)`, out }],
    evaluate: ([n], { warn }) => {
      const ns = typeof n === 'bigint' ? n * unit : rounded((n as number) * Number(unit));
      if (ns !== undefined && BigInt.asIntN(64, ns) === ns) return new Duration(ns);
      warn('duration overflow');
      return null;
    },
  });
}

function rounded(ns: number): bigint | undefined {
  return Number.isFinite(ns) ? BigInt(Math.round(ns)) : undefined;
}

function count(name: string, unit: bigint): FunctionDefinition {
  const isExact = unit === 1n;
  return defineFunction({
    name: `count_${name}`,
    category: 'time',
    summary: `How many ${name} a duration is long.`,
    parameters: [{ name: 'x', type: 'duration' }],
    returns: isExact ? 'int' : 'float',
    isPure: true,
    examples: [{ tql: `count_${name}(${name}(3))`, out: isExact ? '3' : '3.0' }],
    evaluate: ([x]): Value => {
      const { ns } = x as Duration;
      return isExact ? ns : Number(ns) / Number(unit);
    },
  });
}

export const spanFunctions: readonly FunctionDefinition[] = UNITS.flatMap(([name, ns, out]) => [
  span(name, ns, out),
  count(name, ns),
]);
