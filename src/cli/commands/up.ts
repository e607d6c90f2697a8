/** `millrace up`: the process, from its configuration or as the demo. Ctrl-C drains with a countdown; a second one forces. */
import type { App, LoadedConfig, PipelineReport } from '../../app/index.ts';
import type { Demo } from '../../app/demo/index.ts';
import { addressText, jsonLogger, limitRepeats, type Logger, parseAddress, textLogger } from '../../base/index.ts';
import { BadValue, configFlag, defineCommand, type Flag } from '../command.ts';
import { cliErrors } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { ledgerTable, sumText, troubleTexts } from '../ledger.ts';
import { note, palette, reportError } from '../output.ts';
import { Screen } from '../screen.ts';
import { onStopSignal } from '../signals.ts';

interface Options {
  readonly config?: string;
  readonly data?: string;
  readonly kafka?: string;
  readonly http?: string;
  readonly demo?: boolean;
  readonly fresh?: boolean;
  readonly logFormat: 'auto' | 'text' | 'json';
  readonly verbose?: boolean;
}

/** Flags that stand for settings. */
const SETTINGS = { data: 'data', kafka: 'kafka.listen', http: 'http.listen' } as const;
const DEMO_CONFIG = 'data: .millrace/demo\nlog: { file_size: 64MiB }\n';

function addressFlag(flags: string, text: string): Flag {
  return {
    flags,
    text,
    parse: value => {
      if (!parseAddress(value)) throw new BadValue('must be host:port; port 0 takes a free one');
      return value;
    },
  };
}

export default defineCommand<Options>({
  name: 'up',
  summary: 'run the embedded log, the Kafka listener and the configured pipelines',
  description:
    'SIGTERM and Ctrl-C drain: pipelines deliver what they have, then everything closes; a second one forces.',
  flags: [
    configFlag,
    { flags: '--data <dir>', text: 'data directory; one process each' },
    addressFlag('--kafka <host:port>', 'address of the Kafka listener'),
    addressFlag('--http <host:port>', 'address for health and metrics'),
    { flags: '--demo', text: 'run the demo on generated events; taken ports are replaced by free ones' },
    { flags: '--fresh', text: 'with --demo: begin with an empty log' },
    {
      flags: '--log-format <form>',
      text: 'auto is text on a terminal, else JSON lines',
      choices: ['auto', 'text', 'json'],
      default: 'auto',
    },
    { flags: '-v, --verbose', text: 'log more' },
  ],
  examples: [
    'millrace up',
    'millrace up -c /etc/millrace/millrace.yaml',
    'millrace up --data /var/lib/millrace --kafka 127.0.0.1:9092',
    'millrace up --demo',
  ],
  run: async (_args: never, options) => {
    if (options.fresh && !options.demo)
      throw cliErrors.usage({
        problem: '--fresh empties the log and goes with --demo only',
        remedy: 'remove the data directory yourself',
      });
    const [{ App: Process }, { nodeIo }] = await Promise.all([
      import('../../app/index.ts'),
      import('../../base/io/node.ts'),
    ]);
    const io = nodeIo();
    const output = new Output(options);
    // Who asks while it starts is answered when it has.
    const asked = new Promise<void>(onStopSignal);
    const demo = options.demo ? await (await import('../../app/demo/index.ts')).Demo.start(io) : undefined;
    try {
      const loaded = await load(options, demo);
      // Languages load where there are pipelines.
      const diagnostics = loaded.pipelines.length > 0 ? await import('../diagnostics.ts') : undefined;
      const app = new Process({
        io,
        config: loaded.config!,
        pipelines: loaded.pipelines,
        logger: limitRepeats(output.logger, io.clock),
        environment: demo ? { ...process.env, MILLRACE_SECRETS__SPLUNK_TOKEN: await demoToken() } : process.env,
        movesPorts: demo !== undefined,
        isFresh: options.fresh === true,
        ...(demo && { prepare: log => demo.prepare(log) }),
        onFinding: ({ diagnostic, source }) => output.finding(diagnostics!.diagnosticText(diagnostic, source)),
        onWarning: text => output.finding(text),
      });
      app.onFatal = error => {
        process.exit(reportError(error));
      };
      await app.start().catch((error: unknown) => {
        if (demo && !options.fresh) output.print('  `npm start -- --fresh` begins the demo with an empty log.');
        throw error;
      });
      await demo?.feed(app.kafkaAddress);
      await output.started(app, demo);
      await asked;
      await stop(app, demo, output);
    } finally {
      await demo?.close();
    }
  },
});

