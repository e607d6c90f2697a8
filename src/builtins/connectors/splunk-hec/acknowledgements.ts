/**
 * HEC acknowledgements of one endpoint: ids of accepted requests, asked for together on the channel that they were sent on.
 *
 *   POST /services/collector/ack?channel=…   {"acks": [1, 2]}  →  {"acks": {"1": true, "2": false}}
 *
 * `false` means not yet, or never heard of; a collector tells of each confirmation once. What is not confirmed in time is
 * unconfirmed: it may be there, and is sent again.
 *
 * Invariants
 * I1 each promise settles once: by the collector's word, by time, or by `abort`.
 * I2 a number that comes again while it is open belongs to a collector that has begun anew: the older one is unconfirmed.
 */
import type { Io, Timer } from '../../../base/index.ts';

interface Open {
  readonly untilMs: number;
  settle(isConfirmed: boolean): void;
}

const POLL_MS = 250;
const POLL_MAX_MS = 5_000;
const IDS_MAX = 1_000;

export class Acknowledgements {
  private readonly io: Io;
  private readonly timeoutMs: number;
  private readonly ask: (ids: readonly number[]) => Promise<ReadonlySet<number>>;
  private readonly open = new Map<number, Open>();
  private timer: Timer | undefined;
  private isAsking = false;
  private pauseMs = POLL_MS;

  /** `ask` gives those that are confirmed; it never rejects. */
  constructor(io: Io, timeoutMs: number, ask: (ids: readonly number[]) => Promise<ReadonlySet<number>>) {
    this.io = io;
    this.timeoutMs = timeoutMs;
    this.ask = ask;
  }

  get count(): number {
    return this.open.size;
  }

  /** Resolves with whether the collector confirmed it in time. */
  wait(id: number): Promise<boolean> {
    this.settle(id, false);
    return new Promise(settle => {
      this.open.set(id, { settle, untilMs: this.io.clock.monotonic() + this.timeoutMs });
      this.pauseMs = POLL_MS;
      this.schedule();
    });
  }

  abort(): void {
    this.timer?.cancel();
    for (const id of this.open.keys()) this.settle(id, false);
  }

  private schedule(): void {
    if (this.isAsking || this.open.size === 0) return;
    this.timer?.cancel();
    this.timer = this.io.clock.after(this.pauseMs, () => void this.poll());
  }

  private async poll(): Promise<void> {
    this.isAsking = true;
    const confirmed = await this.ask([...this.open.keys()].slice(0, IDS_MAX));
    this.isAsking = false;
    this.pauseMs = confirmed.size > 0 ? POLL_MS : Math.min(POLL_MAX_MS, this.pauseMs * 1.5);
    for (const id of confirmed) this.settle(id, true);
    const now = this.io.clock.monotonic();
    for (const [id, { untilMs }] of this.open) if (untilMs <= now) this.settle(id, false);
    this.schedule();
  }

  private settle(id: number, isConfirmed: boolean): void {
    const open = this.open.get(id);
    this.open.delete(id);
    open?.settle(isConfirmed);
  }
}
