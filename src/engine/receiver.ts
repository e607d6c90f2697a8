/**
 * Receivers: how elements travel. A running pipeline is a graph of receivers; each takes batches, epoch markers, watermarks
 * and the end, and hands on to the next. Calls are synchronous where nothing has to wait: a promise is returned only under
 * back-pressure, so that fused stages cost function calls.
 *
 * Invariants
 * I1 a receiver is entered by one caller at a time, in order (`Lane` sees to it where timers come in beside a source).
 * I2 the caller owns the batch during the call; who keeps it longer holds it.
 * I3 a marker or watermark overtakes nothing and is overtaken by nothing: merges pass it on when it came from every side.
 */
import type { Batch, Output, Transform } from '../sdk/index.ts';
import type { LedgerLine } from './ledger.ts';

export type Maybe = void | Promise<void>;

export interface Receiver {
  batch(batch: Batch): Maybe;
  marker(epoch: number): Maybe;
  /** Event time: what comes behind is not older, but for late events. */
  watermark(timeMs: number): Maybe;
  end(): Maybe;
  /** About every 100 ms. */
  tick(): Maybe;
  /** Sinks send what they have buffered: the pipeline drains. */
  flush(): void;
  /** More input would change nothing. */
  readonly isDone: boolean;
}

/** Runs `then` right away, or behind the promise. */
export function after(first: Maybe, then: () => Maybe): Maybe {
  return first === undefined ? then() : first.then(then);
}

export interface EdgeTap {
  readonly isObserved: boolean;
  observe(batch: Batch): void;
}

/** The edge behind a stage: counts what passes and shows it to taps. */
export class Edge implements Output {
  private readonly line: LedgerLine;
  private readonly tap: EdgeTap;
  private readonly next: Receiver;

  constructor(line: LedgerLine, tap: EdgeTap, next: Receiver) {
    this.line = line;
    this.tap = tap;
    this.next = next;
  }

  emit(batch: Batch): Maybe {
    if (batch.count === 0) return;
    this.line.passed += batch.count;
    if (this.tap.isObserved) this.tap.observe(batch);
    return this.next.batch(batch);
  }
}

export interface StateTaker {
  addState(epoch: number, stageId: string, state: string): void;
}

/** How a transform's output relates to its input, for its ledger line. */
export type Accounting = 'filters' | 'converts';

/** Runs one transform. What neither left nor is held was filtered, or was converted into something else. */
export class TransformReceiver implements Receiver {
  private readonly stageId: string;
  private readonly transform: Transform;
  private readonly accounting: Accounting;
  private readonly line: LedgerLine;
  private readonly out: Output;
  private readonly next: Receiver;
  private readonly states: StateTaker;

  constructor(parts: {
    stageId: string;
    transform: Transform;
    accounting: Accounting;
    line: LedgerLine;
    out: Output;
    next: Receiver;
    states: StateTaker;
  }) {
    this.stageId = parts.stageId;
    this.transform = parts.transform;
    this.accounting = parts.accounting;
    this.line = parts.line;
    this.out = parts.out;
    this.next = parts.next;
    this.states = parts.states;
  }

  get isDone(): boolean {
    return this.transform.isDone === true || this.next.isDone;
  }

  batch(batch: Batch): Maybe {
    this.line.received += batch.count;
    return after(this.transform.process(batch, this.out), () => this.settle());
  }

  marker(epoch: number): Maybe {
    return after(this.transform.epoch?.(this.out), () => {
      this.settle();
      const state = this.transform.snapshot?.();
      if (state !== undefined) this.states.addState(epoch, this.stageId, state);
      return this.next.marker(epoch);
    });
  }

  watermark(timeMs: number): Maybe {
    return after(this.transform.watermark?.(timeMs, this.out), () => {
      this.settle();
      return this.next.watermark(timeMs);
    });
  }

  end(): Maybe {
    return after(this.transform.end?.(this.out), () => {
      this.settle();
      return this.next.end();
    });
  }

  tick(): Maybe {
    return after(this.transform.tick?.(this.out), () => {
      this.settle();
      return this.next.tick();
    });
  }

  flush(): void {
    this.next.flush();
  }

