/**
 * Pull balancing: each arm asks for the next batch when it is ready; waiting arms are served first come, first served.
 * The stream waits only when no arm is ready, so a stuck endpoint delays nobody but the batch that it holds, and rows that an
 * endpoint gives back go to the head of the queue, for another arm.
 *
 *   upstream ──batch──► queue (head: returned rows) ──take──► arm 1 … n
 *
 *   arm   asking ─(ready)─► waiting ─(served)─► busy ─► asking
 *           ▲                                     │(failed)
 *           └──────(backoff, made again)── failed ◄┘         done: what it holds is all that it wants (`head`)
 *
 * Each arm is a chain with private markers: marker k follows batch k, and the arm's sinks confirm k when the rows of
 * batch k are settled. The balance as a whole confirms an upstream epoch when all rows that came before are settled. Where
 * arms keep states, the epoch's marker goes through every arm as well, and its number leads to their states.
 *
 * An arm that fails is set aside with a warning; what it had not settled goes to the others, counted as possible duplicates,
 * and it is made again after a growing pause. That needs chains that can be given their rows again (`isReplayable`);
 * a failure of any other chain is the pipeline's.
 *
 * Invariants
 * I1 `batch` returns when an arm took the batch: nothing piles up before a balance.
 * I2 a row is in the queue, in exactly one arm, or settled; a row that was returned is found by its id in the batch that it
 *    was given with, and keeps that batch's epoch open.
 * I3 an arm is entered by one caller at a time.
 * I4 confirmations of an arm that was given up mean nothing.
 */
import { assert, type Io, type Timer } from '../base/index.ts';
import type { Batch } from '../sdk/index.ts';
import { countIn, type LedgerLine } from './ledger.ts';
import { after, type EdgeTap, Lane, type Maybe, type Receiver, type StateTaker } from './receiver.ts';

export interface BalanceHost {
  readonly io: Io;
  /** Arms can be given rows again: nothing in their chains keeps or converts any. */
  readonly isReplayable: boolean;
  readonly states: StateTaker;
  confirm(epoch: number): void;
  failed(error: unknown): void;
  /** An arm failed and is tried again. */
  armFailed(arm: number, error: unknown, nextTryMs: number): void;
}

/** What an arm's chain reports to. */
export interface ArmLeaf {
  confirm(marker: number): void;
  returned(batch: Batch): void;
  failed(error: unknown): void;
  readonly states: StateTaker;
}

interface Segment {
  /** What ends it: an epoch's marker, or a watermark. */
  epoch: number | undefined;
  watermarkMs: number | undefined;
  /** Batches queued or in arms, and markers that arms still have to confirm. */
  open: number;
}

interface Entry {
  readonly batch: Batch;
  readonly segment: Segment;
  taken: (() => void) | undefined;
}

interface Arm {
  readonly number: number;
  readonly way: string;
  readonly tap: EdgeTap;
  readonly make: (leaf: ArmLeaf) => Receiver;
  /** Private marker → what was given before it; absent `entry`: the marker of an epoch. */
  readonly given: Map<number, { readonly entry: Entry | undefined; readonly segment: Segment }>;
  /** Private markers that are epochs'. */
  readonly epochs: Map<number, number>;
  state: 'asking' | 'waiting' | 'busy' | 'failed' | 'done';
  /** Counts how often it was made: what an earlier one reports is not heard. */
  made: number;
  receiver: Receiver;
  lane: Lane;
  nextMarker: number;
  failures: number;
  retry: Timer | undefined;
  /** To be passed before the next batch. */
  watermarkMs: number | undefined;
}

const RETRY_MS = 1_000;
const RETRY_MAX_MS = 60_000;

export class BalanceReceiver implements Receiver {
  private readonly host: BalanceHost;
  private readonly line: LedgerLine;
  private readonly arms: Arm[] = [];
  private readonly queue: Entry[] = [];
  private readonly waiting: Arm[] = [];
  private readonly segments: Segment[] = [openSegment()];
  private quiet: (() => void)[] = [];
  private hungry: (() => void)[] = [];
  private isEnding = false;
  private isAborted = false;

  constructor(line: LedgerLine, host: BalanceHost) {
    this.line = line;
    this.host = host;
  }

  /** `make` builds the arm's chain; it is called again after a failure. */
  addArm(way: string, tap: EdgeTap, make: (leaf: ArmLeaf) => Receiver): void {
    const arm: Arm = {
      number: this.arms.length + 1,
      way,
      tap,
      make,
      given: new Map(),
      epochs: new Map(),
      state: 'asking',
      made: 0,
      receiver: undefined as unknown as Receiver,
      lane: new Lane(),
      nextMarker: 0,
      failures: 0,
      retry: undefined,
      watermarkMs: undefined,
    };
    arm.receiver = make(this.leafOf(arm));
    this.line.ways[way] = 0;
    this.arms.push(arm);
    this.waiting.push(arm);
    arm.state = 'waiting';
  }

