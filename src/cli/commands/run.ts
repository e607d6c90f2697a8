/** `millrace run`: a pipeline in this process, with standard input and output as its open ends. */
import { defineCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { readBytes } from '../files.ts';
import { note, palette, say } from '../output.ts';
import { onStopSignal } from '../signals.ts';
import type { DeadLetter, StandardStreams } from '../../sdk/index.ts';

const ARENA_BYTES = 64 * 1024 * 1024;
/** Progress is shown after a while, on a terminal only. */
const QUIET_MS = 300;
const PROGRESS_MS = 250;

interface Options {
  readonly config?: string;
}

export default defineCommand<Options>({
  name: 'run',
  summary: 'run a pipeline here; open ends are standard input and output',
  description:
    'Progress and warnings go to standard error. Events that cannot be passed on are told of there, each with its reason.',
  arguments: [['<pipeline>', 'TQL text, or a file that ends in .tql']],
  flags: [{ flags: '-c, --config <path>', text: 'configuration whose secrets the pipeline may use' }],
  examples: [
    "millrace run 'from {x: 1}, {x: 5} | where x > 2'",
    "echo '{\"a\": 1}' | millrace run 'set b = a * 2'",
    'millrace run report.tql < events.ndjson',
  ],
  run: async ([pipeline]: readonly [string], options) => {
    const [
      { Arena, makeArenaMemory, rewordedError },
      { nodeIo },
      { builtins, openSecrets },
      { Task },
      { compileTql, SourceText },
      sdk,
      { diagnosticText },
    ] = await Promise.all([
      import('../../base/index.ts'),
      import('../../base/io/node.ts'),
      import('../../builtins/index.ts'),
      import('../../engine/index.ts'),
      import('../../lang/index.ts'),
      import('../../sdk/index.ts'),
      import('../diagnostics.ts'),
    ]);
    const io = nodeIo();
    const isFile = pipeline.endsWith('.tql') && !pipeline.includes('\n');
    const source = isFile
      ? SourceText.fromBytes(pipeline, readBytes(io.files, pipeline))
      : new SourceText('<input>', pipeline);
    const id = isFile ? pipeline.replace(/^.*\/|\.tql$/g, '') : 'run';
    const { diagnostics, plan } = compileTql(source, builtins, { id, hasImplicitEnds: true });
    for (const diagnostic of diagnostics) note(diagnosticText(diagnostic, source));
    if (diagnostics.some(({ severity }) => severity === 'error')) {
      process.exitCode = EXIT.failed;
      return;
    }
    if (plan.chain.length === 0) return;
    let letters = 0;
    const progress = new Progress();
    const deadLetters = {
      write: (added: readonly DeadLetter[]) => {
        letters += added.length;
        for (const { code, message, origin } of added)
          progress.note(`dead letter[${code}] from ${origin ?? 'the input'}: ${secrets.mask(message)}`);
        return Promise.resolve();
      },
    };
    const secrets = openSecrets({ environment: process.env, files: io.files }, await configuredSecrets(options.config));
    const services = new Map<string, unknown>([
      [sdk.standardStreams.name, progress.streams],
      [sdk.secrets.name, secrets],
      [sdk.deadLetterStore.name, deadLetters],
    ]);
    const task = new Task(plan, {
      io,
      arena: new Arena(makeArenaMemory(ARENA_BYTES)),
      registry: builtins,
      service: ({ name }) => services.get(name) as never,
      warn: diagnostic => progress.note(secrets.mask(diagnosticText(diagnostic, source))),
    });
    onStopSignal(() => task.drain());
    progress.start();
    try {
      await task.start();
      await task.finished;
    } catch (error) {
      throw rewordedError(error, text => secrets.mask(text));
    } finally {
      progress.stop();
      process.stdin.destroy();
    }
    if (letters > 0) note(`${letters} ${letters === 1 ? 'event' : 'events'} could not be passed on`);
  },
});

/** Those of a configuration, when one is named. */
async function configuredSecrets(config: string | undefined): Promise<Readonly<Record<string, string>>> {
  if (config === undefined) return {};
  const { loadConfig } = await import('../../app/index.ts');
  const { nodeIo } = await import('../../base/io/node.ts');
  return loadConfig(nodeIo().files, process.env, config).config?.secrets ?? {};
}

/** Bytes in and out, in one line that is drawn over; nothing where stderr is no terminal or output goes to it as well. */
class Progress {
  private readonly isShown = process.stderr.isTTY === true && process.stdout.isTTY !== true;
  private readonly startedMs = performance.now();
  private timer: NodeJS.Timeout | undefined;
  private inBytes = 0;
  private outBytes = 0;
  private isDrawn = false;
  readonly streams: StandardStreams = {
    read: async () => {
      this.input ??= process.stdin[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
      const next = await this.input.next();
      if (next.done) return undefined;
      this.inBytes += next.value.length;
      return next.value;
    },
    write: bytes =>
      new Promise((resolve, reject) => {
        this.outBytes += bytes.length;
        process.stdout.write(bytes, error => (error ? reject(error) : resolve()));
      }),
  };
  private input: AsyncIterator<Buffer> | undefined;

  start(): void {
    if (!this.isShown) return;
    this.timer = setInterval(() => this.draw(), PROGRESS_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.erase();
  }

  note(text: string): void {
    this.erase();
    note(text);
  }

  private draw(): void {
    const seconds = (performance.now() - this.startedMs) / 1_000;
    if (seconds * 1_000 < QUIET_MS) return;
    const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
    const rate = `${(this.inBytes / 1e6 / seconds).toFixed(1)} MB/s`;
    say(`\r\x1b[K${palette.dim(`in ${mb(this.inBytes)}  ${rate}  out ${mb(this.outBytes)}  ${seconds.toFixed(0)} s`)}`);
    this.isDrawn = true;
  }

  private erase(): void {
    if (this.isDrawn) say('\r\x1b[K');
    this.isDrawn = false;
  }
}
