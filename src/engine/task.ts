/**
 * A pipeline that runs: its source, its receivers, its epochs. One task lives in one thread; the process above starts,
 * drains and watches it (`engine/worker.ts`).
 *
 *   starting ─► running ─► draining ─► completed | stopped
 *       └──────────┴───────────┴─────► failed
 *
 * Invariants
 * I1 everything that enters the first receiver goes through one lane: batches, markers, ticks, the end.
 * I2 `finished` settles once; after a failure no epoch commits.
 * I3 draining loses nothing: the source stops, what it emitted is delivered, the last epoch commits.
 */
import { type Arena, type Diagnostic, type Io, messageOf, type Timer } from '../base/index.ts';
import { registerArena } from '../data/index.ts';
import type { Batch, Checkpoint, CheckpointStore, Plan, Registry, ServiceToken, SinkHealth } from '../sdk/index.ts';
import { deadLetterStore } from '../sdk/index.ts';
import { DeadLetters } from './dead-letters.ts';
import { Epochs } from './epochs.ts';
import { engineErrors } from './errors.ts';
import { type Instance, instantiate } from './instantiate.ts';
import { heldBy, type LedgerLine } from './ledger.ts';
import type { Predicate } from './predicate.ts';
import { Lane, type Maybe } from './receiver.ts';
import { Tap, type TapReport } from './tap.ts';

const TICK_MS = 100;

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
  warn(diagnostic: Diagnostic): void;
}

export interface TaskReport {
  readonly pipelineId: string;
  readonly state: TaskState;
  /** Why it failed, or what it waits for. */
  readonly reason: string | undefined;
  readonly ledger: readonly (LedgerLine & { readonly held: number })[];
  readonly health: readonly ({ readonly stageId: string; readonly endpoint: string } & SinkHealth)[];
  readonly openEpochs: number;
  readonly deadLetters: number;
}

export class Task {
  private readonly plan: Plan;
  private readonly host: TaskHost;
  private readonly lane = new Lane();
  private readonly deadLetters: DeadLetters;
  private epochs!: Epochs;
  private instance!: Instance;
  private state: TaskState = 'starting';
  private reason: string | undefined;
  private ticker: Timer | undefined;
  private isTicking = false;
  readonly finished: Promise<void>;
  private settle!: { resolve(): void; reject(error: unknown): void };

  constructor(plan: Plan, host: TaskHost) {
    this.plan = plan;
    this.host = host;
    registerArena(host.arena);
    const store = host.service(deadLetterStore) ?? { write: () => Promise.resolve() };
    this.deadLetters = new DeadLetters(host.io, plan.id, store);
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
    const ledger = this.instance === undefined ? [] : this.instance.lines;
    return {
      pipelineId: this.plan.id,
      state: this.state,
      reason: this.reason ?? this.deadLetters.refusal,
      ledger: ledger.map(line => ({ ...line, held: heldBy(line) })),
      health: this.instance === undefined ? [] : this.instance.health(),
      openEpochs: this.epochs === undefined ? 0 : this.epochs.openEpochs,
      deadLetters: this.deadLetters.count,
    };
  }

  /** Opens a tap behind a stage, named by its id or by its operator; the last stage without a name. */
  tap(
    stage: string | undefined,
    predicate: Predicate | undefined,
    capacity: number,
  ): { take(): TapReport; close(): void } {
    const point = this.instance.tapPoint(stage);
    if (!point) {
      const stages = this.instance.lines.map(line => `${line.stageId} (${line.name})`).join(', ');
      throw engineErrors.unknownTap({ pipeline: this.plan.id, stage, stages });
    }
    const tap = new Tap(predicate, capacity);
    const close = point.open(tap);
    return { take: () => tap.take(), close };
  }

  private async run(positions: string | undefined): Promise<void> {
    const { source, root } = this.instance;
    await source.run(
      {
        emit: batch => this.enter(() => this.emit(batch)),
        watermark: timeMs => this.enter(() => root.watermark(timeMs)),
        cutEpoch: cut => this.enter(() => root.marker(this.epochs.cut(cut))),
      },
      positions,
    );
    // The source ends because the pipeline failed: an end would turn states that are not complete into results.
    if (this.hasFailed) return;
    await this.lane.run(() => root.end());
    await this.epochs.idle();
    await source.close?.();
  }

  private get hasFailed(): boolean {
    return this.state === 'failed';
  }

  private enter(call: () => Maybe): Maybe {
    // A stage that throws inside a call of the source's fails the pipeline, whoever was on the stack.
    try {
      return this.lane.run(call);
    } catch (error) {
      this.fail('stage', error);
      throw error;
    }
  }

  private emit(batch: Batch): Maybe {
    const { edge, root, source } = this.instance;
    const result = edge.emit(batch);
    if (root.isDone) source.stop();
    return result;
  }

  private async commit(checkpoint: Checkpoint): Promise<void> {
    await this.deadLetters.flush();
    await this.host.checkpoints?.save(this.plan.id, checkpoint);
    await this.instance.source.commit(checkpoint.positions);
  }

  private scheduleTick(): void {
    this.ticker = this.host.io.clock.after(TICK_MS, () => {
      this.scheduleTick();
      if (this.isTicking || this.state === 'failed') return;
      this.isTicking = true;
      const done = (): void => {
        this.isTicking = false;
      };
      Promise.resolve(this.lane.run(() => this.instance.root.tick())).then(done, (error: unknown) => {
        done();
        this.fail('stage', error);
      });
    });
  }

  private finish(): void {
    this.ticker?.cancel();
    if (this.state === 'failed') return;
    this.state = this.state === 'draining' ? 'stopped' : 'completed';
    this.settle.resolve();
  }

  private fail(stage: string, error: unknown): void {
    this.ticker?.cancel();
    if (this.state === 'failed' || this.state === 'completed' || this.state === 'stopped') return;
    this.state = 'failed';
    const failure = engineErrors.stageFailed({ pipeline: this.plan.id, stage, reason: messageOf(error) }, error);
    this.reason = failure.message;
    this.epochs?.fail();
    this.instance?.source.stop();
    this.instance?.abort();
    // Whatever the source still holds is of no use now; why it cannot be closed neither.
    this.instance?.source.close?.().catch(() => undefined);
    this.settle.reject(error instanceof Error && 'code' in error ? error : failure);
  }
}
