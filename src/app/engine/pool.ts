/**
 * Engine workers and the pipelines that run in them. Workers start when the first pipeline needs them; a pipeline goes to
 * the worker with the fewest. Placement is configuration: with no workers the same tasks run in the caller's thread.
 *
 *   arena   range of the process, then one for each worker
 *
 * Invariants
 * I1 a pipeline's `finished` settles once; a worker that ends fails every pipeline that ran in it, and the next one that
 *    needs it gets a new thread over the same range.
 */
import { type Arena, Calls, InlineThreads, type Io, type Remote, type Thread } from '../../base/index.ts';
import type { TapReport, TaskReport } from '../../engine/index.ts';
import type { CheckpointStore, DeadLetterStore, EmbeddedLog } from '../../sdk/index.ts';
import {
  main,
  type PortLog,
  type TaskSettings,
  type SecretTexts,
  type WorkerData,
  type WorkerEvents,
  type WorkerTasks,
} from './worker.ts';

export interface PoolParts {
  readonly io: Io;
  /** The process's own range; the workers' lie behind it in the same memory. */
  readonly arena: Arena;
  readonly workers: number;
  /** Where the workers' ranges begin, and how large each is. */
  readonly ranges: { readonly start: number; readonly bytes: number };
  readonly log: EmbeddedLog;
  readonly letters: DeadLetterStore;
  readonly checkpoints: CheckpointStore;
  readonly secrets: SecretTexts;
  warn(text: string): void;
}

interface Worker {
  readonly calls: Calls;
  readonly tasks: Remote<WorkerTasks>;
  readonly thread: Thread;
  readonly range: number;
  readonly running: Map<number, PooledTask>;
}

export interface OpenTap {
  take(): Promise<TapReport | undefined>;
  close(): void;
}

export class EnginePool {
  private readonly parts: PoolParts;
  private readonly workers: Worker[] = [];
  private nextTask = 0;
  private nextTap = 0;

  constructor(parts: PoolParts) {
    this.parts = parts;
  }