async function demoToken(): Promise<string> {
  return (await import('../../app/demo/index.ts')).DEMO_TOKEN;
}

/** The configuration with what the flags say over it; throws when it has errors, after printing them. */
async function load(options: Options, demo: Demo | undefined): Promise<LoadedConfig> {
  const { appErrors, findConfig, loadConfig, readConfig } = await import('../../app/index.ts');
  const flags = new Map(
    Object.entries(SETTINGS).flatMap(([flag, setting]) => {
      const value = options[flag as keyof typeof SETTINGS];
      return value === undefined ? [] : [[setting, { flag: `--${flag}`, value }] as const];
    }),
  );
  if (demo) {
    const { demoPipelines } = await import('../../app/demo/index.ts');
    const pipelines = demoPipelines(demo.receivers.map(({ url }) => url)).map(({ id, text }) => ({
      id,
      text,
      file: `${id}.tql`,
    }));
    return { ...readConfig([{ file: 'demo', text: DEMO_CONFIG }], {}, { flags }), pipelines };
  }
  const { nodeIo } = await import('../../base/io/node.ts');
  const { files } = nodeIo();
  const path = options.config ?? findConfig(files, process.env, process.cwd());
  if (path !== undefined && !files.exists(path))
    throw cliErrors.noSuchFile({ file: path, reason: 'there is no such file' });
  const loaded = loadConfig(files, process.env, path, flags);
  const errors = loaded.diagnostics.length;
  if (errors === 0) return loaded;
  const { configDiagnosticText } = await import('../diagnostics.ts');
  for (const diagnostic of loaded.diagnostics)
    note(configDiagnosticText(diagnostic, loaded.sources.get(diagnostic.file ?? '')));
  throw appErrors.badConfig({ errors: `${errors} error${errors === 1 ? '' : 's'}` });
}

/** Where the process's words go: people get lines and a screen, machines JSON lines. */
class Output {
  readonly logger: Logger;
  private readonly isJson: boolean;
  private screen: Screen | undefined;

  constructor({ demo, logFormat, verbose }: Options) {
    const isTerminal = process.stderr.isTTY === true;
    this.isJson = logFormat === 'json' || (logFormat === 'auto' && !isTerminal && !demo);
    const level = verbose ? 'debug' : 'info';
    this.logger = this.isJson
      ? jsonLogger(level)
      : textLogger(
          level,
          () => Date.now(),
          line => this.print(line),
        );
  }

  print(text: string): void {
    if (this.screen) this.screen.note(text);
    else note(text);
  }

  /** A printed diagnostic, about a pipeline that is checked or runs. */
  finding(text: string): void {
    if (this.isJson) this.logger.warn(text.split('\n')[0]!.replace(/^(error|warning): /, ''), { diagnostic: text });
    else if (this.screen) this.print(shortFinding(text));
    else this.print(text.endsWith('\n') ? text : `${text}\n`);
  }

