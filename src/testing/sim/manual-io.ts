/**
 * A process in one thread with a clock that moves by hand: for tests of parts that need disk, timers and threads and no
 * network.
 */
import {
  type Clock,
  InlineThreads,
  type Io,
  type Network,
  SeededRandom,
  type ThreadMain,
  type Timer,
} from '../../base/index.ts';
import { SimDisk } from './disk.ts';

export class ManualClock implements Clock {
  time = 1_700_000_000_000;
  private timers: { readonly due: number; readonly callback: () => void }[] = [];

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  after(ms: number, callback: () => void): Timer {
    const timer = { due: this.time + ms, callback };
    this.timers.push(timer);
    return {
      cancel: () => {
        this.timers = this.timers.filter(other => other !== timer);
      },
    };
  }

  /** Lets time pass and everything that follows from it happen. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      const next = this.timers.filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
      if (!next) break;
      this.timers = this.timers.filter(other => other !== next);
      this.time = Math.max(this.time, next.due);
      next.callback();
      await settle();
    }
    this.time = end;
  }
}

/** Everything that needs no timer has happened. */
export function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

const NO_NETWORK: Network = {
  connect: () => Promise.reject(new Error('no network')),
  listen: () => Promise.reject(new Error('no network')),
  request: () => Promise.reject(new Error('no network')),
};

export interface ManualIo extends Io {
  readonly clock: ManualClock;
  readonly files: SimDisk;
}

/** `modules` are those that it may start as threads, by name. */
export function manualIo(
  modules: Readonly<Record<string, ThreadMain>>,
  disk: SimDisk = new SimDisk(),
  seed = 1,
): ManualIo {
  const threads = new InlineThreads(modules);
  const io = { clock: new ManualClock(), files: disk, random: new SeededRandom(seed), network: NO_NETWORK, threads };
  threads.io = io;
  return io;
}
