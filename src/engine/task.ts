/**
 * A pipeline that runs: its source, its receivers, its epochs. One task lives in one thread; the process above starts,
 * drains and watches it (`engine/worker.ts`).
 *
 *   starting ─► running ─► draining ─► completed | stopped
 *       └──────────┴───────────┴─────► failed
 *
 * Invariants
 * I1 everything that enters the first receiver goes through one lane: batches, markers, ticks, the end.
 * I2 `finished` settles once; after a failure no epoch commits, and nothing is held any more.
 * I3 draining loses nothing: the source stops, what it emitted is delivered, the last epoch commits. Where progress is kept,
 *    what waits for the end of the data stays in the states; where it is not, the end has come.
 * I4 snapshots take a bounded share of the time: while they are large, epochs that come too soon are left out.
 */
import {
  type Arena,
  type Diagnostic,
  type Io,
  messageOf,
  MillraceError,
  systemCode,
  type Timer,
} from '../base/index.ts';
import { registerArena } from '../data/index.ts';
import type {
  Batch,
  Checkpoint,
  CheckpointStore,
  PartitionLag,
  Plan,
  Registry,
  ServiceToken,
  SinkHealth,
} from '../sdk/index.ts';
import { deadLetterStore } from '../sdk/index.ts';
import type { OnError } from './context.ts';
import { PIPELINE_BYTES_MAX, TaskCredits } from './credits.ts';
import { DeadLetters } from './dead-letters.ts';
import { Epochs } from './epochs.ts';
import { engineErrors } from './errors.ts';
import { type Instance, instantiate } from './instantiate.ts';
import { countIn, heldBy, type ReportedLine } from './ledger.ts';
import type { Predicate } from './predicate.ts';
import { after, Lane, type Maybe, stageOf } from './receiver.ts';
import { Tap, type TapReport } from './tap.ts';

const TICK_MS = 100;
/** Between two epochs at least so many times what the snapshots of the last one took. */
const SNAPSHOT_PAUSE = 20;

export type TaskState = 'starting' | 'running' | 'draining' | 'completed' | 'stopped' | 'failed';

export interface TaskHost {
  readonly io: Io;
  readonly arena: Arena;
  readonly registry: Registry;
  service<T>(token: ServiceToken<T>): T | undefined;
  /** Absent where no progress is kept (a run from the command line). */
  readonly checkpoints?: CheckpointStore;
  /** Expressions row by row only, as the reference for columns and folded constants. */
  readonly isInterpreted?: boolean;
  /** What becomes of events that a stage refuses; dead letters unless given. */
  readonly onError?: OnError;
  /** What the source may have on its way, bytes. */
  readonly bytesMax?: number;
  warn(diagnostic: Diagnostic): void;
}

export interface TaskReport {
  readonly pipelineId: string;
  readonly state: TaskState;
  /** Why it failed, or what it waits for. */
  readonly reason: string | undefined;
  readonly ledger: readonly ReportedLine[];
  readonly health: readonly ({ readonly stageId: string; readonly endpoint: string } & SinkHealth)[];
  readonly buffers: readonly { readonly stageId: string; readonly bytes: number }[];
  readonly lag: readonly PartitionLag[];
  readonly openEpochs: number;
  /** False when it has failed for a reason that the next run would meet again (`on_error: stop`). */
  readonly mayRestart: boolean;
  readonly deadLetters: number;
  /** Wall time of the last commit, ms since 1970. */
  readonly committedMs: number | undefined;
}

export class Task {
  private readonly plan: Plan;
  private readonly host: TaskHost;
  private readonly lane = new Lane();
  private readonly deadLetters: DeadLetters;
  private readonly credits: TaskCredits;
  private epochs!: Epochs;
  private instance!: Instance;
  private state: TaskState = 'starting';
  private reason: string | undefined;
  private mayRestart = true;
  private ticker: Timer | undefined;
  private isTicking = false;
  private committedMs: number | undefined;
  private committed: Checkpoint | undefined;
  private batches = 0;
  private snapshots = { atMs: Number.NEGATIVE_INFINITY, tookMs: 0 };
  /** An epoch that was left out; still good while no batch came behind it. */
  private leftOut: { readonly positions: string; readonly batches: number } | undefined;
  readonly finished: Promise<void>;
  private settle!: { resolve(): void; reject(error: unknown): void };

