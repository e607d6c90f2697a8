/**
 * Receivers: how elements travel. A running pipeline is a graph of receivers; each takes batches, epoch markers, watermarks
 * and the end, and hands on to the next. Calls are synchronous where nothing has to wait: a promise is returned only under
 * back-pressure, so that fused stages cost function calls.
 *
 * Invariants
 * I1 a receiver is entered by one caller at a time, in order (`Lane` sees to it where timers come in beside a source).
 * I2 the caller owns the batch during the call; who keeps it longer holds it.
 * I3 a marker or watermark overtakes nothing and is overtaken by nothing: merges pass it on when it came from every side.
 * I4 after `abort` a receiver holds nothing, takes nothing, and every promise that it gave is settled or will be.
 */
import type { Clock } from '../base/index.ts';
import type { Batch, Output, Transform } from '../sdk/index.ts';
import type { LedgerLine } from './ledger.ts';

export type Maybe = void | Promise<void>;

export interface Receiver {
  batch(batch: Batch): Maybe;
  marker(epoch: number): Maybe;
  /** Event time: what comes behind is not older, but for late events. */
  watermark(timeMs: number): Maybe;
  /**
   * Nothing more comes. `isFinal`: the data has ended, so stages give what waits for that. Otherwise the pipeline stops and
   * will go on from its last epoch: what waits is in the states.
   */
  end(isFinal: boolean): Maybe;
  /** About every 100 ms. */
  tick(): Maybe;
  /** Stages let go of what they gather: the pipeline drains, or memory is short. */
  flush(): void;
  /** Undefined when a batch would be taken at once; else resolves when it is worth asking again. */
  ready(): Maybe;
  /** The run is over: let go of everything. */
  abort(): void;
  /** More input would change nothing. */
  readonly isDone: boolean;
}

/** Runs `then` right away, or behind the promise. */
export function after(first: Maybe, then: () => Maybe): Maybe {
  return first === undefined ? then() : first.then(then);
}

const places = new WeakMap<object, string>();

/** Runs a stage's own work; an error that comes out of it remembers the stage, the innermost of those that it passes. */
export function at(stageId: string, work: () => Maybe): Maybe {
  const remember = (error: unknown): never => {
    if (error instanceof Error && !places.has(error)) places.set(error, stageId);
    throw error;
  };
  try {
    return work()?.catch(remember);
  } catch (error) {
    return remember(error);
  }
}

/** The stage that an error came out of. */
export function stageOf(error: unknown): string | undefined {
  return error instanceof Error ? places.get(error) : undefined;
}

export interface EdgeTap {
  readonly isObserved: boolean;
  observe(batch: Batch): void;
}

/** An edge: counts what goes over it and shows it to taps. */
export class Edge implements Output {
  /** Time that receivers behind edges have been computing in this thread; who enters them subtracts it from its own. */
  static downstreamMs = 0;
  /** Of batches that are made new: when what they were made of came in. */
  bornMs: number | undefined;
  private readonly count: (events: number) => void;
  private readonly tap: EdgeTap;
  private readonly next: Receiver;
  private readonly clock: Clock;

  constructor(parts: { count(events: number): void; tap: EdgeTap; next: Receiver; clock: Clock }) {
    this.count = parts.count;
    this.tap = parts.tap;
    this.next = parts.next;
    this.clock = parts.clock;
  }

  emit(batch: Batch): Maybe {
    if (batch.count === 0) return;
    batch.store.bornMs ??= this.bornMs;
    this.count(batch.count);
    if (this.tap.isObserved) this.tap.observe(batch);
    const start = this.clock.monotonic();
    const before = Edge.downstreamMs;
    try {
      return this.next.batch(batch);
    } finally {
      Edge.downstreamMs = before + this.clock.monotonic() - start;
    }
  }

  /** What `work` itself computes while it runs, without what runs behind edges. */
  static timed(clock: Clock, line: LedgerLine, work: () => Maybe): Maybe {
    const start = clock.monotonic();
    const before = Edge.downstreamMs;
    try {
      return work();
    } finally {
      line.busyMs += clock.monotonic() - start - (Edge.downstreamMs - before);
    }
  }
}

