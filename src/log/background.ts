/**
 * Work that nobody waits for, by timers that do not keep the process alive.
 *
 * Invariants
 * I1 an error of such work goes to `failed`, never to nobody.
 * I2 nothing of it runs after `stop`.
 */
import type { Clock, Timer } from '../base/index.ts';

export class Background {
  private readonly clock: Clock;
  private readonly failed: (error: Error) => void;
  private readonly timers = new Set<Timer>();
  private isStopped = false;

  constructor(clock: Clock, failed: (error: Error) => void) {
    this.clock = clock;
    this.failed = failed;
  }

  later(ms: number, run: () => void): void {
    if (this.isStopped) return;
    const timer = this.clock.after(
      ms,
      () => {
        this.timers.delete(timer);
        try {
          run();
        } catch (error) {
          if (!(error instanceof Error)) throw error;
          this.failed(error);
        }
      },
      { background: true },
    );
    this.timers.add(timer);
  }

  every(ms: number, run: () => void): void {
    this.later(ms, () => {
      run();
      this.every(ms, run);
    });
  }

  /** Lets everything else that waits have its turn. Never resolves once all is stopped. */
  breathe(): Promise<void> {
    return new Promise(resolve => this.later(0, resolve));
  }

  stop(): void {
    this.isStopped = true;
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
  }
}
