/**
 * The process: data directory and its lock, log, groups, Kafka listener, pipelines, health and metrics, put together and
 * taken apart in order.
 *
 *   start   lock ─► log (recovery) ─► groups ─► pipelines checked ─► listeners ─► pipelines
 *   stop    pipelines drain ─► listeners close ─► log closes ─► lock goes
 *
 * Invariants
 * I1 all pipelines are checked before any starts.
 * I2 one process a data directory: the control socket is its lock.
 */
import {
  type Address,
  Arena,
  ARENA_DEFAULTS,
  type Io,
  type Logger,
  makeArenaMemory,
  messageOf,
  systemCode,
} from '../base/index.ts';
import { connectLocal, listenHttp, listenLocal, type LocalConnection } from '../base/io/local-server.ts';
import { Broker } from '../broker/index.ts';
import { builtins } from '../builtins/index.ts';
import { parseAddress } from '../client/index.ts';
import { Coordination } from '../coordination/index.ts';
import type { TaskReport } from '../engine/index.ts';
import { compileTql, printDiagnostic, SourceText } from '../lang/index.ts';
import { Log } from '../log/index.ts';
import { type Config, sizeBytes, WORKERS_MAX } from './config.ts';
import { EnginePool, type PooledTask } from './engine/pool.ts';
import { appErrors } from './errors.ts';
import { LoopDelay } from './loop-delay.ts';
import { renderMetrics } from './metrics.ts';
import { checkpointsOf, deadLettersOf, embeddedLogOf } from './services.ts';
import { VERSION } from './version.ts';

export interface PipelineText {
  readonly id: string;
  readonly file: string;
  readonly text: string;
}

export interface AppParts {
  readonly io: Io;
  readonly config: Config;
  readonly pipelines: readonly PipelineText[];
  readonly logger: Logger;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Takes a free port when the wanted one is taken. */
  readonly movesPorts?: boolean;
  /** Prints diagnostics of pipelines, at the start and while they run. */
  printDiagnostic(text: string): void;
}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '::1']);
const SECRET_PREFIX = 'MILLRACE_SECRETS__';
const SHARES: readonly number[] = [0.5, 0.99, 1];
const RESTART_MS = 1_000;
const RESTART_MAX_MS = 60_000;
/** The process's range of the arena, and each worker's behind it. */
const ARENA_BYTES = 256 * 1024 * 1024;
const WORKER_BYTES = 128 * 1024 * 1024;

interface Running {
  readonly text: PipelineText;
  task: PooledTask;
  restarts: number;
}

export class App {
  readonly parts: AppParts;
  log!: Log;
  coordination!: Coordination;
  broker!: Broker;
  kafkaAddress!: Address;
  httpAddress!: Address;
  private readonly arena: Arena;
  private readonly workers: number;
  private pool!: EnginePool;
  private loopDelay!: LoopDelay;
  private readonly running: Running[] = [];
  private readonly closers: (() => Promise<void>)[] = [];
  private isStopping = false;
  private isReady = false;
  onFatal: (error: Error) => void = () => undefined;

  constructor(parts: AppParts) {
    this.parts = parts;
    const { config, io } = parts;
    this.workers =
      config.engine.workers === 'auto'
        ? Math.min(WORKERS_MAX, Math.max(1, io.threads.cores - 1))
        : config.engine.workers;
    const memory = makeArenaMemory(ARENA_BYTES + Math.max(1, this.workers) * WORKER_BYTES);
    this.arena = new Arena(memory, { ...ARENA_DEFAULTS, end: ARENA_BYTES });
  }