export interface StateTaker {
  /** False for a marker at which no state is kept. */
  wantsState(epoch: number): boolean;
  addState(epoch: number, stageId: string, state: string): void;
}

/** Runs one transform. What neither left nor is held was filtered, or was converted into something else. */
export class TransformReceiver implements Receiver {
  private readonly stageId: string;
  private readonly transform: Transform;
  private readonly line: LedgerLine;
  private readonly out: Edge;
  private readonly next: Receiver;
  private readonly states: StateTaker;
  private readonly clock: Clock;

  constructor(parts: {
    stageId: string;
    transform: Transform;
    line: LedgerLine;
    out: Edge;
    next: Receiver;
    states: StateTaker;
    clock: Clock;
  }) {
    this.stageId = parts.stageId;
    this.transform = parts.transform;
    this.line = parts.line;
    this.out = parts.out;
    this.next = parts.next;
    this.states = parts.states;
    this.clock = parts.clock;
  }

  get isDone(): boolean {
    return this.transform.isDone === true || this.next.isDone;
  }

  batch(batch: Batch): Maybe {
    this.line.received += batch.count;
    this.out.bornMs = batch.store.bornMs;
    const work = at(this.stageId, () =>
      Edge.timed(this.clock, this.line, () => this.transform.process(batch, this.out)),
    );
    return after(work, () => this.settle());
  }

  marker(epoch: number): Maybe {
    return after(
      at(this.stageId, () => this.transform.epoch?.(this.out)),
      () => {
        this.settle();
        if (this.transform.snapshot && this.states.wantsState(epoch))
          this.states.addState(epoch, this.stageId, this.transform.snapshot());
        return this.next.marker(epoch);
      },
    );
  }

  watermark(timeMs: number): Maybe {
    return after(
      at(this.stageId, () => this.transform.watermark?.(timeMs, this.out)),
      () => {
        this.settle();
        return this.next.watermark(timeMs);
      },
    );
  }

  end(isFinal: boolean): Maybe {
    return after(
      at(this.stageId, () => (isFinal ? this.transform.end?.(this.out) : undefined)),
      () => {
        this.settle();
        return this.next.end(isFinal);
      },
    );
  }

  tick(): Maybe {
    return after(
      at(this.stageId, () => this.transform.tick?.(this.out)),
      () => {
        this.settle();
        return this.next.tick();
      },
    );
  }

  flush(): void {
    this.transform.flush?.();
    this.next.flush();
  }

  ready(): Maybe {
    return this.next.ready();
  }

  abort(): void {
    this.transform.abort?.();
    this.next.abort();
  }

  private settle(): void {
    const { line } = this;
    const taken = line.received - (this.transform.heldEvents ?? 0);
    if (line.kind === 'converts') line.converted = taken;
    else line.filtered = taken - line.passed - line.deadLettered - line.dropped;
  }
}

/** A copy of each batch goes into the side chain, the original goes on. */
export class FanOutReceiver implements Receiver {
  private readonly side: Receiver;
  private readonly next: Receiver;
  private readonly line: LedgerLine;
  private readonly copies: Output;
  private readonly out: Output;

  constructor(parts: { line: LedgerLine; side: Receiver; copies: Output; out: Output; next: Receiver }) {
    this.line = parts.line;
    this.side = parts.side;
    this.copies = parts.copies;
    this.out = parts.out;
    this.next = parts.next;
  }

  get isDone(): boolean {
    return this.side.isDone && this.next.isDone;
  }

  batch(batch: Batch): Maybe {
    this.line.received += batch.count;
    return after(this.copies.emit(batch), () => this.out.emit(batch));
  }

  marker(epoch: number): Maybe {
    return after(this.side.marker(epoch), () => this.next.marker(epoch));
  }

  watermark(timeMs: number): Maybe {
    return after(this.side.watermark(timeMs), () => this.next.watermark(timeMs));
  }

  end(isFinal: boolean): Maybe {
    return after(this.side.end(isFinal), () => this.next.end(isFinal));
  }

  tick(): Maybe {
    return after(this.side.tick(), () => this.next.tick());
  }

  flush(): void {
    this.side.flush();
    this.next.flush();
  }

