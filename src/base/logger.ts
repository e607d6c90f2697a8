/**
 * The process's own log: short lines on a terminal, JSON lines elsewhere (pino, loaded when the first line is written).
 * Repeats of one message within a period are counted instead of printed.
 */
import { createRequire } from 'node:module';

export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

type Level = keyof Logger;

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

const REPEAT_MS = 10_000;
const REMEMBERED = 1_000;

/** Suppresses repeats: a message is printed once a period, then with how many were left out. */
export function limitRepeats(logger: Logger, now: () => number): Logger {
  const seen = new Map<string, { since: number; suppressed: number }>();
  const pass = (level: Level, message: string, fields?: Readonly<Record<string, unknown>>): void => {
    const key = `${level} ${message}`;
    const entry = seen.get(key);
    const at = now();
    if (entry && at - entry.since < REPEAT_MS) {
      entry.suppressed++;
      return;
    }
    if (seen.size >= REMEMBERED) seen.delete(seen.keys().next().value!);
    seen.set(key, { since: at, suppressed: 0 });
    const suppressed = entry?.suppressed ?? 0;
    logger[level](message, suppressed > 0 ? { ...fields, suppressed } : fields);
  };
  return {
    debug: (message, fields) => pass('debug', message, fields),
    info: (message, fields) => pass('info', message, fields),
    warn: (message, fields) => pass('warn', message, fields),
    error: (message, fields) => pass('error', message, fields),
  };
}

/** JSON lines through pino, one object a line, on standard error. */
export function jsonLogger(level: Level): Logger {
  type Pino = Record<Level, (fields: object, message: string) => void>;
  let pino: Pino | undefined;
  const write = (at: Level, message: string, fields: object = {}): void => {
    if (!pino) {
      const make = createRequire(import.meta.url)('pino') as {
        (options: object, stream: unknown): Pino;
        destination(fd: number): unknown;
      };
      pino = make({ level, base: undefined }, make.destination(2));
    }
    pino[at](fields, message);
  };
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
  };
}

const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Short lines for people: `12:04:31 warn  refused …`. */
export function textLogger(level: Level, now: () => number, print: (line: string) => void): Logger {
  const write = (at: Level, message: string, fields?: Readonly<Record<string, unknown>>): void => {
    if (RANK[at] < RANK[level]) return;
    const time = new Date(now()).toISOString().slice(11, 19);
    const rest = Object.entries(fields ?? {})
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
      .join('');
    print(`${time} ${at.padEnd(5)} ${message}${rest}`);
  };
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
  };
}
