/**
 * Runs a pipeline to its end in this thread: what it printed, its warnings, dead letters and ledger. A run that ends well
 * with a ledger that does not add up is an error of the run.
 */
import { Arena, assert, makeArenaMemory } from '../base/index.ts';
import { nodeIo } from '../base/io/node.ts';
import {
  type Checkpoint,
  type CheckpointStore,
  type DeadLetter,
  deadLetterStore,
  type Plan,
  type Registry,
  secrets,
  type ServiceToken,
  standardStreams,
} from '../sdk/index.ts';
import { ledgerDefects, type OnError, type ReportedLine, Task } from '../engine/index.ts';
import { compileTql, printDiagnostic, SourceText } from '../lang/index.ts';
import { type EngineMode, registryFor } from './modes.ts';

export interface PipelineRun {
  readonly output: string;
  readonly diagnostics: readonly string[];
  readonly letters: readonly DeadLetter[];
  readonly ledger: readonly ReportedLine[];
  readonly failure: string | undefined;
}

const OPTIONS = { id: 'test', hasImplicitEnds: true };

/** `input` arrives on standard input in the chunks given. */
export async function runPipeline(
  text: string,
  registry: Registry,
  options: {
    readonly input?: readonly (string | Uint8Array)[];
    readonly services?: ReadonlyMap<string, unknown>;
    readonly secrets?: Readonly<Record<string, string>>;
    readonly checkpoints?: CheckpointStore;
    readonly mode?: EngineMode;
    readonly onError?: OnError;
    readonly bytesMax?: number;
    /** Given the running task, to drain or tap it. */
    readonly onStart?: (task: Task) => void;
    readonly onOutput?: (text: string) => void;
  } = {},
): Promise<PipelineRun> {
  const source = new SourceText('<input>', text);
  const { diagnostics } = compileTql(source, registry, OPTIONS);
  const printed = diagnostics.map(diagnostic => printDiagnostic(diagnostic, source));
  const letters: DeadLetter[] = [];
  const empty = { output: '', letters, ledger: [] };
  if (diagnostics.some(({ severity }) => severity === 'error'))
    return { ...empty, diagnostics: printed, failure: 'check' };
  let chunks: (string | Uint8Array)[] = [];
  const written: Uint8Array[] = [];
  const services = new Map<string, unknown>([
    [
      standardStreams.name,
      {
        read: () => Promise.resolve(chunks.length > 0 ? bytesOf(chunks.shift()!) : undefined),
        write: (bytes: Uint8Array) => {
          written.push(Uint8Array.from(bytes));
          options.onOutput?.(Buffer.from(bytes).toString());
          return Promise.resolve();
        },
      },
    ],
    [deadLetterStore.name, { write: (more: readonly DeadLetter[]) => Promise.resolve(letters.push(...more)) }],
    [secrets.name, { get: (name: string) => options.secrets?.[name], mask: (text: string) => text }],
    ...(options.services ?? []),
  ]);
  const mode = options.mode ?? {};
  const compile = (killed: () => void): Plan => compileTql(source, registryFor(registry, mode, killed), OPTIONS).plan;
  const checkpoints = options.checkpoints ?? (mode.restartEvery === undefined ? undefined : memoryCheckpoints());
  for (;;) {
    let isKilled = false;
    chunks = [...(options.input ?? [])];
    const killed = (): void => {
      isKilled = true;
      task.abort('killed');
    };
    const task = new Task(compile(killed), {
      io: nodeIo(),
      arena: new Arena(makeArenaMemory(32 * 1024 * 1024)),
      registry,
      service: <T>(token: ServiceToken<T>) => services.get(token.name) as T | undefined,
      ...(checkpoints && { checkpoints }),
      ...(mode.isInterpreted === true && { isInterpreted: true }),
      ...(options.onError && { onError: options.onError }),
      ...(options.bytesMax !== undefined && { bytesMax: options.bytesMax }),
      warn: diagnostic => printed.push(printDiagnostic(diagnostic, source)),
    });
    let failure: string | undefined;
    try {
      await task.start();
      options.onStart?.(task);
      await task.finished;
    } catch (error) {
      if (isKilled) continue;
      failure = error instanceof Error ? error.message : String(error);
    }
    const output = Buffer.concat(written).toString();
    const { ledger } = task.report();
    if (failure === undefined) assertBalanced(ledger);
    return { output, diagnostics: printed, letters, ledger, failure };
  }
}

/** What came in is what went on, was filtered, converted or refused; nothing is held. */
export function assertBalanced(ledger: readonly ReportedLine[]): void {
  const held = ledger.filter(line => line.held !== 0).map(({ held: count, stageId }) => `${stageId} holds ${count}`);
  const defects = [...ledgerDefects(ledger), ...held];
  assert(defects.length === 0, `I1: the ledger does not add up: ${defects.join('; ')}`);
}

function bytesOf(chunk: string | Uint8Array): Uint8Array {
  return typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}

/** Keeps checkpoints in memory. */
export function memoryCheckpoints(): CheckpointStore & { readonly saved: Map<string, Checkpoint> } {
  const saved = new Map<string, Checkpoint>();
  return {
    saved,
    load: id => Promise.resolve(saved.get(id)),
    save: (id, checkpoint) => {
      saved.set(id, checkpoint);
      return Promise.resolve();
    },
  };
}