  get isDone(): boolean {
    return this.arms.every(({ state }) => state === 'done');
  }

  batch(batch: Batch): Maybe {
    if (this.isAborted) return;
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
    const segment = this.segments[this.segments.length - 1]!;
    segment.epoch = epoch;
    if (!this.host.isReplayable) this.markArms(epoch, segment);
    this.segments.push(openSegment());
    this.confirmClosed();
  }

  /** Arms work in no common order and give rows back: a watermark holds for them when all before it is settled. */
  watermark(timeMs: number): Maybe {
    this.segments[this.segments.length - 1]!.watermarkMs = timeMs;
    this.segments.push(openSegment());
    this.confirmClosed();
  }

  async end(isFinal: boolean): Promise<void> {
    this.isEnding = true;
    while (this.isOpen && !this.isAborted) {
      // What arms have buffered would wait for more input; what they give back goes to another arm, and again.
      this.flush();
      if (this.isOpen) await new Promise<void>(resolve => this.quiet.push(resolve));
    }
    await Promise.all(this.arms.map(async arm => arm.lane.run(() => arm.receiver.end(isFinal))));
  }

  tick(): Maybe {
    for (const arm of this.arms)
      if (!arm.lane.isBusy && arm.state !== 'failed') this.run(arm, () => arm.receiver.tick());
  }

  flush(): void {
    for (const arm of this.arms) arm.receiver.flush();
  }

  ready(): Maybe {
    if (this.queue.length === 0 && this.waiting.length > 0) return;
    return new Promise(resolve => this.hungry.push(resolve));
  }

  abort(): void {
    if (this.isAborted) return;
    this.isAborted = true;
    for (const entry of this.queue.splice(0)) {
      entry.batch.release();
      entry.taken?.();
    }
    for (const arm of this.arms) {
      arm.retry?.cancel();
      arm.receiver.abort();
      for (const { entry } of arm.given.values()) entry?.batch.release();
      arm.given.clear();
    }
    wakeAll(this.quiet);
    wakeAll(this.hungry);
  }

  private get isOpen(): boolean {
    return this.segments.some(segment => segment.open > 0);
  }

  private leafOf(arm: Arm): ArmLeaf {
    const made = ++arm.made;
    const isCurrent = (): boolean => arm.made === made && !this.isAborted;
    return {
      confirm: marker => {
        if (isCurrent()) this.confirmArm(arm, marker);
      },
      returned: batch => {
        if (isCurrent()) this.takeBack(arm, batch);
      },
      failed: error => {
        if (isCurrent()) this.fail(arm, error);
      },
      states: {
        wantsState: marker => arm.epochs.has(marker) && this.host.states.wantsState(arm.epochs.get(marker)!),
        addState: (marker, stageId, state) => this.host.states.addState(arm.epochs.get(marker)!, stageId, state),
      },
    };
  }

  /** A sink of the arm confirmed its private marker: what was given before it is settled. */
  private confirmArm(arm: Arm, marker: number): void {
    for (const [number, { entry, segment }] of arm.given) {
      if (number > marker) break;
      arm.given.delete(number);
      arm.epochs.delete(number);
      arm.failures = 0;
      entry?.batch.release();
      this.close(segment);
    }
  }

  /** Rows that the arm's sink gives back, as they are at its end of the chain; as they came, they go to the queue's head. */
  private takeBack(arm: Arm, returned: Batch): void {
    const ids = new Set(Array.from({ length: returned.count }, (_, row) => returned.idOf(row)));
    const found: Entry[] = [];
    for (const { entry } of arm.given.values()) {
      if (!entry) continue;
      const rows: number[] = [];
      for (let row = 0; row < entry.batch.count; row++) if (ids.delete(entry.batch.idOf(row))) rows.push(row);
      if (rows.length === 0) continue;
      entry.segment.open++;
      const batch = rows.length === entry.batch.count ? entry.batch : entry.batch.select(Uint32Array.from(rows));
      batch.hold();
      this.line.returned += rows.length;
      found.push({ batch, segment: entry.segment, taken: undefined });
    }
    assert(ids.size === 0, 'I2: a sink gave back rows that it was not given');
    this.queue.unshift(...found);
    // It gave them back because it cannot take them: others are asked first.
    this.forget(arm);
    if (arm.state === 'waiting') this.ask(arm);
    this.serve();
  }

  private serve(): void {
    while (this.queue.length > 0 && this.waiting.length > 0) {
      const arm = this.waiting.shift()!;
      if (arm.receiver.ready() !== undefined) {
        this.ask(arm);
        continue;
      }
      const entry = this.queue.shift()!;
      entry.taken?.();
      this.give(arm, entry);
    }
    if (this.isDone) this.discardQueue();
    else if (this.queue.length === 0 && this.waiting.length > 0) this.hungry = wakeAll(this.hungry);
  }