  async started(app: App, demo: Demo | undefined): Promise<void> {
    const pipelines = app.parts.pipelines.map(({ id }) => id);
    const [kafka, http] = [addressText(app.kafkaAddress), addressText(app.httpAddress)];
    const { data } = app.parts.config;
    if (demo) {
      const { demoIntroduction, DemoStatus } = await import('../demo-screen.ts');
      for (const line of demoIntroduction(app, demo)) note(line);
      const status = new DemoStatus(demo, () => app.reports());
      this.screen = new Screen((width, height) => status.lines(width, height));
      this.screen.start();
    } else if (this.isJson) this.logger.info('ready', { data, kafka, http, pipelines });
    else {
      const { VERSION } = await import('../../app/index.ts');
      const ok = palette.good('✓');
      note(`millrace ${VERSION} · data ${data}\n`);
      for (const line of app.kafkaListeners.map(listenerText)) note(`  ${ok} listener   ${line}`);
      note(`  ${ok} health     http://${http}/readyz   http://${http}/metrics`);
      note(`  ${ok} pipelines  ${pipelines.join('   ') || 'none configured'}`);
      note('\n  Ctrl-C drains');
    }
  }

  draining(): void {
    this.screen?.stop();
    this.screen = undefined;
    if (this.isJson) this.logger.info('draining');
    else note('\n  draining; Ctrl-C again forces');
  }

  /** The countdown: who still has what, and why. */
  waiting(seconds: number, reports: readonly PipelineReport[]): void {
    const pending = reports
      .filter(({ state }) => state === 'draining' || state === 'running')
      .map(
        ({ ledger, pipelineId }) => `${pipelineId} holds ${ledger.reduce((sum, line) => sum + line.held, 0)} events`,
      );
    const reasons = troubleTexts(reports);
    if (this.isJson) this.logger.info('draining', { seconds_left: seconds, pending, reasons });
    else
      note(
        `  ${String(seconds).padStart(2)} s left: ${pending.join(', ')}${reasons.map(reason => `; ${reason}`).join('')}`,
      );
  }

  stopped(seconds: number, isClean: boolean, reports: readonly PipelineReport[]): void {
    const sums = Object.fromEntries(reports.map(report => [report.pipelineId, sumText(report)]));
    if (this.isJson) {
      this.logger.info(isClean ? 'drained' : 'stopped before everything was delivered', {
        seconds: Number(seconds.toFixed(3)),
        ledger: sums,
      });
      return;
    }
    note(`  ${isClean ? 'drained' : 'stopped'} in ${seconds.toFixed(1)} s\n`);
    if (reports.length > 0) note(`${ledgerTable(reports, process.stderr.columns || Number.POSITIVE_INFINITY)}\n`);
    for (const [id, sum] of Object.entries(sums)) note(`  ${id}  ${sum}`);
    if (!isClean) note('  What is held was not acknowledged: the next start reads it again.');
  }
}

/** A printed diagnostic in one line: message, place, notes. */
function shortFinding(text: string): string {
  const [message = '', ...rest] = text.split('\n');
  const more = rest.flatMap(line => /^\s*(?:-->|= (?:note|hint):) (.*)$/.exec(line)?.[1] ?? []);
  return `  ${message}${more.length === 0 ? '' : ` (${more.join('; ')})`}`;
}

/** Resolves when everything is delivered and closed, or as much of it as the time allowed. */
async function stop(app: App, demo: Demo | undefined, output: Output): Promise<void> {
  const startedMs = performance.now();
  output.draining();
  await demo?.quiet();
  const isClean = await app.stop((seconds, reports) => output.waiting(seconds, reports));
  output.stopped((performance.now() - startedMs) / 1_000, isClean, app.reports());
  process.exitCode = isClean ? EXIT.ok : EXIT.failed;
}

/** `127.0.0.1:9094   public, SASL_SSL, told kafka.example.com:9094`. */
function listenerText({ address, advertised, mechanisms, name, protocol }: App['kafkaListeners'][number]): string {
  const { host, port } = advertised;
  const told =
    host === undefined && port === undefined ? [] : [`clients are told ${host ?? '…'}:${port ?? address.port}`];
  const how = mechanisms.length > 0 ? `${protocol} with ${mechanisms.join(', ')}` : protocol;
  return `${addressText(address)}   ${[name, how, ...told].join(' · ')}`;
}
