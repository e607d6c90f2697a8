/**
 * An engine worker: runs pipelines in a thread of its own, with its range of the arena, its own files and sockets. The
 * process (`pool.ts`) tells it what to run and serves what only it has: the embedded log, dead letters, checkpoints.
 *
 *   process ─► tasks: start, drain, abort, tap …
 *   worker  ─► process: report, ended, warn · log, letters, checkpoints
 *
 * The plan is compiled here from its text: definitions are code and do not cross a thread's border.
 *
 * Invariants
 * I1 a task's last report is sent before its end.
 * I2 record data for the log goes over in a slab, as offset and length, and is freed when the log has answered.
 */
import { Arena, ARENA_DEFAULTS, Calls, type Diagnostic, type Io, type Port, type Remote } from '../../base/index.ts';
import { builtins, openSecrets } from '../../builtins/index.ts';
import { compilePredicate, type OnError, Task, type TapReport, type TaskReport } from '../../engine/index.ts';
import { compileTql, printDiagnostic, SourceText } from '../../lang/index.ts';
import {
  type CheckpointStore,
  type DeadLetterStore,
  deadLetterStore,
  type EmbeddedLog,
  embeddedLog,
  type Secrets,
  secrets,
  type ServiceToken,
} from '../../sdk/index.ts';

/** Where secrets may come from, as the process was given them. */
export interface SecretTexts {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly configured: Readonly<Record<string, string>>;
}

export interface WorkerData {
  readonly memory: WebAssembly.Memory;
  /** The worker's range of it, bytes. */
  readonly start: number;
  readonly end: number;
  readonly secrets: SecretTexts;
}

/** Record data in the arena. */
export interface ArenaRange {
  readonly offset: number;
  readonly length: number;
}

/** The embedded log over a port. */
export interface PortLog extends Omit<EmbeddedLog, 'append'> {
  append(topic: string, partition: number, batch: ArenaRange | Uint8Array): Promise<string | undefined>;
}

/** What the process serves to its workers besides. */
export interface WorkerEvents {
  report(task: number, report: TaskReport): void;
  ended(task: number, error: { readonly message: string; readonly code: string | undefined } | undefined): void;
  warn(text: string): void;
}

/** What is set for a pipeline beside its text. */
export interface TaskSettings {
  readonly onError?: OnError;
}

/** What a worker serves. Tasks and taps go by numbers that the process chooses. */
export interface WorkerTasks {
  start(task: number, id: string, file: string, text: string, settings: TaskSettings): Promise<void>;
  drain(task: number): void;
  abort(task: number, reason: string): void;
  openTap(task: number, tap: number, stage: string | undefined, where: string | undefined, capacity: number): void;
  takeTap(tap: number): TapReport | undefined;
  closeTap(tap: number): void;
}

const REPORT_MS = 100;

export function main(io: Io, port: Port, data: unknown): void {
  const calls = new Calls(port);
  calls.serve('tasks', new EngineWorker(io, calls, data as WorkerData));
}

class EngineWorker implements WorkerTasks {
  private readonly io: Io;
  private readonly arena: Arena;
  private readonly events: Remote<WorkerEvents>;
  private readonly checkpoints: CheckpointStore;
  private readonly services = new Map<string, unknown>();
  private readonly tasks = new Map<number, Task>();
  private readonly taps = new Map<number, ReturnType<Task['tap']>>();
  private readonly reported = new Map<number, string>();
  private readonly secrets: Secrets;

  constructor(io: Io, calls: Calls, { end, memory, secrets: known, start }: WorkerData) {
    this.io = io;
    this.arena = new Arena(memory, { ...ARENA_DEFAULTS, start, end });
    this.events = calls.remote<WorkerEvents>('events');
    this.checkpoints = calls.remote<CheckpointStore>('checkpoints');
    const log = calls.remote<PortLog>('log');
    this.services.set(embeddedLog.name, overPort(log, this.arena));
    this.secrets = openSecrets({ environment: known.environment, files: io.files }, known.configured);
    this.services.set(deadLetterStore.name, this.masking(calls.remote<DeadLetterStore>('letters')));
    this.services.set(secrets.name, this.secrets);
  }

