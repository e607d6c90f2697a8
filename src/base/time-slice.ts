/**
 * Long work on a thread that others need: after each step it asks whether they should run now.
 *
 *     const slice = new TimeSlice(io.clock);
 *     for (const step of work) { …; await slice.pass(); }
 */
import type { Clock } from './io/types.ts';

/** As long as the main thread may compute at a stretch. */
const SLICE_MS = 2;

export class TimeSlice {
  private readonly clock: Clock;
  private startMs: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.startMs = clock.monotonic();
  }

  /** Lets everything else that is due run first, when the slice is used up. */
  async pass(): Promise<void> {
    if (this.clock.monotonic() - this.startMs < SLICE_MS) return;
    await new Promise<void>(resolve => this.clock.after(0, resolve));
    this.startMs = this.clock.monotonic();
  }
}
