/**
 * The process: data directory and its lock, log, groups, Kafka listener, pipelines, health and metrics, put together and
 * taken apart in order.
 *
 *   start   pipelines checked ─► lock ─► log (recovery) ─► groups ─► listeners ─► pipelines
 *   stop    pipelines drain ─► listeners close ─► log closes ─► lock goes
 *
 * Languages, builtins and engine load when there are pipelines.
 *
 * Invariants
 * I1 all pipelines are checked before anything starts.
 * I2 one process a data directory (`control.ts`).
 * I3 a start that fails takes apart what it had put together.
 */
import {
  type Address,
  addressText,
  Arena,
  ARENA_DEFAULTS,
  type Io,
  type Logger,
  makeArenaMemory,
  parseAddress,
  systemCode,
  systemReason,
} from '../base/index.ts';
import { type HttpReply, type HttpServer, listenHttp, type LocalConnection } from '../base/io/local-server.ts';
import { Broker, consumerFormats, type ListenerReport, Security } from '../broker/index.ts';
import { Coordination } from '../coordination/index.ts';
import { Log } from '../log/index.ts';
import { checkPipelines, type Finding } from './check.ts';
import type { PipelineText } from './config/load.ts';
import { type Config, durationMs, sizeBytes, WORKERS_MAX } from './config/schema.ts';
import { takeDirectory } from './control.ts';
import type { EnginePool } from './engine/pool.ts';
import { appErrors } from './errors.ts';
import { type Phase, readinessChecks, readinessText } from './health.ts';
import { DEFAULT_NAME, listenersOf, securityOf } from './listeners.ts';
import { LoopDelay } from './loop-delay.ts';
import { lagOf, renderMetrics } from './metrics.ts';
import { type PipelineReport, Pipelines } from './pipelines.ts';
import { checkpointsOf, deadLettersOf, embeddedLogOf } from './services.ts';
import { VERSION } from './version.ts';

export interface AppParts {
  readonly io: Io;
  readonly config: Config;
  readonly pipelines: readonly PipelineText[];
  readonly logger: Logger;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Takes a free port when the wanted one is taken. */
  readonly movesPorts?: boolean;
  /** Begins with an empty log. */
  readonly isFresh?: boolean;
  /** Called when the log is open and nobody is served yet. */
  readonly prepare?: (log: Log) => Promise<void>;
  /** What the check of a pipeline has found, before anything starts. */
  onFinding(finding: Finding): void;
  /** A diagnostic of a running pipeline, printed. */
  onWarning(text: string): void;
}

const LOOP_DELAY_SHARES: readonly number[] = [0.5, 0.99, 1];
/** The process's range of the arena, and each worker's behind it. */
const ARENA_BYTES = 256 * 1024 * 1024;
const WORKER_BYTES = 128 * 1024 * 1024;
const REQUEST_BYTES_MAX = 65_536;
const TAP_MS = 100;
const TAP_CAPACITY = 1_000;

export class App {
  readonly parts: AppParts;
  log!: Log;
  coordination!: Coordination;
  broker!: Broker;
  httpAddress!: Address;
  private readonly arena: Arena;
  private readonly workers: number;
  private pipelines!: Pipelines;
  private loopDelay!: LoopDelay;
  private readonly closers: (() => Promise<void> | void)[] = [];
  private phase: Phase = 'starting';
  /** Called once when the log refuses all further writes for good. */
  onFatal: (error: Error) => void = () => undefined;

  constructor(parts: AppParts) {
    this.parts = parts;
    const { config, io } = parts;
    const { workers } = config.engine;
    this.workers = workers === 'auto' ? Math.min(WORKERS_MAX, Math.max(1, io.threads.cores - 1)) : workers;
    const memory = makeArenaMemory(ARENA_BYTES + Math.max(1, this.workers) * WORKER_BYTES);
    this.arena = new Arena(memory, { ...ARENA_DEFAULTS, end: ARENA_BYTES });
  }

