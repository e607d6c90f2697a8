/**
 * How late the event loop is: a timer that asks to be called every 20 ms notes by how much it was not. The mark is a p99 under
 * 10 ms with every pipeline busy; what computes longer in the main thread shows here.
 *
 *   samples of about the last ten seconds, in a ring
 */
import type { Clock, Timer } from '../base/index.ts';

const INTERVAL_MS = 20;
const SAMPLES = 512;

export class LoopDelay {
  private readonly clock: Clock;
  private readonly samples = new Float64Array(SAMPLES);
  private count = 0;
  private timer: Timer | undefined;

  constructor(clock: Clock) {
    this.clock = clock;
    this.measure();
  }

  stop(): void {
    this.timer?.cancel();
  }

  /** Delays in seconds that the given shares of the samples do not exceed; 0 before the first. */
  quantiles(shares: readonly number[]): number[] {
    const sorted = this.samples.slice(0, Math.min(this.count, SAMPLES)).sort();
    return shares.map(share => (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0) / 1_000);
  }

  private measure(): void {
    const due = this.clock.monotonic() + INTERVAL_MS;
    const note = (): void => {
      this.samples[this.count++ % SAMPLES] = Math.max(0, this.clock.monotonic() - due);
      this.measure();
    };
    this.timer = this.clock.after(INTERVAL_MS, note, { background: true });
  }
}
