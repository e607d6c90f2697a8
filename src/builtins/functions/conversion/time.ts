/**
 * `time`: a point in time from text.
 *
 *   2024-01-02T03:04:05Z   ISO 8601, also a date alone
 *   @1700000000.5          seconds since 1970
 *   now, now - 1h          relative to now
 *   5min ago, in 5min
 */
import { readDuration, readTime, Time, typeOf, type Value } from '../../../data/index.ts';
import { defineFunction } from '../../../sdk/index.ts';

const EPOCH = /^@(-?)(\d{1,11})(?:\.(\d{1,9}))?$/;
const RELATIVE = /^now(?:\s*([+-])\s*(\S+))?$|^(\S+)\s+ago$|^in\s+(\S+)$/;
const NS_PER_SECOND = 1_000_000_000n;

export default defineFunction({
  name: 'time',
  category: 'conversion',
  summary: 'A time from ISO 8601, from seconds since 1970 (`@…`), or relative to now (`now - 1h`, `5min ago`).',
  parameters: [{ name: 'x', type: 'any' }],
  returns: 'time',
  // Relative times move on.
  isPure: false,
  examples: [
    { tql: 'time("2024-10-03")', out: '2024-10-03T00:00:00Z' },
    { tql: 'time("@1.5")', out: '1970-01-01T00:00:01.500Z' },
    { tql: 'time("5min ago") < time("now - 1min")', out: 'true' },
  ],
  evaluate: ([x], { now, warn }) => {
    const value = x as Value;
    if (value instanceof Time) return value;
    const text = typeof value === 'string' ? value.trim() : '';
    const found = readTime(text) ?? epoch(text) ?? relative(text, now);
    if (found && BigInt.asIntN(64, found.ns) === found.ns) return found;
    warn(`failed to convert \`${typeOf(value)}\` to \`time\``);
    return null;
  },
});

function epoch(text: string): Time | undefined {
  const [, sign, seconds, fraction = ''] = EPOCH.exec(text) ?? [];
  if (seconds === undefined) return undefined;
  const ns = BigInt(seconds) * NS_PER_SECOND + BigInt(fraction.padEnd(9, '0'));
  return new Time(sign === '-' ? -ns : ns);
}

function relative(text: string, now: () => number): Time | undefined {
  const match = RELATIVE.exec(text);
  if (!match) return undefined;
  const [, sign, offset, ago, ahead] = match;
  const length = readDuration(offset ?? ago ?? ahead ?? '0s');
  if (!length || length.ns < 0n) return undefined;
  const { ns } = Time.fromMs(now());
  return new Time(sign === '-' || ago !== undefined ? ns - length.ns : ns + length.ns);
}
