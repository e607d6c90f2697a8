/** Equal diagnostics are told once in four hours: a bad field in every event is one warning, and is not forgotten for ever. */
import type { Clock } from '../base/index.ts';

const AGAIN_MS = 4 * 3_600_000;
/** Diagnostics that are remembered; of more the oldest are forgotten. */
const KEPT_MAX = 4_096;

export class Repeats {
  private readonly clock: Pick<Clock, 'monotonic'>;
  private readonly toldAt = new Map<string, number>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.clock = clock;
  }

  /** True when it is time to tell this one, which it then counts as told. */
  isDue(key: string): boolean {
    const now = this.clock.monotonic();
    const before = this.toldAt.get(key);
    if (before !== undefined && now - before < AGAIN_MS) return false;
    this.toldAt.delete(key);
    this.toldAt.set(key, now);
    const [oldest] = this.toldAt.keys();
    if (this.toldAt.size > KEPT_MAX) this.toldAt.delete(oldest!);
    return true;
  }
}
