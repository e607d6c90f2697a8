/**
 * Runs command lines of transcripts one after the other in one process, so that modules load once: each with its own
 * environment, working directory and standard input, its output captured.
 */
import { Readable } from 'node:stream';
import { runCli } from '../../src/cli/program.ts';

export interface Command {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly input: string;
}

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

const before = { ...process.env };

async function run({ args, cwd, environment, input }: Command): Promise<Outcome> {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  Object.assign(process.env, environment);
  process.chdir(cwd);
  process.exitCode = 0;
  Object.defineProperty(process, 'stdin', { value: Readable.from([Buffer.from(input)]), configurable: true });
  const output = { stdout: '', stderr: '' };
  const writes = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const name of ['stdout', 'stderr'] as const) {
    process[name].write = ((chunk: string | Uint8Array, done?: unknown) => {
      output[name] += Buffer.from(chunk as Uint8Array).toString();
      if (typeof done === 'function') done();
      return true;
    }) as typeof process.stdout.write;
  }
  try {
    const code = await runCli(args);
    return { ...output, code };
  } finally {
    Object.assign(process.stdout, { write: writes.stdout });
    Object.assign(process.stderr, { write: writes.stderr });
    for (const signal of ['SIGINT', 'SIGTERM']) process.removeAllListeners(signal);
  }
}

process.on('message', (command: Command) => {
  run(command).then(
    outcome => process.send!(outcome),
    (error: unknown) => process.send!({ stdout: '', stderr: String(error), code: -1 }),
  );
});
