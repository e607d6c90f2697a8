/** What the Kafka sinks share: their settings, and which trouble a wait is for. */
import type { Clock, Timer } from '../../../base/index.ts';
import type { SinkHealth } from '../../../sdk/index.ts';
import type { RecordOf } from './outgoing.ts';

export interface SinkSettings {
  readonly recordOf: RecordOf;
  /** Topics come from events: one that is not there is the fault of its event, and holds nothing back. */
  readonly topicsVary: boolean;
}

const FIRST_WAIT_MS = 100;
const LAST_WAIT_MS = 10_000;

/** An outage: since when, why, and when it is tried again. Whoever waits for a try is woken by the end of it, or by `abort`. */
export class Outage {
  private readonly clock: Clock;
  private reason: string | undefined;
  private waitMs = FIRST_WAIT_MS;
  private nextMs = 0;
  private readonly waits = new Map<() => void, Timer>();
  private isAborted = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get isOver(): boolean {
    return this.reason === undefined;
  }

  /** It is worth another try. */
  get isDue(): boolean {
    return this.clock.monotonic() >= this.nextMs;
  }

  /** True for the first of its kind. */
  began(reason: string): boolean {
    const isNew = this.reason !== reason;
    if (this.reason === undefined) this.nextMs = this.clock.monotonic() + this.waitMs;
    this.reason = reason;
    return isNew;
  }

  ended(): void {
    this.reason = undefined;
    this.waitMs = FIRST_WAIT_MS;
    this.wake();
  }

  /** Until the next try is due; twice as long each time. */
  wait(): Promise<void> {
    const ms = this.waitMs;
    this.waitMs = Math.min(2 * ms, LAST_WAIT_MS);
    this.nextMs = this.clock.monotonic() + ms;
    return this.pause(ms);
  }

  /** Until it is worth asking whether it is over. */
  look(): Promise<void> {
    return this.pause(FIRST_WAIT_MS);
  }

  private pause(ms: number): Promise<void> {
    if (this.isAborted) return Promise.resolve();
    return new Promise<void>(resolve => {
      const done = (): void => {
        this.waits.get(done)?.cancel();
        this.waits.delete(done);
        resolve();
      };
      this.waits.set(done, this.clock.after(ms, done));
    });
  }

  abort(): void {
    this.isAborted = true;
    this.wake();
  }

  health(): SinkHealth {
    if (this.reason === undefined) return { isUp: true };
    return { isUp: false, reason: this.reason, nextTryMs: Math.max(0, this.nextMs - this.clock.monotonic()) };
  }

  private wake(): void {
    for (const done of this.waits.keys()) done();
  }
}
