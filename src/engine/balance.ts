/**
 * Pull balancing: each arm asks for the next batch when it is ready; waiting arms are served first come, first served.
 * The stream waits only when every arm is busy, so a stuck endpoint delays nobody but the batch that it holds, and an
 * endpoint that gives its rows back puts them to the head of the queue, for another arm.
 *
 *   upstream ──batch──► queue (head: returned rows) ──take──► arm 1 … n
 *
 * Each arm is a chain with private markers: marker k follows batch k, and the arm's sinks confirm k when the rows of
 * batch k are settled. The balance as a whole confirms an upstream epoch when all rows that came before are settled.
 *
 * Invariants
 * I1 `batch` returns when an arm took the batch: nothing piles up before a balance.
 * I2 a row is in the queue, in exactly one arm, or settled.
 * I3 rows returned keep their epoch open.
 */
import type { Batch } from '../sdk/index.ts';
import type { LedgerLine } from './ledger.ts';
import type { Maybe, Receiver } from './receiver.ts';

export interface BalanceHost {
  confirm(epoch: number): void;
  failed(error: unknown): void;
}

interface Entry {
  readonly batch: Batch;
  readonly segment: Segment;
  taken: (() => void) | undefined;
}

interface Segment {
  /** What ends it: an epoch's marker, or a watermark. */
  epoch: number | undefined;
  watermarkMs: number | undefined;
  /** Batches queued or in arms. */
  open: number;
}

interface Arm {
  readonly receiver: Receiver;
  /** Private marker → segment of the batch before it. */
  readonly inArm: Map<number, Segment>;
  /** Segment of the batch that the arm is working on; returned rows belong to it. */
  current: Segment | undefined;
  nextMarker: number;
  isBusy: boolean;
  /** To be passed before the next batch. */
  watermarkMs: number | undefined;
}

export class BalanceReceiver implements Receiver {
  readonly isDone = false;
  private readonly host: BalanceHost;
  private readonly line: LedgerLine;
  private readonly arms: Arm[] = [];
  private readonly queue: Entry[] = [];
  private readonly waiting: Arm[] = [];
  private readonly segments: Segment[] = [openSegment()];
  private quiet: (() => void)[] = [];
  private isEnding = false;

  constructor(line: LedgerLine, host: BalanceHost) {
    this.line = line;
    this.host = host;
  }

  /** Reserves an arm; its chain is made with the number returned and then attached. */
  addArm(): number {
    return this.arms.length;
  }

  attach(receiver: Receiver): void {
    const arm: Arm = {
      receiver,
      inArm: new Map(),
      current: undefined,
      nextMarker: 0,
      isBusy: false,
      watermarkMs: undefined,
    };
    this.arms.push(arm);
    this.waiting.push(arm);
  }

  /** A sink of the arm confirmed its private marker: the batch before it is settled. */
  confirmArm(armNumber: number, marker: number): void {
    const arm = this.arms[armNumber]!;
    for (const [number, segment] of arm.inArm) {
      if (number > marker) break;
      arm.inArm.delete(number);
      this.close(segment);
    }
  }

  /** Rows that the arm's sink gives back; they go to the head of the queue. */
  takeBack(armNumber: number, batch: Batch): void {
    const arm = this.arms[armNumber]!;
    // Rows come back while their own batch is still open in the arm: the oldest open segment cannot be too new.
    const segment = arm.inArm.values().next().value ?? arm.current ?? this.segments[0]!;
    segment.open++;
    this.line.returned += batch.count;
    batch.hold();
    this.queue.unshift({ batch, segment, taken: undefined });
    this.serve();
  }

  batch(batch: Batch): Maybe {
    this.line.received += batch.count;
    const segment = this.segments[this.segments.length - 1]!;
    segment.open++;
    batch.hold();
    const entry: Entry = { batch, segment, taken: undefined };
    this.queue.push(entry);
    this.serve();
    if (!this.queue.includes(entry)) return;
    return new Promise(resolve => {
      entry.taken = resolve;
    });
  }

  marker(epoch: number): Maybe {
    this.segments[this.segments.length - 1]!.epoch = epoch;
    this.segments.push(openSegment());
    this.confirmClosed();
  }

  /** Arms work in no common order and give rows back: a watermark holds for them when all before it is settled. */
  watermark(timeMs: number): Maybe {
    this.segments[this.segments.length - 1]!.watermarkMs = timeMs;
    this.segments.push(openSegment());
    this.confirmClosed();
  }

  async end(): Promise<void> {
    this.isEnding = true;
    while (this.isOpen) {
      // What arms have buffered would wait for more input; what they give back goes to another arm, and again.
      this.flush();
      if (this.isOpen) await new Promise<void>(resolve => this.quiet.push(resolve));
    }
    await Promise.all(this.arms.map(async arm => arm.receiver.end()));
  }

  async tick(): Promise<void> {
    await Promise.all(this.arms.map(async arm => (arm.isBusy ? undefined : arm.receiver.tick())));
  }

  flush(): void {
    for (const arm of this.arms) arm.receiver.flush();
  }

  private get isOpen(): boolean {
    return this.segments.some(segment => segment.open > 0);
  }

  private serve(): void {
    while (this.queue.length > 0 && this.waiting.length > 0) {
      const arm = this.waiting.shift()!;
      const entry = this.queue.shift()!;
      entry.taken?.();
      this.give(arm, entry);
    }
  }

  private give(arm: Arm, entry: Entry): void {
    arm.isBusy = true;
    arm.current = entry.segment;
    this.line.passed += entry.batch.count;
    const marker = arm.nextMarker++;
    arm.inArm.set(marker, entry.segment);
    const done = (): void => {
      entry.batch.release();
      arm.isBusy = false;
      arm.current = undefined;
      this.waiting.push(arm);
      this.serve();
      if (this.isEnding) this.wakeQuiet();
    };
    const run = async (): Promise<void> => {
      if (arm.watermarkMs !== undefined) await arm.receiver.watermark(arm.watermarkMs);
      arm.watermarkMs = undefined;
      await arm.receiver.batch(entry.batch);
      await arm.receiver.marker(marker);
    };
    run().then(done, (error: unknown) => this.host.failed(error));
  }

  private close(segment: Segment): void {
    segment.open--;
    this.confirmClosed();
    if (this.isEnding) this.wakeQuiet();
  }

  private confirmClosed(): void {
    while (this.segments.length > 1 && this.segments[0]!.open === 0) {
      const { epoch, watermarkMs } = this.segments.shift()!;
      if (epoch !== undefined) this.host.confirm(epoch);
      if (watermarkMs === undefined) continue;
      this.line.watermarkMs = watermarkMs;
      for (const arm of this.arms) arm.watermarkMs = watermarkMs;
    }
  }

  private wakeQuiet(): void {
    const waiters = this.quiet;
    this.quiet = [];
    for (const wake of waiters) wake();
  }
}

function openSegment(): Segment {
  return { epoch: undefined, watermarkMs: undefined, open: 0 };
}
