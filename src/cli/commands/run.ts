/** `millrace run`: a pipeline in this process, with standard input and output as its open ends. */
import { readFileSync } from 'node:fs';
import { Arena, makeArenaMemory } from '../../base/index.ts';
import { nodeIo } from '../../base/io/node.ts';
import { builtins } from '../../builtins/index.ts';
import { Task } from '../../engine/index.ts';
import { compileTql, SourceText } from '../../lang/index.ts';
import {
  type DeadLetter,
  deadLetterStore,
  secrets,
  type ServiceToken,
  type StandardStreams,
  standardStreams,
} from '../../sdk/index.ts';
import { note, printDiagnostics } from '../output.ts';

const ARENA_BYTES = 64 * 1024 * 1024;

function streams(): StandardStreams {
  const input = process.stdin[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  return {
    read: async () => {
      const next = await input.next();
      return next.done ? undefined : next.value;
    },
    write: bytes =>
      new Promise((resolve, reject) => {
        process.stdout.write(bytes, error => (error ? reject(error) : resolve()));
      }),
  };
}

export async function run(pipeline: string): Promise<void> {
  const isFile = pipeline.endsWith('.tql') && !pipeline.includes('\n');
  const source = isFile ? SourceText.fromBytes(pipeline, readFileSync(pipeline)) : new SourceText('<input>', pipeline);
  const { diagnostics, plan } = compileTql(source, builtins, {
    id: isFile ? pipeline.replace(/^.*\/|\.tql$/g, '') : 'run',
    hasImplicitEnds: true,
  });
  printDiagnostics(diagnostics, source);
  if (diagnostics.some(({ severity }) => severity === 'error')) {
    process.exitCode = 1;
    return;
  }
  if (plan.chain.length === 0) return;
  // A reader that goes away (`| head`) ends the pipeline quietly.
  process.stdout.on('error', () => process.exit(0));
  let deadLetters = 0;
  const services = new Map<string, unknown>([
    [standardStreams.name, streams()],
    [secrets.name, { get: (name: string) => process.env[`MILLRACE_SECRETS__${name.toUpperCase()}`] }],
    [
      deadLetterStore.name,
      {
        write: (letters: readonly DeadLetter[]) => {
          deadLetters += letters.length;
          for (const letter of letters)
            note(`dead letter[${letter.code}] from ${letter.origin ?? 'the input'}: ${letter.message}`);
          return Promise.resolve();
        },
      },
    ],
  ]);
  const task = new Task(plan, {
    io: nodeIo(),
    arena: new Arena(makeArenaMemory(ARENA_BYTES)),
    registry: builtins,
    service: <T>(token: ServiceToken<T>) => services.get(token.name) as T | undefined,
    warn: diagnostic => printDiagnostics([diagnostic], source),
  });
  let signals = 0;
  process.on('SIGINT', () => {
    if (signals++ > 0) process.exit(130);
    task.drain();
  });
  await task.start();
  await task.finished;
  if (deadLetters > 0) note(`${deadLetters} events could not be passed on`);
  process.stdin.destroy();
}