  private settle(): void {
    const line = this.line;
    const held = this.transform.heldEvents ?? 0;
    if (this.accounting === 'converts') line.converted = line.received - line.deadLettered - held - line.passed;
    else line.filtered = line.received - line.deadLettered - held - line.passed;
  }
}

/** A copy of each batch goes into the side chain, the original goes on. */
export class FanOutReceiver implements Receiver {
  private readonly side: Receiver;
  private readonly next: Receiver;
  private readonly line: LedgerLine;
  private readonly out: Output;

  constructor(line: LedgerLine, side: Receiver, out: Output, next: Receiver) {
    this.line = line;
    this.side = side;
    this.out = out;
    this.next = next;
  }

  get isDone(): boolean {
    return this.side.isDone && this.next.isDone;
  }

  batch(batch: Batch): Maybe {
    this.line.received += batch.count;
    return after(this.side.batch(batch), () => this.out.emit(batch));
  }

  marker(epoch: number): Maybe {
    return after(this.side.marker(epoch), () => this.next.marker(epoch));
  }

  watermark(timeMs: number): Maybe {
    return after(this.side.watermark(timeMs), () => this.next.watermark(timeMs));
  }

  end(): Maybe {
    return after(this.side.end(), () => this.next.end());
  }

  tick(): Maybe {
    return after(this.side.tick(), () => this.next.tick());
  }

  flush(): void {
    this.side.flush();
    this.next.flush();
  }
}

/** Splits a batch by rows; `select` gives the rows that take the first way, ascending. */
export class BranchReceiver implements Receiver {
  private readonly line: LedgerLine;
  private readonly split: (batch: Batch) => { readonly then: Batch; readonly otherwise: Batch };
  private readonly then: Receiver;
  private readonly otherwise: Receiver;

  constructor(
    line: LedgerLine,
    split: (batch: Batch) => { readonly then: Batch; readonly otherwise: Batch },
    then: Receiver,
    otherwise: Receiver,
  ) {
    this.line = line;
    this.split = split;
    this.then = then;
    this.otherwise = otherwise;
  }

  get isDone(): boolean {
    return this.then.isDone && this.otherwise.isDone;
  }

  batch(batch: Batch): Maybe {
    this.line.received += batch.count;
    this.line.passed += batch.count;
    const { then, otherwise } = this.split(batch);
    const first = then.count > 0 ? this.then.batch(then) : undefined;
    return after(first, () => (otherwise.count > 0 ? this.otherwise.batch(otherwise) : undefined));
  }

  marker(epoch: number): Maybe {
    return after(this.then.marker(epoch), () => this.otherwise.marker(epoch));
  }

  watermark(timeMs: number): Maybe {
    return after(this.then.watermark(timeMs), () => this.otherwise.watermark(timeMs));
  }

  end(): Maybe {
    return after(this.then.end(), () => this.otherwise.end());
  }

  tick(): Maybe {
    return after(this.then.tick(), () => this.otherwise.tick());
  }

  flush(): void {
    this.then.flush();
    this.otherwise.flush();
  }
}

/** Where ways meet again: batches pass; markers, watermarks and the end wait until they came from every way. */
export class MergeReceiver implements Receiver {
  private readonly next: Receiver;
  private readonly ways: number;
  private markers = 0;
  private watermarks = 0;
  private ends = 0;
  private ticks = 0;

  constructor(ways: number, next: Receiver) {
    this.ways = ways;
    this.next = next;
  }

  get isDone(): boolean {
    return this.next.isDone;
  }

  batch(batch: Batch): Maybe {
    return this.next.batch(batch);
  }

  marker(epoch: number): Maybe {
    if (++this.markers < this.ways) return;
    this.markers = 0;
    return this.next.marker(epoch);
  }

  /** Every way gets the same ones in the same order, so the last to arrive is the least of all ways. */
  watermark(timeMs: number): Maybe {
    if (++this.watermarks < this.ways) return;
    this.watermarks = 0;
    return this.next.watermark(timeMs);
  }

  end(): Maybe {
    if (++this.ends < this.ways) return;
    return this.next.end();
  }

  tick(): Maybe {
    if (++this.ticks < this.ways) return;
    this.ticks = 0;
    return this.next.tick();
  }

  flush(): void {
    this.next.flush();
  }
}

/** Serial entry: calls run one after the other; without contention they run at once and without a promise. */
export class Lane {
  private tail: Promise<void> | undefined;

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
