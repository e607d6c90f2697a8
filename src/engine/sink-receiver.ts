/**
 * The end of a chain: writes batches to a sink, settles their rows, confirms epochs.
 *
 * Invariants
 * I1 epoch n is confirmed when its marker has come and every row written before it is settled.
 * I2 each row is settled once; settling more rows than were written is a bug that stops the pipeline.
 * I3 a batch is held from its write until its last row is settled, so that a retry still has its bytes.
 */
import { assert } from '../base/index.ts';
import type { Batch, Delivery, RowFailure, Sink } from '../sdk/index.ts';
import type { LedgerLine } from './ledger.ts';
import type { Maybe, Receiver } from './receiver.ts';

export interface SinkHost {
  deadLetter(batch: Batch, row: number, failure: RowFailure): void;
  confirm(epoch: number): void;
  /** Takes rows that the sink gives back; absent where there is no other endpoint. */
  returned?(batch: Batch): void;
  failed(error: unknown): void;
}

export class SinkReceiver implements Receiver {
  readonly isDone = false;
  private readonly sink: Sink;
  private readonly line: LedgerLine;
  private readonly host: SinkHost;
  /** Rows not yet settled that were written before each marker still to be confirmed; the last entry is open. */
  private readonly segments: { epoch: number | undefined; rows: number }[] = [{ epoch: undefined, rows: 0 }];

  constructor(sink: Sink, line: LedgerLine, host: SinkHost) {
    this.sink = sink;
    this.line = line;
    this.host = host;
    line.endpoint = sink.endpoint;
  }

  batch(batch: Batch): Maybe {
    this.line.received += batch.count;
    const segment = this.segments[this.segments.length - 1]!;
    segment.rows += batch.count;
    batch.hold();
    return this.sink.write(batch, new RowDelivery(this, batch, segment));
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
    this.sink.flush();
    await this.sink.close();
  }

  tick(): Maybe {}

  flush(): void {
    this.sink.flush();
  }

  /** @internal one delivery reports */
  settle(segment: { rows: number }, rows: number): void {
    segment.rows -= rows;
    assert(segment.rows >= 0, 'I2: a sink settled more rows than it was given');
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
  private readonly segment: { rows: number };
  private open: number;

  constructor(receiver: SinkReceiver, batch: Batch, segment: { rows: number }) {
    this.receiver = receiver;
    this.batch = batch;
    this.segment = segment;
    this.open = batch.count;
  }

  get canReturn(): boolean {
    return this.receiver.owner.returned !== undefined;
  }

  delivered(rows: number): void {
    this.receiver.ledger.delivered += rows;
    this.settle(rows);
  }

  deadLetter(row: number, failure: RowFailure): void {
    this.receiver.ledger.deadLettered++;
    this.receiver.owner.deadLetter(this.batch, row, failure);
    this.settle(1);
  }

  returnRows(rows: readonly number[]): void {
    const { returned } = this.receiver.owner;
    assert(returned !== undefined, 'I2: rows returned where no other endpoint can take them');
    this.receiver.ledger.returned += rows.length;
    returned.call(this.receiver.owner, this.batch.select(Uint32Array.from(rows)));
    this.settle(rows.length);
  }

  private settle(rows: number): void {
    this.open -= rows;
    assert(this.open >= 0, 'I2: a row was settled twice');
    this.receiver.settle(this.segment, rows);
    if (this.open === 0) this.batch.release();
  }
}