  async start(): Promise<void> {
    const { config, io } = this.parts;
    this.checkAll();
    const kafka = this.addressOf(config.kafka.listen, config.kafka.allow_plaintext);
    const http = this.addressOf(config.http.listen, true);
    if (!io.files.exists(config.data)) io.files.makeDirectory(config.data);
    await this.lock();
    this.log = await Log.open(io, { directory: `${config.data}/log`, fileBytesMax: sizeBytes(config.log.file_size) });
    this.log.onFatal = error => this.onFatal(error);
    this.closers.push(() => this.log.close());
    if (this.log.tornBytes > 0)
      this.parts.logger.warn(`left out a torn tail of ${this.log.tornBytes} bytes that nobody was told of`);
    this.coordination = new Coordination(io, this.log);
    this.broker = new Broker({
      io,
      arena: this.arena,
      log: this.log,
      coordination: this.coordination,
      logger: this.parts.logger,
      settings: {
        autoCreateTopics: config.kafka.auto_create_topics,
        defaultPartitions: config.kafka.default_partitions,
      },
    });
    this.pool = new EnginePool({
      io,
      arena: this.arena,
      workers: this.workers,
      ranges: { start: ARENA_BYTES, bytes: WORKER_BYTES },
      log: embeddedLogOf(io, this.log, this.coordination),
      letters: deadLettersOf(this.log),
      checkpoints: checkpointsOf(this.log),
      secrets: this.secrets(),
      warn: text => this.parts.printDiagnostic(text),
    });
    this.closers.push(() => this.pool.close());
    const { advertised_host: host, advertised_port: port } = config.kafka;
    const advertised = { ...(host !== undefined && { host }), ...(port !== undefined && { port }) };
    this.kafkaAddress = await this.listening(kafka, address => this.broker.listen({ address, advertised }));
    this.closers.push(() => this.broker.close());
    this.loopDelay = new LoopDelay(io.clock);
    this.closers.push(async () => this.loopDelay.stop());
    await this.openHttp(http);
    for (const text of this.parts.pipelines) await this.startPipeline(text);
    this.isReady = true;
  }

  reports(): readonly TaskReport[] {
    return this.running.map(({ task }) => task.report());
  }

  /** Lets pipelines deliver what they have, at most for `graceMs`, then closes everything. */
  async stop(graceMs: number, onWait: (seconds: number, reports: readonly TaskReport[]) => void): Promise<void> {
    if (this.isStopping) return;
    this.isStopping = true;
    this.isReady = false;
    const { clock } = this.parts.io;
    for (const { task } of this.running) task.drain();
    const end = clock.monotonic() + graceMs;
    const all = Promise.all(this.running.map(({ task }) => task.finished.catch(() => undefined))).then(() => true);
    for (;;) {
      const left = end - clock.monotonic();
      const tick = new Promise<boolean>(resolve =>
        clock.after(Math.min(1_000, Math.max(1, left)), () => resolve(false)),
      );
      if ((await Promise.race([all, tick])) || left <= 1_000) break;
      onWait(Math.ceil((left - 1_000) / 1_000), this.reports());
    }
    for (const { task } of this.running) task.abort('stopped before everything was delivered');
    for (const close of this.closers.reverse()) await close();
  }

  private checkAll(): void {
    const failed: string[] = [];
    for (const { file, id, text } of this.parts.pipelines) {
      const source = new SourceText(file, text);
      const { diagnostics } = compileTql(source, builtins, { id, hasImplicitEnds: false });
      for (const diagnostic of diagnostics) this.parts.printDiagnostic(printDiagnostic(diagnostic, source));
      if (diagnostics.some(({ severity }) => severity === 'error')) failed.push(id);
    }
    if (failed.length > 0) throw appErrors.badPipeline({ id: failed.join(', ') });
  }

  private async startPipeline(text: PipelineText): Promise<void> {
    const entry: Running = { text, task: this.makeTask(text), restarts: 0 };
    this.running.push(entry);
    await this.runTask(entry);
  }

  private makeTask({ file, id, text }: PipelineText): PooledTask {
    return this.pool.task(id, file, text);
  }

  /** Starts the task and, should it fail, starts it again from its last committed epoch after a growing pause. */
  private async runTask(entry: Running): Promise<void> {
    const failed = (error: unknown): void => {
      if (this.isStopping) return;
      const pause = Math.min(RESTART_MAX_MS, RESTART_MS * 2 ** entry.restarts++);
      this.parts.logger.error(`pipeline ${entry.text.id} failed: ${messageOf(error)}`, { next_try_ms: pause });
      this.parts.io.clock.after(
        pause,
        () => {
          if (this.isStopping) return;
          entry.task = this.makeTask(entry.text);
          void this.runTask(entry);
        },
        { background: true },
      );
    };
    entry.task.finished.catch(failed);
    // Why it does not start is why it has finished.
    await entry.task.start().catch(() => undefined);
  }

