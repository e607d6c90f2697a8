/**
 * HEC acknowledgements of one endpoint: ids of accepted requests, asked for together on the channel that they were sent on.
 *
 *   POST /services/collector/ack?channel=…   {"acks": [1, 2]}  →  {"acks": {"1": true, "2": false}}
 *
 * `false` means not yet, or never heard of; a collector tells of each confirmation once. What is not confirmed in time is
 * unconfirmed: it may be there, and is sent again.
 *
 * A collector that has begun anew gives its numbers out again. The one that it confirms may then be that of a request whose
 * answer is still on its way, or was lost.
 *
 * Invariants
 * I1 each promise settles once: by the collector's word, by time, or by `abort`.
 * I2 a number that comes again while it is open belongs to a collector that has begun anew: the older one is unconfirmed.
 * I3 a confirmation counts when every request that was under way with it is answered; when the answer of one is lost,
 *    everything that is open is unconfirmed.
 */
import type { Io, Timer } from '../../../base/index.ts';

interface Open {
  readonly untilMs: number;
  /** Once the collector has confirmed it: the requests whose answers are waited for. */
  behind?: Set<symbol>;
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
  private readonly underway = new Set<symbol>();
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

  /** A request that may be given a number is sent. */
  sent(): symbol {
    const request = Symbol();
    this.underway.add(request);
    return request;
  }

  /** Its answer has come; the number in it has been waited for. */
  answered(request: symbol): void {
    this.underway.delete(request);
    for (const [id, { behind }] of this.open) if (behind?.delete(request) && behind.size === 0) this.settle(id, true);
  }

  /** Nobody knows whether it was given a number. */
  lost(request: symbol): void {
    this.underway.delete(request);
    for (const id of this.open.keys()) this.settle(id, false);
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
    const asked = new Map([...this.open].filter(([, { behind }]) => !behind).slice(0, IDS_MAX));
    const confirmed = asked.size > 0 ? await this.ask([...asked.keys()]) : new Set<number>();
    this.isAsking = false;
    this.pauseMs = confirmed.size > 0 ? POLL_MS : Math.min(POLL_MAX_MS, this.pauseMs * 1.5);
    // Not a number that was given out again meanwhile.
    for (const id of confirmed) if (this.open.get(id) === asked.get(id)) this.confirmed(id);
    const now = this.io.clock.monotonic();
    for (const [id, { untilMs }] of this.open) if (untilMs <= now) this.settle(id, false);
    this.schedule();
  }

  private confirmed(id: number): void {
    const open = this.open.get(id);
    if (open && this.underway.size > 0) open.behind = new Set(this.underway);
    else this.settle(id, true);
  }

  private settle(id: number, isConfirmed: boolean): void {
    const open = this.open.get(id);
    this.open.delete(id);
    open?.settle(isConfirmed);
  }
}
