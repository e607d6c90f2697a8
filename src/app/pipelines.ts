/**
 * The pipelines of the process: started, started again after a failure, watched, drained.
 *
 *   running ──failure──► retrying (growing pause) ──► running        … ──drain──► stopped
 *      └──`on_error: stop`──► failed, until the process starts again
 *
 * Invariants
 * I1 a pipeline that fails starts again from its last committed epoch, for as long as the process runs; but one that stopped
 *    for an event would only meet it again.
 * I2 draining ends when every pipeline has delivered what it had, or at the time limit; what was not delivered then was
 *    not committed either and is read again.
 */
import { type Clock, type Logger, messageOf } from '../base/index.ts';
import type { TaskReport, TaskState } from '../engine/index.ts';
import type { Log } from '../log/index.ts';
import type { PipelineText } from './config/load.ts';
import type { EnginePool, OpenTap, PooledTask } from './engine/pool.ts';
import { appErrors } from './errors.ts';
import { Ledger, type TotalLine } from './ledgers.ts';

const RESTART_MS = 1_000;
const RESTART_MAX_MS = 60_000;
/** A pipeline that ran this long has recovered: the pauses begin small again. */
const RECOVERED_MS = 60_000;
const WATCH_MS = 1_000;

export interface PipelineReport extends Omit<TaskReport, 'ledger'> {
  readonly state: TaskState;
  readonly ledger: readonly TotalLine[];
  /** Until a failed one is started again. */
  readonly nextTryMs: number | undefined;
}

interface Entry {
  readonly text: PipelineText;
  readonly ledger: Ledger;
  task: PooledTask;
  startedMs: number;
  failures: number;
  nextTryAt: number | undefined;
  /** Endpoints that the log has told of as down. */
  readonly down: Set<string>;
}

export class Pipelines {
  private readonly parts: { readonly clock: Clock; readonly logger: Logger; readonly log: Log };
  private readonly entries = new Map<string, Entry>();
  private pool: EnginePool | undefined;
  private isStopping = false;

  constructor(parts: { readonly clock: Clock; readonly logger: Logger; readonly log: Log }) {
    this.parts = parts;
  }

  async start(pool: EnginePool, texts: readonly PipelineText[]): Promise<void> {
    this.pool = pool;
    for (const text of texts) {
      const entry: Entry = {
        text,
        ledger: new Ledger(text.id, this.parts.log),
        task: taskOf(pool, text),
        startedMs: 0,
        failures: 0,
        nextTryAt: undefined,
        down: new Set(),
      };
      this.entries.set(text.id, entry);
      await this.run(entry);
    }
    this.watch();
  }

  reports(): readonly PipelineReport[] {
    const now = this.parts.clock.monotonic();
    return [...this.entries.values()].map(({ ledger, nextTryAt, task }) => {
      const report = task.report();
      return {
        ...report,
        ledger: ledger.total(report.ledger),
        nextTryMs: nextTryAt === undefined ? undefined : Math.max(0, nextTryAt - now),
      };
    });
  }

  /** What goes with a checkpoint of the pipeline. */
  checkpointed(pipelineId: string): ReturnType<Ledger['change']>[] {
    const entry = this.entries.get(pipelineId);
    return entry ? [entry.ledger.change(entry.task.report().ledger, false)] : [];
  }

  tap(pipelineId: string, stage: string | undefined, where: string | undefined, capacity: number): Promise<OpenTap> {
    const entry = this.entries.get(pipelineId);
    const known = [...this.entries.keys()].join(', ') || 'none';
    if (!entry) return Promise.reject(appErrors.unknownPipeline({ pipeline: pipelineId, known }));
    return entry.task.tap(stage, where, capacity);
  }

  /** True when everything was delivered; `onWait` hears every second how long it may still take. */
  async drain(
    limitMs: number,
    onWait: (secondsLeft: number, reports: readonly PipelineReport[]) => void,
  ): Promise<boolean> {
    this.isStopping = true;
    const { clock, log } = this.parts;
    const entries = [...this.entries.values()];
    for (const { task } of entries) task.drain();
    let isDone = entries.length === 0;
    const all = Promise.allSettled(entries.map(({ task }) => task.finished)).then(() => {
      isDone = true;
    });
    for (const end = clock.monotonic() + limitMs; ; ) {
      const left = end - clock.monotonic();
      if (isDone || left <= 0) break;
      const tick = new Promise<void>(resolve => clock.after(Math.min(1_000, left), resolve, { background: true }));
      await Promise.race([all, tick]);
      if (!isDone && left > 1_000) onWait(Math.ceil((left - 1_000) / 1_000), this.reports());
    }
    const isClean = isDone;
    for (const { task } of entries) task.abort('stopped before everything was delivered');
    const ledgers = entries.map(({ ledger, task }) => {
      const { ledger: lines, state } = task.report();
      return ledger.change(lines, state === 'stopped' || state === 'completed');
    });
    // The ledger is for people: a log that takes no writes any more has said so itself.
    if (ledgers.length > 0) await log.change(ledgers).catch(() => undefined);
    return isClean;
  }

  private async run(entry: Entry): Promise<void> {
    const { clock, logger } = this.parts;
    const { id } = entry.text;
    entry.startedMs = clock.monotonic();
    const { task } = entry;
    const failed = (error: unknown): void => {
      if (this.isStopping || entry.task !== task || entry.nextTryAt !== undefined) return;
      if (!task.report().mayRestart) {
        logger.error(`pipeline ${id} stopped: ${messageOf(error)}`);
        return;
      }
      if (clock.monotonic() - entry.startedMs > RECOVERED_MS) entry.failures = 0;
      const pause = Math.min(RESTART_MAX_MS, RESTART_MS * 2 ** entry.failures++);
      entry.nextTryAt = clock.monotonic() + pause;
      logger.error(`pipeline ${id} failed: ${messageOf(error)}`, { next_try_ms: pause });
      clock.after(
        pause,
        () => {
          if (this.isStopping) return;
          entry.nextTryAt = undefined;
          entry.ledger.ended(task.report().ledger, false);
          entry.task = taskOf(this.pool!, entry.text);
          void this.run(entry);
        },
        { background: true },
      );
    };
    task.finished.then(() => this.isStopping || logger.info(`pipeline ${id} has come to its end`), failed);
    // Why it does not start is why it has finished.
    await task.start().catch(() => undefined);
  }

  /** Tells the log of endpoints that go down and come back. */
  private watch(): void {
    const { clock, logger } = this.parts;
    for (const { down, task, text } of this.entries.values()) {
      for (const { endpoint, isUp, reason } of task.report().health) {
        if (isUp === !down.has(endpoint)) continue;
        if (isUp) down.delete(endpoint);
        else down.add(endpoint);
        if (isUp) logger.info(`pipeline ${text.id}: ${endpoint} takes events again`);
        else logger.warn(`pipeline ${text.id}: ${endpoint} is down: ${reason ?? 'no answer'}`);
      }
    }
    if (!this.isStopping) clock.after(WATCH_MS, () => this.watch(), { background: true });
  }
}

function taskOf(pool: EnginePool, { file, id, onError, text }: PipelineText): PooledTask {
  return pool.task(id, file, text, onError && { onError });
}