  /** A pipeline, not yet started. Its text was checked before. */
  task(id: string, file: string, text: string, settings: TaskSettings = {}): PooledTask {
    const number = ++this.nextTask;
    return new PooledTask(id, {
      start: task => {
        const worker = this.leastBusy();
        worker.running.set(number, task);
        const started = worker.tasks.start(number, id, file, text, settings).catch((error: unknown) => {
          worker.running.delete(number);
          throw error;
        });
        return { worker, started };
      },
      drain: worker => void worker.tasks.drain(number).catch(() => undefined),
      abort: (worker, reason) => void worker.tasks.abort(number, reason).catch(() => undefined),
      tap: async (worker, stage, where, capacity) => {
        const tap = ++this.nextTap;
        await worker.tasks.openTap(number, tap, stage, where, capacity);
        return {
          take: () => worker.tasks.takeTap(tap),
          close: () => void worker.tasks.closeTap(tap).catch(() => undefined),
        };
      },
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.splice(0).map(({ thread }) => thread.stop()));
  }

  private leastBusy(): Worker {
    const count = Math.max(1, this.parts.workers);
    if (this.workers.length < count) return this.startWorker();
    return this.workers.reduce((least, worker) => (worker.running.size < least.running.size ? worker : least));
  }

  private startWorker(): Worker {
    const { arena, ranges, secrets } = this.parts;
    const taken = new Set(this.workers.map(worker => worker.range));
    let range = 0;
    while (taken.has(range)) range++;
    const start = ranges.start + range * ranges.bytes;
    const data: WorkerData = { memory: arena.memory, start, end: start + ranges.bytes, secrets };
    const thread = this.threads().start(new URL('./worker.ts', import.meta.url), data, `millrace-engine-${range}`);
    const calls = new Calls(thread);
    const running = new Map<number, PooledTask>();
    const events: WorkerEvents = {
      report: (task, report) => running.get(task)?.reported(report),
      ended: (task, error) => {
        const ended = running.get(task);
        running.delete(task);
        ended?.ended(
          error && Object.assign(new Error(error.message), error.code !== undefined && { code: error.code }),
        );
      },
      warn: text => this.parts.warn(text),
    };
    calls.serve('events', events);
    calls.serve('log', this.portLog());
    calls.serve('letters', this.parts.letters);
    calls.serve('checkpoints', this.parts.checkpoints);
    const worker: Worker = { calls, tasks: calls.remote<WorkerTasks>('tasks'), thread, range, running };
    thread.onExit(error => {
      const reason = error ?? new Error('the engine worker ended');
      const at = this.workers.indexOf(worker);
      if (at >= 0) this.workers.splice(at, 1);
      calls.close(reason);
      for (const task of running.values()) task.ended(reason);
      running.clear();
    });
    this.workers.push(worker);
    return worker;
  }

  private threads(): Io['threads'] {
    const { io, workers } = this.parts;
    if (workers > 0) return io.threads;
    const inline = new InlineThreads({ worker: main });
    inline.io = io;
    return inline;
  }

  /** What a worker wrote lies in its slabs of the common memory. */
  private portLog(): PortLog {
    const { arena, log } = this.parts;
    return {
      ...log,
      append: (topic, partition, batch) =>
        log.append(
          topic,
          partition,
          batch instanceof Uint8Array ? batch : arena.bytes.subarray(batch.offset, batch.offset + batch.length),
        ),
    };
  }
}

interface Handle {
  start(task: PooledTask): { readonly worker: Worker; readonly started: Promise<void> };
  drain(worker: Worker): void;
  abort(worker: Worker, reason: string): void;
  tap(worker: Worker, stage: string | undefined, where: string | undefined, capacity: number): Promise<OpenTap>;
}

/** A pipeline in a worker, as the process sees it. */
export class PooledTask {
  readonly finished: Promise<void>;
  private readonly handle: Handle;
  private readonly settle: { readonly resolve: () => void; readonly reject: (error: Error) => void };
  private worker: Worker | undefined;
  private latest: TaskReport;

  constructor(id: string, handle: Handle) {
    this.handle = handle;
    const { promise, reject, resolve } = Promise.withResolvers<void>();
    this.finished = promise;
    this.settle = { resolve, reject };
    // Who does not wait for it still reads the failure in the report.
    promise.catch(() => undefined);
    this.latest = {
      pipelineId: id,
      state: 'starting',
      reason: undefined,
      ledger: [],
      health: [],
      buffers: [],
      lag: [],
      openEpochs: 0,
      mayRestart: true,
      deadLetters: 0,
      committedMs: undefined,
    };
  }

  /** Resolves when it runs. What keeps it from that is the reason of `finished` as well. */
  async start(): Promise<void> {
    const { started, worker } = this.handle.start(this);
    this.worker = worker;
    try {
      await started;
    } catch (error) {
      this.ended(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  drain(): void {
    if (this.worker) this.handle.drain(this.worker);
  }

  /** Gives up what is in flight. The worker may be beyond answering: the process does not wait for it. */
  abort(reason: string): void {
    if (this.worker) this.handle.abort(this.worker, reason);
  }

  /** As of about a tenth of a second ago; the last one is exact. */
  report(): TaskReport {
    return this.latest;
  }

  tap(stage: string | undefined, where: string | undefined, capacity: number): Promise<OpenTap> {
    if (!this.worker) return Promise.reject(new Error('the pipeline is not running'));
    return this.handle.tap(this.worker, stage, where, capacity);
  }

  /** @internal called by the pool */
  reported(report: TaskReport): void {
    this.latest = report;
  }

  /** @internal called by the pool */
  ended(error: Error | undefined): void {
    if (error && this.latest.state !== 'failed') {
      this.latest = { ...this.latest, state: 'failed', reason: error.message };
    }
    if (error) this.settle.reject(error);
    else this.settle.resolve();
  }
}
