/**
 * Who was refused, why, what to do, how often: bounded, for the log, metrics and `doctor`. Clients hide causes behind "no
 * brokers available"; here they stand.
 *
 * A client is its id and host: each reconnection has another port, and must not push others out. Of one client and one code
 * the last reason is kept, and a line is logged for the first and then once a minute; of all clients together no more than
 * 300 lines a minute.
 */
import type { Logger, MillraceError } from '../base/index.ts';

const KEPT = 200;
const LOG_EVERY_MS = 60_000;
/** In the same time. */
const LINES_MAX = 300;
const CHARS_MAX = 400;

export interface Refusal {
  readonly client: string;
  readonly code: string;
  readonly help: string;
  reason: string;
  count: number;
  firstMs: number;
  lastMs: number;
}

interface Entry extends Refusal {
  loggedMs: number;
  loggedCount: number;
}

export class Refusals {
  private readonly entries = new Map<string, Entry>();
  private readonly logger: Logger;
  private readonly now: () => number;
  total = 0;
  private linesSinceMs = Number.NEGATIVE_INFINITY;
  private lines = 0;
  private unlogged = 0;

  constructor(logger: Logger, now: () => number) {
    this.logger = logger;
    this.now = now;
  }

  add(client: { readonly id: string; readonly host: string; readonly software: string }, error: MillraceError): void {
    this.total++;
    const at = this.now();
    const name = [client.id, client.software, client.host].filter(part => part !== '').join(' ');
    const who = printable(name);
    const key = `${who}\n${error.code}`;
    const known = this.entries.get(key);
    const entry = known ?? {
      client: who,
      code: error.code,
      help: error.help,
      reason: error.message,
      count: 0,
      firstMs: at,
      lastMs: at,
      loggedMs: Number.NEGATIVE_INFINITY,
      loggedCount: 0,
    };
    entry.count++;
    entry.lastMs = at;
    entry.reason = error.message;
    // Who was heard of last stands last: those who are gone make room.
    this.entries.delete(key);
    this.entries.set(key, entry);
    if (this.entries.size > KEPT) this.entries.delete(this.entries.keys().next().value!);
    if (at - entry.loggedMs < LOG_EVERY_MS || !this.mayLog(at)) return;
    const repeated = entry.count - entry.loggedCount;
    entry.loggedMs = at;
    entry.loggedCount = entry.count;
    this.logger.warn(`refused ${who}: ${printable(error.message)}`, {
      code: error.code,
      help: error.help,
      ...(repeated > 1 && { repeated }),
    });
  }

  private mayLog(at: number): boolean {
    if (at - this.linesSinceMs >= LOG_EVERY_MS) {
      if (this.unlogged > 0) this.logger.warn(`${this.unlogged} more refusals in the minute before`);
      this.linesSinceMs = at;
      this.lines = 0;
      this.unlogged = 0;
    }
    if (this.lines++ < LINES_MAX) return true;
    this.unlogged++;
    return false;
  }

  list(): readonly Refusal[] {
    return [...this.entries.values()].map(({ loggedCount: _count, loggedMs: _ms, ...refusal }) => refusal);
  }
}

/** A client's words in a line of ours: of bounded length, without control characters. */
function printable(text: string): string {
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
  return clean.length > CHARS_MAX ? `${clean.slice(0, CHARS_MAX)}…` : clean;
}