  constructor(plan: Plan, host: TaskHost) {
    this.plan = plan;
    this.host = host;
    registerArena(host.arena);
    const store = host.service(deadLetterStore) ?? { write: () => Promise.resolve() };
    this.deadLetters = new DeadLetters(host.io, plan.id, store);
    this.credits = new TaskCredits(host.bytesMax ?? PIPELINE_BYTES_MAX, () => this.instance.root.flush());
    this.finished = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    // Who does not wait for `finished` still reads the failure in the report.
    this.finished.catch(() => undefined);
  }

  /** Binds constants, opens stages, restores states and begins to read. */
  async start(): Promise<void> {
    const checkpoint = await this.host.checkpoints?.load(this.plan.id);
    this.epochs = new Epochs(
      { commit: done => this.commit(done), failed: error => this.fail('commit', error) },
      (checkpoint?.epoch ?? 0) + 1,
    );
    this.instance = instantiate(this.plan, {
      host: this.host,
      epochs: this.epochs,
      deadLetters: this.deadLetters,
      credits: this.credits,
      states: checkpoint?.states ?? {},
      failed: (stageId, error) => this.fail(stageId, error),
    });
    this.state = 'running';
    this.scheduleTick();
    void this.run(checkpoint?.positions).then(
      () => this.finish(),
      (error: unknown) => this.fail('source', error),
    );
  }

  /** Stops the source and lets everything in flight be delivered; `finished` tells when. */
  drain(): void {
    if (this.state !== 'running') return;
    this.state = 'draining';
    this.instance.source.stop();
    this.instance.root.flush();
  }

  /** Gives up what is in flight: nothing more commits, the next start reads it again. */
  abort(reason: string): void {
    this.fail('abort', new Error(reason));
  }

  report(): TaskReport {
    const { instance } = this;
    const isMade = instance !== undefined;
    return {
      pipelineId: this.plan.id,
      state: this.state,
      reason: this.reason ?? this.deadLetters.refusal,
      ledger: isMade ? instance.lines.map(line => ({ ...line, held: heldBy(line) })) : [],
      health: isMade ? instance.health() : [],
      buffers: isMade ? instance.buffers() : [],
      lag: isMade ? (instance.source.lag?.() ?? []) : [],
      openEpochs: this.epochs === undefined ? 0 : this.epochs.openEpochs,
      mayRestart: this.mayRestart,
      deadLetters: this.deadLetters.count,
      committedMs: this.committedMs,
    };
  }

  /** Opens a tap on a stage, named by its id or by its operator; on the last stage without a name. */
  tap(
    stage: string | undefined,
    predicate: Predicate | undefined,
    capacity: number,
  ): { take(): TapReport; close(): void } {
    const tap = new Tap(predicate, capacity);
    const close = this.instance.openTap(stage, tap);
    return { take: () => tap.take(), close };
  }

  private async run(positions: string | undefined): Promise<void> {
    const { root, source } = this.instance;
    await source.run(
      {
        emit: batch => this.enter(() => this.emit(batch)),
        watermark: timeMs => this.enter(() => root.watermark(timeMs)),
        cutEpoch: (cut, options) => this.enter(() => this.cutWhenDue(cut, options?.urgent === true)),
      },
      positions,
    );
    // The source ends because the pipeline failed: an end would turn states that are not complete into results.
    if (this.hasFailed) return;
    await this.lane.run(() => (this.leftOut ? this.cut(this.leftOut.positions) : undefined));
    const isFinal = this.state !== 'draining' || this.host.checkpoints === undefined;
    await this.lane.run(() => root.end(isFinal));
    await this.epochs.idle();
    if (this.hasFailed) return;
    await this.deadLetters.flush();
    if (isFinal) await this.saveEnd();
    await source.close?.();
  }