  async start(number: number, id: string, file: string, text: string, settings: TaskSettings): Promise<void> {
    const source = new SourceText(file, text);
    const { plan } = compileTql(source, builtins, { id, hasImplicitEnds: false });
    const task = new Task(plan, {
      io: this.io,
      arena: this.arena,
      registry: builtins,
      service: <T>(token: ServiceToken<T>) => this.services.get(token.name) as T | undefined,
      checkpoints: this.checkpoints,
      ...settings,
      warn: (diagnostic: Diagnostic) => void this.events.warn(this.secrets.mask(printDiagnostic(diagnostic, source))),
    });
    this.tasks.set(number, task);
    const ended = (error?: unknown): void => {
      this.report(number, task);
      this.tasks.delete(number);
      this.reported.delete(number);
      void this.events.ended(number, error === undefined ? undefined : this.plain(error));
    };
    task.finished.then(() => ended(), ended);
    try {
      await task.start();
    } catch (error) {
      this.tasks.delete(number);
      throw Object.assign(new Error(this.plain(error).message), { code: this.plain(error).code });
    }
    this.watch(number, task);
  }

  drain(number: number): void {
    this.tasks.get(number)?.drain();
  }

  abort(number: number, reason: string): void {
    this.tasks.get(number)?.abort(reason);
  }

  openTap(number: number, tap: number, stage: string | undefined, where: string | undefined, capacity: number): void {
    const task = this.tasks.get(number);
    if (!task) throw new Error('the pipeline is not running');
    this.taps.set(tap, task.tap(stage, where === undefined ? undefined : this.predicate(where), capacity));
  }

  takeTap(tap: number): TapReport | undefined {
    return this.taps.get(tap)?.take();
  }

  closeTap(tap: number): void {
    this.taps.get(tap)?.close();
    this.taps.delete(tap);
  }

  private watch(number: number, task: Task): void {
    if (!this.tasks.has(number)) return;
    this.report(number, task);
    this.io.clock.after(REPORT_MS, () => this.watch(number, task), { background: true });
  }

  private report(number: number, task: Task): void {
    const text = this.secrets.mask(JSON.stringify(task.report()));
    if (this.reported.get(number) === text) return;
    this.reported.set(number, text);
    void this.events.report(number, JSON.parse(text) as TaskReport);
  }

  /** Letters say why, and what failed may have said more than it should. */
  private masking(store: DeadLetterStore): DeadLetterStore {
    return {
      write: letters => store.write(letters.map(letter => ({ ...letter, message: this.secrets.mask(letter.message) }))),
    };
  }

  private plain(error: unknown): { message: string; code: string | undefined } {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    return { message: this.secrets.mask(error instanceof Error ? error.message : String(error)), code };
  }

  private predicate(text: string): ReturnType<typeof compilePredicate> {
    const source = new SourceText('<where>', `where ${text}`);
    const { diagnostics, plan } = compileTql(source, builtins, { id: 'tap', hasImplicitEnds: true });
    const error = diagnostics.find(({ severity }) => severity === 'error');
    if (error) throw new Error(printDiagnostic(error, source));
    return compilePredicate(plan, { io: this.io, registry: builtins });
  }
}

/** The log behind the port. Batches that lie in no slab yet are copied into one. */
function overPort(log: Remote<PortLog>, arena: Arena): EmbeddedLog {
  return {
    partitions: log.partitions,
    topics: log.topics,
    locate: log.locate,
    offsetForTime: log.offsetForTime,
    partitionsFor: log.partitionsFor,
    createTopic: log.createTopic,
    committed: log.committed,
    commit: log.commit,
    append: async (topic, partition, batch) => {
      const { bytes, owner } = arena.room(batch.length);
      if (!owner) return log.append(topic, partition, Uint8Array.from(batch));
      bytes.set(batch);
      try {
        return await log.append(topic, partition, { offset: bytes.byteOffset, length: bytes.length });
      } finally {
        owner.release();
      }
    },
  };
}
