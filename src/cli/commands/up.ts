/** `millrace up`: the process, from its configuration or as the demo. Ctrl-C drains with a countdown; a second one forces. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  App,
  appErrors,
  type Config,
  Demo,
  DEMO_TOKEN,
  DEMO_TOPIC,
  DEMO_TOPIC_CONFIGS,
  demoPipelines,
  parseConfig,
  type PipelineText,
  VERSION,
} from '../../app/index.ts';
import { jsonLogger, limitRepeats, type Logger, textLogger } from '../../base/index.ts';
import { nodeIo } from '../../base/io/node.ts';
import { SourceText } from '../../lang/index.ts';
import { DemoScreen, printLedger } from '../demo-screen.ts';
import { note, printDiagnostics, reportError } from '../output.ts';

interface UpOptions {
  readonly config: string;
  readonly data?: string;
  readonly kafka?: string;
  readonly http?: string;
  readonly demo?: boolean;
  readonly fresh?: boolean;
}

const GRACE_MS = 30_000;

export async function up(options: UpOptions): Promise<void> {
  const io = nodeIo();
  const isTerminal = process.stderr.isTTY === true;
  const logger: Logger = limitRepeats(
    isTerminal || options.demo ? textLogger('info', () => Date.now(), note) : jsonLogger('info'),
    () => Date.now(),
  );
  const demo = options.demo ? await Demo.start(io) : undefined;
  const loaded = demo ? demoConfig(demo) : loadConfig(options);
  const app = new App({
    io,
    config: withFlags(loaded.config, options),
    pipelines: loaded.pipelines,
    logger,
    environment: demo ? { ...process.env, MILLRACE_SECRETS__SPLUNK_TOKEN: DEMO_TOKEN } : process.env,
    movesPorts: demo !== undefined,
    printDiagnostic: text => note(`${text}\n`),
  });
  if (demo && options.fresh) rmSync(app.parts.config.data, { recursive: true, force: true });
  app.onFatal = error => {
    process.exitCode = reportError(error);
    process.exit();
  };
  await app.start();
  if (demo) await startDemo(app, demo);
  else {
    note(`millrace ${VERSION}  data ${app.parts.config.data}`);
    note(`  kafka  ${app.kafkaAddress.host}:${app.kafkaAddress.port}`);
    note(`  http   http://${app.httpAddress.host}:${app.httpAddress.port}  /livez /readyz /metrics`);
    note(`  pipelines  ${loaded.pipelines.map(({ id }) => id).join(', ') || 'none'}`);
  }
  const screen = demo && new DemoScreen(app, demo);
  screen?.start();
  await stopOnSignal(app, demo, screen);
}

/** Resolves when a signal has been answered and everything is closed. */
function stopOnSignal(app: App, demo: Demo | undefined, screen: DemoScreen | undefined): Promise<void> {
  return new Promise(done => {
    let signals = 0;
    const stop = (code: number) => (): void => {
      if (signals++ > 0) process.exit(code);
      screen?.stop();
      void finish();
    };
    const finish = async (): Promise<void> => {
      const before = performance.now();
      note('\n  draining; Ctrl-C again forces');
      await demo?.quiet();
      await app.stop(GRACE_MS, (seconds, reports) => {
        const held = reports.map(
          ({ ledger, pipelineId }) => `${pipelineId} ${ledger.reduce((sum, line) => sum + line.held, 0)}`,
        );
        note(`  waiting up to ${seconds} s for events in flight: ${held.join(', ')}`);
      });
      note(`  drained in ${((performance.now() - before) / 1_000).toFixed(1)} s`);
      printLedger(app.reports());
      await demo?.close();
      done();
      process.exit(0);
    };
    process.on('SIGINT', stop(130));
    process.on('SIGTERM', stop(143));
  });
}

async function startDemo(app: App, demo: Demo): Promise<void> {
  const { log } = app;
  if (!log.topic('', DEMO_TOPIC)) await log.createTopic('', DEMO_TOPIC, 1, DEMO_TOPIC_CONFIGS);
  await demo.feed(app.kafkaAddress);
}

function demoConfig(demo: Demo): { config: Config; pipelines: PipelineText[] } {
  const { config } = parseConfig('data: .millrace/demo\nlog: { file_size: 64MiB }\n', process.env);
  const pipelines = demoPipelines(demo.receivers.map(({ url }) => url)).map(({ id, text }) => ({
    id,
    text,
    file: `${id}.tql`,
  }));
  return { config: config!, pipelines };
}

function loadConfig(options: UpOptions): { config: Config; pipelines: PipelineText[] } {
  const path = options.config;
  const isGiven = options.config !== 'millrace.yaml';
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (text === '' && isGiven) throw appErrors.badConfig({ file: path });
  const source = new SourceText(path, text);
  const { config, diagnostics } = parseConfig(text, process.env);
  printDiagnostics(diagnostics, source);
  if (!config) throw appErrors.badConfig({ file: path });
  const pipelines = config.pipelines.map(({ file, id, tql }) => {
    const name = file === undefined ? `${path}#${id}` : resolve(dirname(path), file);
    return { id, file: name, text: tql ?? (file === undefined ? '' : readFileSync(name, 'utf8')) };
  });
  return { config, pipelines };
}

function withFlags(config: Config, options: UpOptions): Config {
  return {
    ...config,
    data: options.data ?? config.data,
    kafka: { ...config.kafka, listen: options.kafka ?? config.kafka.listen },
    http: { ...config.http, listen: options.http ?? config.http.listen },
  };
}