  /** What the states were good for has been given: the next run of the pipeline begins without them. */
  private async saveEnd(): Promise<void> {
    const last = this.committed;
    if (!last || Object.keys(last.states).length === 0) return;
    await this.host.checkpoints?.save(this.plan.id, { ...last, epoch: last.epoch + 1, states: {} });
  }

  private get hasFailed(): boolean {
    return this.state === 'failed';
  }

  /** A stage that throws inside a call of the source's fails the pipeline; the source is told to stop, and no more. */
  private enter(call: () => Maybe): Maybe {
    if (this.hasFailed) return;
    try {
      return this.lane.run(call)?.catch((error: unknown) => this.fail('stage', error));
    } catch (error) {
      this.fail('stage', error);
    }
  }

  private emit(batch: Batch): Maybe {
    if (this.hasFailed) return;
    const { edge, root, source } = this.instance;
    this.batches++;
    edge.bornMs = this.host.io.clock.monotonic();
    return after(edge.emit(batch), () => {
      if (root.isDone) source.stop();
      return this.deadLetters.room();
    });
  }

  private cutWhenDue(positions: string, isUrgent: boolean): Maybe {
    const { atMs, tookMs } = this.snapshots;
    const isDue = this.host.io.clock.monotonic() - atMs >= SNAPSHOT_PAUSE * tookMs;
    if (isUrgent || isDue || !this.instance.keepsState) return this.cut(positions);
    this.leftOut = { positions, batches: this.batches };
  }

  private cut(positions: string): Maybe {
    const { clock } = this.host.io;
    this.leftOut = undefined;
    const start = clock.monotonic();
    const result = this.instance.root.marker(this.epochs.cut(positions));
    const atMs = clock.monotonic();
    this.snapshots = { atMs, tookMs: atMs - start };
    return result;
  }

  private async commit(checkpoint: Checkpoint): Promise<void> {
    await this.deadLetters.flush();
    if (this.hasFailed) throw new Error('the pipeline has failed');
    await this.host.checkpoints?.save(this.plan.id, checkpoint);
    await this.instance.source.commit(checkpoint.positions);
    this.committed = checkpoint;
    this.committedMs = this.host.io.clock.now();
  }

  private scheduleTick(): void {
    this.ticker = this.host.io.clock.after(TICK_MS, () => {
      this.scheduleTick();
      if (this.isTicking || this.state === 'failed') return;
      this.isTicking = true;
      if (this.credits.isShort) this.instance.root.flush();
      const done = (): void => {
        this.isTicking = false;
      };
      Promise.resolve(this.lane.run(() => this.tick())).then(done, (error: unknown) => {
        done();
        this.fail('stage', error);
      });
    });
  }

  private tick(): Maybe {
    if (this.hasFailed) return;
    return after(this.instance.root.tick(), () => {
      const { leftOut } = this;
      if (leftOut?.batches === this.batches) return this.cutWhenDue(leftOut.positions, false);
    });
  }

  private finish(): void {
    this.ticker?.cancel();
    if (this.state === 'failed') return;
    this.deadLetters.stop();
    this.state = this.state === 'draining' ? 'stopped' : 'completed';
    this.settle.resolve();
  }

  private fail(stage: string, error: unknown): void {
    this.ticker?.cancel();
    if (this.state === 'failed' || this.state === 'completed' || this.state === 'stopped') return;
    this.state = 'failed';
    const place = stageOf(error) ?? stage;
    const line = this.instance?.lines.find(({ stageId }) => stageId === place);
    if (line) countIn(line.errors, systemCode(error) ?? 'failure');
    const name = line ? `${place} (${line.name})` : place;
    const failure = engineErrors.stageFailed({ pipeline: this.plan.id, stage: name, reason: messageOf(error) }, error);
    this.reason = failure.message;
    this.mayRestart = !(error instanceof MillraceError && error.row === engineErrors.refusedEvent.row);
    this.epochs?.fail();
    this.deadLetters.stop();
    this.instance?.source.stop();
    this.instance?.root.abort();
    this.credits.stop();
    // Whatever the source still holds is of no use now; why it cannot be closed neither.
    this.instance?.source.close?.().catch(() => undefined);
    this.settle.reject(error instanceof Error && 'code' in error ? error : failure);
  }
}