  /** Waits until the arm can take a batch, and lines it up. */
  private ask(arm: Arm): void {
    arm.state = 'asking';
    const { made } = arm;
    const ready = arm.receiver.ready();
    if (ready !== undefined) {
      const again = (): void => {
        if (arm.made === made && arm.state === 'asking' && !this.isAborted) this.ask(arm);
      };
      ready.then(again, (error: unknown) => {
        if (arm.made === made) this.fail(arm, error);
      });
      return;
    }
    arm.state = 'waiting';
    this.waiting.push(arm);
    this.serve();
  }

  private give(arm: Arm, entry: Entry): void {
    const marker = arm.nextMarker++;
    arm.given.set(marker, { entry, segment: entry.segment });
    arm.state = 'busy';
    countIn(this.line.ways, arm.way, entry.batch.count);
    if (arm.tap.isObserved) arm.tap.observe(entry.batch);
    const { watermarkMs } = arm;
    arm.watermarkMs = undefined;
    const { receiver } = arm;
    const work = (): Maybe =>
      after(watermarkMs === undefined ? undefined : receiver.watermark(watermarkMs), () =>
        after(receiver.batch(entry.batch), () => receiver.marker(marker)),
      );
    this.run(arm, work, () => {
      if (receiver.isDone) this.retire(arm);
      else this.ask(arm);
      if (this.isEnding) this.quiet = wakeAll(this.quiet);
    });
  }

  /** The epoch's marker behind everything that each arm was given before. */
  private markArms(epoch: number, segment: Segment): void {
    for (const arm of this.arms) {
      const marker = arm.nextMarker++;
      arm.given.set(marker, { entry: undefined, segment });
      arm.epochs.set(marker, epoch);
      segment.open++;
      this.run(arm, () => arm.receiver.marker(marker));
    }
  }

  /** Enters the arm, behind what runs in it; `then` follows unless it failed or was made again. */
  private run(arm: Arm, work: () => Maybe, then: () => void = () => undefined): void {
    const { made } = arm;
    const isCurrent = (): boolean => arm.made === made && !this.isAborted;
    const failed = (error: unknown): void => {
      if (isCurrent()) this.fail(arm, error);
    };
    let result: Maybe;
    try {
      result = arm.lane.run(work);
    } catch (error) {
      failed(error);
      return;
    }
    // Never within the caller's stack: an arm that takes everything at once would recurse with every batch.
    Promise.resolve(result).then(() => {
      if (isCurrent()) then();
    }, failed);
  }

  private fail(arm: Arm, error: unknown): void {
    if (!this.host.isReplayable) {
      this.host.failed(error);
      return;
    }
    arm.made++;
    arm.state = 'failed';
    this.forget(arm);
    arm.receiver.abort();
    const again = [...arm.given.values()].flatMap(({ entry }) => entry ?? []);
    arm.given.clear();
    for (const entry of again) {
      this.line.returned += entry.batch.count;
      this.line.possibleDuplicates += entry.batch.count;
    }
    this.queue.unshift(...again.map(({ batch, segment }) => ({ batch, segment, taken: undefined })));
    const most = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** arm.failures++);
    const pause = Math.max(100, this.host.io.random.float() * most);
    this.host.armFailed(arm.number, error, pause);
    arm.retry = this.host.io.clock.after(pause, () => this.makeAgain(arm), { background: true });
    this.serve();
  }

  private makeAgain(arm: Arm): void {
    if (this.isAborted) return;
    arm.lane = new Lane();
    try {
      arm.receiver = arm.make(this.leafOf(arm));
    } catch (error) {
      this.fail(arm, error);
      return;
    }
    this.ask(arm);
  }

  private retire(arm: Arm): void {
    arm.state = 'done';
    arm.receiver.flush();
    this.serve();
  }

  /** Nobody wants more. */
  private discardQueue(): void {
    for (const { batch, segment, taken } of this.queue.splice(0)) {
      this.line.filtered += batch.count;
      batch.release();
      taken?.();
      this.close(segment);
    }
  }

  private forget(arm: Arm): void {
    const at = this.waiting.indexOf(arm);
    if (at >= 0) this.waiting.splice(at, 1);
  }

  private close(segment: Segment): void {
    segment.open--;
    assert(segment.open >= 0, 'I2: a batch was settled twice');
    this.confirmClosed();
    if (this.isEnding) this.quiet = wakeAll(this.quiet);
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
}

function openSegment(): Segment {
  return { epoch: undefined, watermarkMs: undefined, open: 0 };
}

/** Wakes all and gives the list of those that wait from now on. */
function wakeAll(waiters: readonly (() => void)[]): (() => void)[] {
  for (const wake of waiters) wake();
  return [];
}
