/**
 * Who was refused, what it wanted, why, what to do, how often: bounded, for the log, metrics and `doctor`. Clients hide
 * causes behind "no brokers available"; here they stand.
 */
import type { Logger, MillraceError } from '../base/index.ts';

const KEPT = 200;

export interface Refusal {
  readonly client: string;
  readonly code: string;
  readonly reason: string;
  readonly help: string;
  count: number;
  firstMs: number;
  lastMs: number;
}

export class Refusals {
  private readonly byKey = new Map<string, Refusal>();
  private readonly logger: Logger;
  private readonly now: () => number;
  total = 0;

  constructor(logger: Logger, now: () => number) {
    this.logger = logger;
    this.now = now;
  }

  add(client: string, error: MillraceError): void {
    this.total++;
    const key = `${client}\n${error.message}`;
    const known = this.byKey.get(key);
    if (known) {
      known.count++;
      known.lastMs = this.now();
      return;
    }
    if (this.byKey.size >= KEPT) this.byKey.delete(this.byKey.keys().next().value!);
    const at = this.now();
    this.byKey.set(key, {
      client,
      code: error.code,
      reason: error.message,
      help: error.help,
      count: 1,
      firstMs: at,
      lastMs: at,
    });
    this.logger.warn(`refused ${client}: ${error.message}`, { code: error.code, help: error.help });
  }

  list(): readonly Refusal[] {
    return [...this.byKey.values()];
  }
}
