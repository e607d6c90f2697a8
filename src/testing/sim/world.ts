/**
 * A simulated world: time that jumps from event to event, machines that die at any of them, one seed behind every choice.
 *
 *   event     something due at a moment for a machine: a timer, bytes that arrive, a message between threads
 *   turn      one event runs, then every promise that it settled; only then the next
 *   machine   one life of a process. Its wall clock is its host's, which may jump either way; its monotonic clock and its
 *             timers know nothing of that. It may be stopped for a while (SIGSTOP): what was due comes when it goes on.
 *
 * What a machine scheduled dies with it. Two runs of one seed make the same turns: `trace` is a hash over them.
 *
 * Invariants
 * I1 time never goes back; events of one moment run in an order that the seed chooses, events of one lane in their own.
 * I2 nothing of a dead machine runs.
 */
import {
  Arena,
  type Clock,
  InlineThreads,
  type Io,
  makeArenaMemory,
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
      const first = this.heap[0];
      if (!first || first.due > until) return false;
      this.pop();
      if (first.isCancelled || first.machine?.isDead) continue;
      const next = first.machine ? this.inTurn(first, first.machine) : first;
      if (!next) continue;
      this.time = first.due;
      this.turns++;
      this.trace = (Math.imul(this.trace ^ next.order, 0x01000193) + Math.floor(first.due * 1_000)) >>> 0;
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

  /** What the machine does now: nothing while it is stopped; then first what came meanwhile, as it came. */
  private inTurn(event: Event, machine: Machine): Event | undefined {
    const { backlog, resumesAt } = machine;
    const isStopped = resumesAt > event.due;
    if (!isStopped && backlog.length === 0) return event;
    if (event.run !== catchUp) backlog.push(event);
    if (isStopped) return undefined;
    const next = backlog.shift()!;
    if (backlog.length > 0) this.after(event.due - this.time, catchUp, machine);
    return next.isCancelled ? undefined : next;
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

/** The event by which a machine goes on with what it has missed. */
function catchUp(): void {}

function isBefore(a: Event, b: Event): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}

/** All promises that can settle now have settled: the microtask queue is empty when an immediate runs. */
function settled(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve);
  });
}

/** The clock on the wall of a host, which outlives its processes. */
export interface WallClock {
  /** What it is wrong by. */
  offsetMs: number;
}

const RESERVED_BYTES = 16 * 1024 * 1024;
const SLAB_BYTES = 128 * 1024;
const SLABS = 24;
/** Memories of machines that are dead: a new one costs more than a run. */
const memories: WebAssembly.Memory[] = [];

/** A machine that runs until it is killed. What is to survive is on its disk. */
export class Machine {
  readonly world: World;
  readonly disk: SimDisk;
  readonly wall: WallClock;
  isDead = false;
  /** It is stopped until then. */
  resumesAt = 0;
  /** @internal What was due while it was stopped. */
  readonly backlog: Event[] = [];
  private readonly deaths: (() => void)[] = [];
  private memory: WebAssembly.Memory | undefined;

  constructor(world: World, disk = new SimDisk(), wall: WallClock = { offsetMs: 0 }) {
    this.world = world;
    this.disk = disk;
    this.wall = wall;
  }

  /** Its part of the seam. `threads` are the modules that it may start, by name. */
  io(network: (machine: Machine) => Network, threads: Readonly<Record<string, ThreadMain>> = {}): Io {
    const { disk, wall, world } = this;
    const clock: Clock = {
      now: () => EPOCH_MS + Math.floor(world.time + wall.offsetMs),
      monotonic: () => world.time,
      after: (ms, callback) => world.after(ms, callback, this),
    };
    const inline = new InlineThreads(threads, world.lane(2, this));
    inline.io = { clock, random: world.random, files: disk, network: network(this), threads: inline };
    return inline.io;
  }

  /** Its arena, one in a life; small, so that slabs are handed around. */
  makeArena(): Arena {
    this.memory = memories.pop() ?? makeArenaMemory(RESERVED_BYTES + SLABS * SLAB_BYTES + 64);
    return new Arena(this.memory, { slabBytes: SLAB_BYTES, reservedBytes: RESERVED_BYTES });
  }

  onDeath(callback: () => void): void {
    this.deaths.push(callback);
  }

  /** Stops for `ms`; nobody is told, and what arrives waits. */
  stop(ms: number): void {
    this.resumesAt = Math.max(this.resumesAt, this.world.time + ms);
    this.world.after(ms + 0.001, catchUp, this);
  }

  /** At once: timers, threads and connections are gone. */
  kill(): void {
    if (this.isDead) return;
    this.isDead = true;
    for (const callback of this.deaths) callback();
    if (this.memory) memories.push(this.memory);
    this.memory = undefined;
  }
}