  /** By upper-case name: those of the configuration, and over them those of the environment. */
  private secrets(): Readonly<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const [name, value] of Object.entries(this.parts.config.secrets)) found[name.toUpperCase()] = value;
    for (const [name, value] of Object.entries(this.parts.environment)) {
      if (name.startsWith(SECRET_PREFIX) && value !== undefined) found[name.slice(SECRET_PREFIX.length)] = value;
    }
    return found;
  }

  private addressOf(text: string, mayBeExposed: boolean): Address {
    const address = parseAddress(text);
    if (!address) throw appErrors.addressTaken({ address: text, reason: 'it is not host:port' });
    if (!mayBeExposed && !LOOPBACK.has(address.host)) throw appErrors.exposedPlaintext({ host: address.host });
    return address;
  }

  private async listening(address: Address, listen: (address: Address) => Promise<Address>): Promise<Address> {
    try {
      return await listen(address);
    } catch (error) {
      if (systemCode(error) === 'EADDRINUSE' && this.parts.movesPorts) return listen({ ...address, port: 0 });
      throw appErrors.addressTaken({ address: `${address.host}:${address.port}`, reason: messageOf(error) }, error);
    }
  }

  private async openHttp(address: Address): Promise<void> {
    let server: { readonly address: Address; close(): Promise<void> } | undefined;
    this.httpAddress = await this.listening(address, async wanted => {
      server = await listenHttp(wanted, request => this.answer(request.path));
      return server.address;
    });
    this.closers.push(() => server!.close());
  }

  private answer(path: string): { status: number; type: string; body: string } {
    const text = (status: number, body: string) => ({ status, type: 'text/plain; charset=utf-8', body });
    switch (path.split('?')[0]) {
      case '/livez':
        return text(200, 'ok\n');
      case '/readyz': {
        const failed = this.reports().filter(({ state }) => state === 'failed');
        if (this.isReady && failed.length === 0) return text(200, 'ok\n');
        return text(
          503,
          failed.length > 0
            ? `${failed.map(({ pipelineId, reason }) => `${pipelineId}: ${reason}`).join('\n')}\n`
            : 'starting or stopping\n',
        );
      }
      case '/metrics': {
        const delays = this.loopDelay.quantiles(SHARES);
        return {
          status: 200,
          type: 'text/plain; version=0.0.4; charset=utf-8',
          body: renderMetrics({
            version: VERSION,
            counters: this.broker.counters,
            openConnections: this.broker.openConnections,
            refusals: this.broker.refusedCount,
            log: this.log.stats,
            pipelines: this.reports(),
            loopDelay: SHARES.map((share, i) => [share, delays[i]!]),
          }),
        };
      }
      default:
        return text(404, 'not found; here are /livez, /readyz and /metrics\n');
    }
  }

  private async lock(): Promise<void> {
    const path = controlPath(this.parts.config.data);
    const { files } = this.parts.io;
    if (files.exists(path)) {
      try {
        (await connectLocal(path)).close();
      } catch {
        // Nobody answers: the socket of a process that is gone.
        files.remove(path);
      }
      if (files.exists(path)) throw appErrors.inUse({ directory: this.parts.config.data });
    }
    const close = await listenLocal(path, connection => this.control(connection));
    this.closers.push(async () => {
      void close();
      if (files.exists(path)) files.remove(path);
    });
  }

  /** Commands of other processes of this user, one JSON object a line. */
  private control(connection: LocalConnection): void {
    const failed = (error: unknown): void => connection.send(JSON.stringify({ error: messageOf(error) }));
    connection.onLine(line => {
      try {
        const command = JSON.parse(line) as {
          command: string;
          pipeline?: string;
          stage?: string;
          where?: string;
          capacity?: number;
        };
        if (command.command === 'status') connection.send(JSON.stringify({ reports: this.reports() }));
        else if (command.command === 'tap') this.tap(connection, command).catch(failed);
        else connection.send(JSON.stringify({ error: `unknown command ${command.command}` }));
      } catch (error) {
        failed(error);
      }
    });
  }

  private async tap(
    connection: LocalConnection,
    command: { pipeline?: string; stage?: string; where?: string; capacity?: number },
  ): Promise<void> {
    const entry = this.running.find(({ text }) => text.id === command.pipeline);
    if (!entry) {
      const known = this.running.map(({ text }) => text.id).join(', ');
      throw new Error(`no pipeline ${command.pipeline}; there are ${known}`);
    }
    const tap = await entry.task.tap(command.stage, command.where, command.capacity ?? 1_000);
    let isOpen = true;
    connection.onClose(() => {
      isOpen = false;
      tap.close();
    });
    while (isOpen) {
      connection.send(JSON.stringify(await tap.take()));
      await new Promise<void>(resolve => this.parts.io.clock.after(100, resolve, { background: true }));
    }
  }
}

export function controlPath(directory: string): string {
  return `${directory}/control.sock`;
}
