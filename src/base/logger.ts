/**
 * The process's own log: short lines on a terminal, JSON lines elsewhere (pino, loaded when the first line is written).
 * Repeats of one message within a period are counted instead of printed, and the count is printed when the period is over.
 */
import { createRequire } from 'node:module';
import type { Clock } from './io/types.ts';

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export type LogLevel = keyof Logger;

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

function loggerOf(write: (level: LogLevel, message: string, fields?: LogFields) => void): Logger {
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
  };
}

export const silentLogger: Logger = loggerOf(() => undefined);

const REPEAT_MS = 10_000;
const REMEMBERED = 1_000;

/** A message is printed once a period; how often it came besides is printed when the period is over. */
export function limitRepeats(logger: Logger, clock: Clock): Logger {
  /** Repeats since the message was printed, by level and message; at most REMEMBERED, the oldest leave early. */
  const repeats = new Map<string, { count: number; tell(count: number): void }>();
  const over = (key: string): void => {
    const entry = repeats.get(key);
    repeats.delete(key);
    if (entry && entry.count > 0) entry.tell(entry.count);
  };
  return loggerOf((level, message, fields) => {
    const key = `${level} ${message}`;
    const entry = repeats.get(key);
    if (entry) {
      entry.count++;
      return;
    }
    if (repeats.size >= REMEMBERED) over(repeats.keys().next().value!);
    logger[level](message, fields);
    const added = { count: 0, tell: (count: number) => logger[level](message, { ...fields, repeated: count }) };
    repeats.set(key, added);
    clock.after(REPEAT_MS, () => repeats.get(key) === added && over(key), { background: true });
  });
}

/** JSON lines through pino, one object a line, on standard error. */
export function jsonLogger(least: LogLevel): Logger {
  let pino: Logger | undefined;
  return loggerOf((level, message, fields = {}) => {
    if (RANK[level] < RANK[least]) return;
    pino ??= makePino(least);
    (pino[level] as unknown as (fields: object, message: string) => void)(fields, message);
  });
}

function makePino(level: LogLevel): Logger {
  const pino = createRequire(import.meta.url)('pino') as {
    (options: object, stream: unknown): Logger;
    destination(options: object): unknown;
    stdTimeFunctions: { readonly isoTime: unknown };
  };
  const options = {
    level,
    base: undefined,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, pino.destination({ fd: 2, sync: true }));
}

/** Short lines for people, in local time: `12:04:31 warn  refused …`. */
export function textLogger(least: LogLevel, now: () => number, print: (line: string) => void): Logger {
  return loggerOf((level, message, fields) => {
    if (RANK[level] < RANK[least]) return;
    const time = new Date(now()).toTimeString().slice(0, 8);
    const rest = Object.entries(fields ?? {})
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
      .join('');
    print(`${time} ${level.padEnd(5)} ${message}${rest}`);
  });
}
