/** `now`, `from_epoch`, `since_epoch` and the parts of a time. */
import { Duration, Time } from '../../../data/index.ts';
import { defineFunction, type FunctionDefinition } from '../../../sdk/index.ts';

const now = defineFunction({
  name: 'now',
  category: 'time',
  summary: 'The current time; in `let` the time of the start.',
  parameters: [],
  returns: 'time',
  isPure: false,
  examples: [{ tql: 'now() > 2024-01-01', out: 'true' }],
  evaluate: (_args, context) => Time.fromMs(context.now()),
});

const fromEpoch = defineFunction({
  name: 'from_epoch',
  category: 'time',
  summary: 'The time that lies a duration after 1970.',
  parameters: [{ name: 'x', type: 'duration' }],
  returns: 'time',
  isPure: true,
  examples: [{ tql: 'from_epoch(1d)', out: '1970-01-02T00:00:00Z' }],
  evaluate: ([x]) => new Time((x as Duration).ns),
});

const sinceEpoch = defineFunction({
  name: 'since_epoch',
  category: 'time',
  summary: 'The duration from 1970 to a time.',
  parameters: [{ name: 'x', type: 'time' }],
  returns: 'duration',
  isPure: true,
  examples: [{ tql: 'since_epoch(1970-01-02)', out: '1d' }],
  evaluate: ([x]) => new Duration((x as Time).ns),
});

function floorMs(ns: bigint): bigint {
  const ms = ns / 1_000_000n;
  return ns < 0n && ms * 1_000_000n !== ns ? ms - 1n : ms;
}

function part(name: string, read: (date: Date) => number, out: string): FunctionDefinition {
  return defineFunction({
    name,
    category: 'time',
    summary: `The ${name} of a time, in UTC.`,
    parameters: [{ name: 'x', type: 'time' }],
    returns: 'int',
    isPure: true,
    examples: [{ tql: `${name}(2024-10-03T14:30:00Z)`, out }],
    evaluate: ([x]) => BigInt(read(new Date(Number(floorMs((x as Time).ns))))),
  });
}

const NS_PER_SECOND = 1_000_000_000n;
const SECONDS_PER_MINUTE = 60n;

const second = defineFunction({
  name: 'second',
  category: 'time',
  summary: 'The second of a time with its fraction.',
  parameters: [{ name: 'x', type: 'time' }],
  returns: 'float',
  isPure: true,
  examples: [{ tql: 'second(2024-10-03T14:30:05.250Z)', out: '5.25' }],
  evaluate: ([x]) => {
    const minute = SECONDS_PER_MINUTE * NS_PER_SECOND;
    const rest = (((x as Time).ns % minute) + minute) % minute;
    return Number(rest) / Number(NS_PER_SECOND);
  },
});

export const timeFunctions: readonly FunctionDefinition[] = [
  now,
  fromEpoch,
  sinceEpoch,
  part('year', date => date.getUTCFullYear(), '2024'),
  part('month', date => date.getUTCMonth() + 1, '10'),
  part('day', date => date.getUTCDate(), '3'),
  part('hour', date => date.getUTCHours(), '14'),
  part('minute', date => date.getUTCMinutes(), '30'),
  second,
];