  async start(): Promise<void> {
    try {
      await this.open();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Of the listener that local commands use. */
  get kafkaAddress(): Address {
    return this.broker.listenerReports()[0]!.address;
  }

  get kafkaListeners(): readonly ListenerReport[] {
    return this.broker.listenerReports();
  }

  reports(): readonly PipelineReport[] {
    return this.pipelines.reports();
  }

  /**
   * Lets pipelines deliver what they have, for as long as the configuration says, then closes everything. False when
   * something was left: it is read again at the next start.
   */
  async stop(
    onWait: (secondsLeft: number, reports: readonly PipelineReport[]) => void = () => undefined,
  ): Promise<boolean> {
    if (this.phase === 'draining') return true;
    this.phase = 'draining';
    const isClean = await this.pipelines.drain(durationMs(this.parts.config.drain_timeout), onWait);
    await this.close();
    return isClean;
  }

  private async open(): Promise<void> {
    const { config, io, logger, pipelines: texts } = this.parts;
    await this.check();
    const listeners = listenersOf(config);
    const giveBack = await takeDirectory(io, config.data, (command, connection) => this.control(command, connection));
    this.closers.push(giveBack);
    const directory = `${config.data}/log`;
    if (this.parts.isFresh && io.files.exists(directory)) io.files.remove(directory);
    this.log = await Log.open(io, { directory, fileBytesMax: sizeBytes(config.log.file_size) });
    this.log.onFatal = error => this.onFatal(error);
    this.log.onDamage = ({ code, help, message }) => this.parts.logger.error(message, { code, help });
    this.closers.push(() => this.log.close());
    if (this.log.tornBytes > 0)
      logger.warn(`left out a torn tail of ${this.log.tornBytes} bytes that nobody was told of`);
    await this.parts.prepare?.(this.log);
    this.coordination = new Coordination(io, this.log, {}, consumerFormats);
    this.pipelines = new Pipelines({ clock: io.clock, logger, log: this.log });
    this.broker = new Broker({
      io,
      arena: this.arena,
      log: this.log,
      coordination: this.coordination,
      logger,
      security: await Security.open(io, this.log, securityOf(io, config)),
      settings: {
        autoCreateTopics: config.kafka.auto_create_topics,
        defaultPartitions: config.kafka.default_partitions,
      },
    });
    this.closers.push(() => this.broker.close());
    for (const settings of listeners) {
      const { name } = settings;
      const [purpose, flag] = name === DEFAULT_NAME ? ['Kafka', '--kafka'] : [`the listener ${name}`, 'its `listen`'];
      const listen = (address: Address): Promise<Address> => this.broker.listen({ ...settings, address });
      await this.listening(purpose, flag, settings.address, listen);
    }
    this.loopDelay = new LoopDelay(io.clock);
    this.closers.push(() => this.loopDelay.stop());
    await this.openHttp(parseAddress(config.http.listen)!);
    if (texts.length > 0) await this.pipelines.start(await this.makePool(), texts);
    this.phase = 'ready';
  }

  private async close(): Promise<void> {
    for (const close of this.closers.splice(0).reverse()) await close();
  }

  private async check(): Promise<void> {
    const findings = await checkPipelines(this.parts.pipelines, { hasImplicitEnds: false });
    for (const finding of findings) this.parts.onFinding(finding);
    const bad = findings
      .filter(({ diagnostic }) => diagnostic.severity === 'error')
      .map(({ pipelineId }) => pipelineId);
    if (bad.length > 0) throw appErrors.badPipeline({ ids: [...new Set(bad)].join(', ') });
  }

  private async makePool(): Promise<EnginePool> {
    const { EnginePool: Pool } = await import('./engine/pool.ts');
    const { config, io } = this.parts;
    const creation = { isAllowed: config.kafka.auto_create_topics, partitions: config.kafka.default_partitions };
    const letterTopics = new Map(this.parts.pipelines.map(({ deadLetterTopic, id }) => [id, deadLetterTopic]));
    const pool = new Pool({
      io,
      arena: this.arena,
      workers: this.workers,
      ranges: { start: ARENA_BYTES, bytes: WORKER_BYTES },
      log: embeddedLogOf(io, this.log, this.coordination, creation),
      letters: deadLettersOf(this.log, creation, id => letterTopics.get(id)),
      checkpoints: checkpointsOf(this.log, pipelineId => this.pipelines.checkpointed(pipelineId)),
      secrets: { environment: { ...this.parts.environment }, configured: this.parts.config.secrets },
      warn: text => this.parts.onWarning(text),
    });
    this.closers.push(() => pool.close());
    return pool;
  }

  private async listening(
    purpose: string,
    flag: string,
    address: Address,
    listen: (address: Address) => Promise<Address>,
  ): Promise<Address> {
    try {
      return await listen(address);
    } catch (error) {
      const code = systemCode(error);
      if (code === 'EADDRINUSE' && this.parts.movesPorts) {
        this.parts.logger.warn(`${addressText(address)} is taken: ${purpose} gets a free port instead`);
        return listen({ ...address, port: 0 });
      }
      const reason = systemReason(error);
      throw appErrors.cannotListen({ address: addressText(address), purpose, reason, flag }, error);
    }
  }

  private async openHttp(address: Address): Promise<void> {
    let server!: HttpServer;
    this.httpAddress = await this.listening('health and metrics', '--http', address, async wanted => {
      server = await listenHttp(wanted, REQUEST_BYTES_MAX, ({ method, path }) => this.answer(method, path));
      return server.address;
    });
    this.closers.push(() => server.close());
  }

  private answer(method: string, path: string): HttpReply {
    const text = (status: number, body: string): HttpReply => ({ status, type: 'text/plain; charset=utf-8', body });
    if (method !== 'GET' && method !== 'HEAD') return text(405, 'only GET is answered here\n');
    const [route, query = ''] = path.split('?');
    switch (route) {
      case '/livez':
        return text(200, 'ok\n');
      case '/readyz': {
        const listeners = this.kafkaListeners.map(
          ({ address, name, protocol }) => `${name}, ${protocol}, on ${addressText(address)}`,
        );
        const checks = readinessChecks(this.phase, listeners, this.reports());
        const { isReady, text: body } = readinessText(checks, new URLSearchParams(query).has('verbose'));
        return text(isReady ? 200 : 503, body);
      }
      case '/metrics':
        return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: this.metrics() };
      default:
        return text(404, 'not found; here are /livez, /readyz and /metrics\n');
    }
  }

  private metrics(): string {
    const delays = this.loopDelay.quantiles(LOOP_DELAY_SHARES);
    return renderMetrics({
      version: VERSION,
      nowMs: this.parts.io.clock.now(),
      counters: this.broker.counters,
      openConnections: this.broker.openConnections,
      refusals: this.broker.refusedCount,
      listeners: this.kafkaListeners,
      log: this.log.stats,
      pipelines: this.reports(),
      lag: lagOf(this.log, this.coordination),
      loopDelay: LOOP_DELAY_SHARES.map((share, i) => [share, delays[i]!]),
    });
  }

  private async control(command: Readonly<Record<string, unknown>>, connection: LocalConnection): Promise<void> {
    switch (command['command']) {
      case 'status': {
        const [kafka, http] = [addressText(this.kafkaAddress), addressText(this.httpAddress)];
        connection.send(JSON.stringify({ kafka, http, pipelines: this.reports() }));
        return;
      }
      case 'tap':
        return this.tap(command, connection);
      default:
        throw appErrors.unknownCommand({ command: String(command['command']) });
    }
  }

  private async tap(command: Readonly<Record<string, unknown>>, connection: LocalConnection): Promise<void> {
    const optional = (name: string): string | undefined =>
      command[name] === undefined ? undefined : String(command[name]);
    const tap = await this.pipelines.tap(
      String(command['pipeline']),
      optional('stage'),
      optional('where'),
      TAP_CAPACITY,
    );
    let isOpen = true;
    connection.onClose(() => {
      isOpen = false;
      tap.close();
    });
    while (isOpen) {
      const report = await tap.take();
      if (!report) break;
      connection.send(JSON.stringify(report));
      await new Promise<void>(resolve => this.parts.io.clock.after(TAP_MS, resolve, { background: true }));
    }
    connection.close();
  }
}
