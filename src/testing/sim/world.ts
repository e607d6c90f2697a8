/**
 * A simulated world: time that jumps from event to event, machines that die at any of them, one seed behind every choice.
 *
 *   event   something due at a moment for a machine: a timer, bytes that arrive, a message between threads
 *   turn    one event runs, then every promise that it settled; only then the next
 *
 * What a machine scheduled dies with it. Two runs of one seed make the same turns: `trace` is a hash over them.
 *
 * Invariants
 * I1 time never goes back; events of one moment run in an order that the seed chooses, events of one lane in their own.
 * I2 nothing of a dead machine runs.
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

interface Event {
  readonly due: number;
  readonly order: number;
  readonly machine: Machine | undefined;
  readonly run: () => void;
  isCancelled: boolean;
}

const EPOCH_MS = 1_700_000_000_000;

export class World {
  readonly random: SeededRandom;
  /** Milliseconds since the beginning. */
  time = 0;
  turns = 0;
  trace = 0;
  private heap: Event[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  /** Runs `run` after `ms` unless the machine is dead by then. */
  after(ms: number, run: () => void, machine?: Machine): Timer {
    const event: Event = {
      due: this.time + Math.max(0, ms),
      order: this.random.uint32(),
      machine,
      run,
      isCancelled: false,
    };
    this.push(event);
    return {
      cancel: () => {
        event.isCancelled = true;
      },
    };
  }

  /** Calls that stay in order, each some time after the one before. */
  lane(mostMs: number, machine?: Machine): (call: () => void) => void {
    let last = 0;
    const waiting: (() => void)[] = [];
    return call => {
      waiting.push(call);
      last = Math.max(last, this.time + this.random.float() * mostMs);
      this.after(last - this.time, () => waiting.shift()!(), machine);
    };
  }

  /** Lets the world go on until the time, or until nothing is left to happen. `each` is called after every turn. */
  async run(until: number, each: () => void = () => undefined): Promise<void> {
    // What the caller has just begun comes first.
    await settled();
    while (await this.turn(until)) each();
    this.time = Math.max(this.time, until);
  }

  /** Lets the world go on until the promise has settled; that it does not within the time is an error. */
  async settle<T>(promise: Promise<T>, withinMs = 600_000): Promise<T> {
    const until = this.time + withinMs;
    let isSettled = false;
    const done = (): void => {
      isSettled = true;
    };
    promise.then(done, done);
    await settled();
    while (!isSettled) if (!(await this.turn(until))) throw new Error(`not settled within ${withinMs} ms`);
    return promise;
  }

  /** One event that is due, with all that follows from it; false when there is none. */
  private async turn(until: number): Promise<boolean> {
    for (;;) {
      const next = this.heap[0];
      if (!next || next.due > until) return false;
      this.pop();
      if (next.isCancelled || next.machine?.isDead) continue;
      this.time = next.due;
      this.turns++;
      this.trace = (Math.imul(this.trace ^ next.order, 0x01000193) + Math.floor(next.due * 1_000)) >>> 0;
      try {
        next.run();
      } catch (error) {
        // A machine whose disk has stopped is as good as dead; from any other an error that nobody catches is a bug.
        if (!next.machine?.disk.isCrashed) throw error;
      }
      await settled();
      return true;
    }
  }

  private push(event: Event): void {
    const { heap } = this;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}

/** All promises that can settle now have settled: the microtask queue is empty when an immediate runs. */
function settled(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve);
  });
}

/** A machine that runs until it is killed. What is to survive is on its disk. */
export class Machine {
  readonly world: World;
  readonly disk: SimDisk;
  isDead = false;
  private readonly deaths: (() => void)[] = [];

  constructor(world: World, disk = new SimDisk()) {
    this.world = world;
    this.disk = disk;
  }

  /** Its part of the seam. `threads` are the modules that it may start, by name. */
  io(network: (machine: Machine) => Network, threads: Readonly<Record<string, ThreadMain>> = {}): Io {
    const { disk, world } = this;
    const clock: Clock = {
      now: () => EPOCH_MS + Math.floor(world.time),
      monotonic: () => world.time,
      after: (ms, callback) => world.after(ms, callback, this),
    };
    const inline = new InlineThreads(threads, world.lane(2, this));
    inline.io = { clock, random: world.random, files: disk, network: network(this), threads: inline };
    return inline.io;
  }

  onDeath(callback: () => void): void {
    this.deaths.push(callback);
  }

  /** At once: timers, threads and connections are gone. */
  kill(): void {
    if (this.isDead) return;
    this.isDead = true;
    for (const callback of this.deaths) callback();
  }
}
