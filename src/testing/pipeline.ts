/** Runs a pipeline to its end in this thread: what it printed, its warnings, dead letters and ledger. */
import { Arena, makeArenaMemory } from '../base/index.ts';
import { nodeIo } from '../base/io/node.ts';
import {
  type Checkpoint,
  type CheckpointStore,
  type DeadLetter,
  deadLetterStore,
  type Registry,
  secrets,
  type ServiceToken,
  standardStreams,
} from '../sdk/index.ts';
import { type LedgerLine, Task } from '../engine/index.ts';
import { compileTql, printDiagnostic, SourceText } from '../lang/index.ts';

export interface PipelineRun {
  readonly output: string;
  readonly diagnostics: readonly string[];
  readonly letters: readonly DeadLetter[];
  readonly ledger: readonly (LedgerLine & { readonly held: number })[];
  readonly failure: string | undefined;
}

/** `input` arrives on standard input in the chunks given. */
export async function runPipeline(
  text: string,
  registry: Registry,
  options: {
    readonly input?: readonly string[];
    readonly services?: ReadonlyMap<string, unknown>;
    readonly secrets?: Readonly<Record<string, string>>;
    readonly checkpoints?: CheckpointStore;
    /** Given the running task, to drain or tap it. */
    readonly onStart?: (task: Task) => void;
    readonly onOutput?: (text: string) => void;
  } = {},
): Promise<PipelineRun> {
  const source = new SourceText('<input>', text);
  const { diagnostics, plan } = compileTql(source, registry, { id: 'test', hasImplicitEnds: true });
  const printed = diagnostics.map(diagnostic => printDiagnostic(diagnostic, source));
  const letters: DeadLetter[] = [];
  const empty = { output: '', letters, ledger: [] };
  if (diagnostics.some(({ severity }) => severity === 'error'))
    return { ...empty, diagnostics: printed, failure: 'check' };
  const chunks = [...(options.input ?? [])];
  let output = '';
  const services = new Map<string, unknown>([
    [
      standardStreams.name,
      {
        read: () => Promise.resolve(chunks.length > 0 ? Buffer.from(chunks.shift()!) : undefined),
        write: (bytes: Uint8Array) => {
          const printedText = Buffer.from(bytes).toString();
          output += printedText;
          options.onOutput?.(printedText);
          return Promise.resolve();
        },
      },
    ],
    [deadLetterStore.name, { write: (written: readonly DeadLetter[]) => Promise.resolve(letters.push(...written)) }],
    [secrets.name, { get: (name: string) => options.secrets?.[name] }],
    ...(options.services ?? []),
  ]);
  const task = new Task(plan, {
    io: nodeIo(),
    arena: new Arena(makeArenaMemory(32 * 1024 * 1024)),
    registry,
    service: <T>(token: ServiceToken<T>) => services.get(token.name) as T | undefined,
    ...(options.checkpoints && { checkpoints: options.checkpoints }),
    warn: diagnostic => printed.push(printDiagnostic(diagnostic, source)),
  });
  try {
    await task.start();
    options.onStart?.(task);
    await task.finished;
  } catch (error) {
    return {
      output,
      diagnostics: printed,
      letters,
      ledger: task.report().ledger,
      failure: error instanceof Error ? error.message : String(error),
    };
  }
  return { output, diagnostics: printed, letters, ledger: task.report().ledger, failure: undefined };
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