  ready(): Maybe {
    return this.side.ready() ?? this.next.ready();
  }

  abort(): void {
    this.side.abort();
    this.next.abort();
  }
}

/** Splits a batch by rows over two ways. */
export class BranchReceiver implements Receiver {
  private readonly line: LedgerLine;
  private readonly split: (batch: Batch) => { readonly then: Batch; readonly otherwise: Batch };
  private readonly then: Receiver;
  private readonly otherwise: Receiver;
  private readonly ways: { readonly then: Output; readonly otherwise: Output };

  constructor(parts: {
    line: LedgerLine;
    split: (batch: Batch) => { readonly then: Batch; readonly otherwise: Batch };
    then: Receiver;
    otherwise: Receiver;
    ways: { readonly then: Output; readonly otherwise: Output };
  }) {
    this.line = parts.line;
    this.split = parts.split;
    this.then = parts.then;
    this.otherwise = parts.otherwise;
    this.ways = parts.ways;
  }

  get isDone(): boolean {
    return this.then.isDone && this.otherwise.isDone;
  }

  batch(batch: Batch): Maybe {
    this.line.received += batch.count;
    const { otherwise, then } = this.split(batch);
    return after(this.ways.then.emit(then), () => this.ways.otherwise.emit(otherwise));
  }

  marker(epoch: number): Maybe {
    return after(this.then.marker(epoch), () => this.otherwise.marker(epoch));
  }

  watermark(timeMs: number): Maybe {
    return after(this.then.watermark(timeMs), () => this.otherwise.watermark(timeMs));
  }

  end(isFinal: boolean): Maybe {
    return after(this.then.end(isFinal), () => this.otherwise.end(isFinal));
  }

  tick(): Maybe {
    return after(this.then.tick(), () => this.otherwise.tick());
  }

  flush(): void {
    this.then.flush();
    this.otherwise.flush();
  }

  ready(): Maybe {
    return this.then.ready() ?? this.otherwise.ready();
  }

  abort(): void {
    this.then.abort();
    this.otherwise.abort();
  }
}

/** Where ways meet again: batches pass; markers, watermarks and the end wait until they came from every way. */
export class MergeReceiver implements Receiver {
  private readonly next: Receiver;
  private readonly out: Output;
  private readonly ways: number;
  private readonly markers = new Map<number, number>();
  private watermarks = 0;
  private ends = 0;
  private ticks = 0;

  constructor(ways: number, out: Output, next: Receiver) {
    this.ways = ways;
    this.out = out;
    this.next = next;
  }

  get isDone(): boolean {
    return this.next.isDone;
  }

  batch(batch: Batch): Maybe {
    return this.out.emit(batch);
  }

  marker(epoch: number): Maybe {
    const came = (this.markers.get(epoch) ?? 0) + 1;
    if (came < this.ways) {
      this.markers.set(epoch, came);
      return;
    }
    this.markers.delete(epoch);
    return this.next.marker(epoch);
  }

  /** Every way gets the same ones in the same order, so the last to arrive is the least of all ways. */
  watermark(timeMs: number): Maybe {
    if (++this.watermarks < this.ways) return;
    this.watermarks = 0;
    return this.next.watermark(timeMs);
  }

  end(isFinal: boolean): Maybe {
    if (++this.ends < this.ways) return;
    return this.next.end(isFinal);
  }

  tick(): Maybe {
    if (++this.ticks < this.ways) return;
    this.ticks = 0;
    return this.next.tick();
  }

  flush(): void {
    this.next.flush();
  }

  ready(): Maybe {
    return this.next.ready();
  }

  abort(): void {
    this.next.abort();
  }
}

/** Serial entry: calls run one after the other; without contention they run at once and without a promise. */
export class Lane {
  private tail: Promise<void> | undefined;

  get isBusy(): boolean {
    return this.tail !== undefined;
  }

  run(call: () => Maybe): Maybe {
    if (this.tail) return this.chain(this.tail.then(call));
    const result = call();
    return result === undefined ? undefined : this.chain(result);
  }

  private chain(work: Promise<void>): Promise<void> {
    const done = work.finally(() => {
      if (this.tail === done) this.tail = undefined;
    });
    this.tail = done;
    return done;
  }
}
