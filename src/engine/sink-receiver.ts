/**
 * The end of a chain: writes batches to a sink, settles their rows, confirms epochs.
 *
 * Invariants
 * I1 epoch n is confirmed when its marker has come and every row written before it is settled.
 * I2 each row is settled once; settling more rows than were written is a bug that stops the pipeline.
 * I3 a batch is held from its write until its last row is settled, so that a retry still has its bytes; what is unsettled
 *    when the run is aborted is let go of.
 */
import { assert, type Clock } from '../base/index.ts';
import type { Batch, Delivery, RowFailure, Sink } from '../sdk/index.ts';
import { type LedgerLine, observeLatency } from './ledger.ts';
import { at, Edge, type Maybe, type Receiver } from './receiver.ts';

export interface SinkHost {
  readonly clock: Clock;
  /** False: the row stays unsettled, because the pipeline stops for it. */
  refuse(batch: Batch, row: number, failure: RowFailure): boolean;
  confirm(epoch: number): void;
  /** Takes rows that the sink gives back; absent where there is no other endpoint. */
  returned?(batch: Batch): void;
}

interface Segment {
  epoch: number | undefined;
  rows: number;
}

export class SinkReceiver implements Receiver {
  readonly isDone = false;
  private readonly sink: Sink;
  private readonly line: LedgerLine;
  private readonly host: SinkHost;
  /** Rows not yet settled that were written before each marker still to be confirmed; the last entry is open. */
  private readonly segments: Segment[] = [{ epoch: undefined, rows: 0 }];
  private readonly open = new Set<RowDelivery>();
  private isAborted = false;

  constructor(sink: Sink, line: LedgerLine, host: SinkHost) {
    this.sink = sink;
    this.line = line;
    this.host = host;
    line.endpoint = sink.endpoint;
  }

  batch(batch: Batch): Maybe {
    if (this.isAborted) return;
    this.line.received += batch.count;
    const segment = this.segments[this.segments.length - 1]!;
    segment.rows += batch.count;
    batch.hold();
    const delivery = new RowDelivery(this, batch, segment);
    this.open.add(delivery);
    const { clock } = this.host;
    return at(this.line.stageId, () => Edge.timed(clock, this.line, () => this.sink.write(batch, delivery)));
  }

  marker(epoch: number): Maybe {
    this.segments[this.segments.length - 1]!.epoch = epoch;
    this.segments.push({ epoch: undefined, rows: 0 });
    this.confirmSettled();
  }

  watermark(timeMs: number): Maybe {
    this.line.watermarkMs = timeMs;
  }

  async end(): Promise<void> {
    if (this.isAborted) return;
    this.sink.flush();
    await at(this.line.stageId, () => this.sink.close());
  }

  tick(): Maybe {}

  flush(): void {
    if (!this.isAborted) this.sink.flush();
  }

  ready(): Maybe {
    return this.isAborted ? undefined : this.sink.ready?.();
  }

  abort(): void {
    if (this.isAborted) return;
    this.isAborted = true;
    this.sink.abort?.();
    for (const delivery of this.open) this.line.returned += delivery.letGo();
    this.open.clear();
  }

  /** @internal one delivery reports */
  settle(delivery: RowDelivery, segment: Segment, rows: number, isLast: boolean): void {
    segment.rows -= rows;
    assert(segment.rows >= 0, 'I2: a sink settled more rows than it was given');
    if (isLast) this.open.delete(delivery);
    this.confirmSettled();
  }

  /** @internal */
  get ledger(): LedgerLine {
    return this.line;
  }

  /** @internal */
  get owner(): SinkHost {
    return this.host;
  }

  private confirmSettled(): void {
    while (this.segments.length > 1 && this.segments[0]!.rows === 0) {
      const { epoch } = this.segments.shift()!;
      if (epoch !== undefined) this.host.confirm(epoch);
    }
  }
}

class RowDelivery implements Delivery {
  private readonly receiver: SinkReceiver;
  private readonly batch: Batch;
  private readonly segment: Segment;
  private open: number;
  private isOver = false;

  constructor(receiver: SinkReceiver, batch: Batch, segment: Segment) {
    this.receiver = receiver;
    this.batch = batch;
    this.segment = segment;
    this.open = batch.count;
  }

  get canReturn(): boolean {
    return this.receiver.owner.returned !== undefined;
  }

  delivered(rows: number): void {
    if (this.isOver) return;
    const { ledger, owner } = this.receiver;
    ledger.delivered += rows;
    const { bornMs } = this.batch.store;
    if (bornMs !== undefined) observeLatency(ledger, owner.clock.monotonic() - bornMs, rows);
    this.settle(rows);
  }

  skipped(rows: number): void {
    if (this.isOver) return;
    this.receiver.ledger.filtered += rows;
    this.settle(rows);
  }

  deadLetter(row: number, failure: RowFailure): void {
    if (this.isOver || !this.receiver.owner.refuse(this.batch, row, failure)) return;
    this.settle(1);
  }

  returnRows(rows: readonly number[]): void {
    if (this.isOver) return;
    const { returned } = this.receiver.owner;
    assert(returned !== undefined, 'I2: rows returned where no other endpoint can take them');
    this.receiver.ledger.returned += rows.length;
    returned.call(this.receiver.owner, this.batch.select(Uint32Array.from(rows)));
    this.settle(rows.length);
  }

  /** The run is over: what is open stays open, and later reports mean nothing. Returns how many rows that are. */
  letGo(): number {
    this.isOver = true;
    this.batch.release();
    return this.open;
  }

  private settle(rows: number): void {
    this.open -= rows;
    assert(this.open >= 0, 'I2: a row was settled twice');
    const isLast = this.open === 0;
    this.receiver.settle(this, this.segment, rows, isLast);
    if (isLast) this.batch.release();
  }
}
