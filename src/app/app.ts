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
  type Diagnostic,
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
import { compilePredicate, Task, type TaskReport } from '../engine/index.ts';
import { compileTql, printDiagnostic, SourceText } from '../lang/index.ts';
import { Log } from '../log/index.ts';
import { deadLetterStore, embeddedLog, type Plan, secrets, type ServiceToken } from '../sdk/index.ts';
import { type Config, sizeBytes } from './config.ts';
import { appErrors } from './errors.ts';
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
const RESTART_MS = 1_000;
const RESTART_MAX_MS = 60_000;
const ARENA_BYTES = 256 * 1024 * 1024;

interface Running {
  readonly plan: Plan;
  readonly source: SourceText;
  task: Task;
  restarts: number;
}

export class App {
  readonly parts: AppParts;
  log!: Log;
  coordination!: Coordination;
  broker!: Broker;
  kafkaAddress!: Address;
  httpAddress!: Address;
  private readonly arena = new Arena(makeArenaMemory(ARENA_BYTES));
  private readonly running: Running[] = [];
  private readonly services = new Map<string, unknown>();
  private readonly closers: (() => Promise<void>)[] = [];
  private isStopping = false;
  private isReady = false;
  onFatal: (error: Error) => void = () => undefined;

  constructor(parts: AppParts) {
    this.parts = parts;
  }

  async start(): Promise<void> {
    const { config, io } = this.parts;
    const plans = this.compileAll();
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
        advertisedHost: config.kafka.advertised_host,
      },
    });
    this.services.set(embeddedLog.name, embeddedLogOf(io, this.log, this.coordination));
    this.services.set(deadLetterStore.name, deadLettersOf(this.log));
    this.services.set(secrets.name, { get: (name: string) => this.secret(name) });
    this.kafkaAddress = await this.listening(kafka, address => this.broker.listen({ address }));
    this.closers.push(() => this.broker.close());
    await this.openHttp(http);
    for (const { plan, source } of plans) await this.startPipeline(plan, source);
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

  private compileAll(): { plan: Plan; source: SourceText }[] {
    const compiled: { plan: Plan; source: SourceText }[] = [];
    const failed: string[] = [];
    for (const { file, id, text } of this.parts.pipelines) {
      const source = new SourceText(file, text);
      const { diagnostics, plan } = compileTql(source, builtins, { id, hasImplicitEnds: false });
      for (const diagnostic of diagnostics) this.parts.printDiagnostic(printDiagnostic(diagnostic, source));
      if (diagnostics.some(({ severity }) => severity === 'error')) failed.push(id);
      compiled.push({ plan, source });
    }
    if (failed.length > 0) throw appErrors.badPipeline({ id: failed.join(', ') });
    return compiled;
  }

  private async startPipeline(plan: Plan, source: SourceText): Promise<void> {
    const entry: Running = { plan, source, task: this.makeTask(plan, source), restarts: 0 };
    this.running.push(entry);
    await this.runTask(entry);
  }

  private makeTask(plan: Plan, source: SourceText): Task {
    return new Task(plan, {
      io: this.parts.io,
      arena: this.arena,
      registry: builtins,
      service: <T>(token: ServiceToken<T>) => this.services.get(token.name) as T | undefined,
      checkpoints: checkpointsOf(this.log),
      warn: (diagnostic: Diagnostic) => this.parts.printDiagnostic(printDiagnostic(diagnostic, source)),
    });
  }

  /** Starts the task and, should it fail, starts it again from its last committed epoch after a growing pause. */
  private async runTask(entry: Running): Promise<void> {
    const failed = (error: unknown): void => {
      if (this.isStopping) return;
      const pause = Math.min(RESTART_MAX_MS, RESTART_MS * 2 ** entry.restarts++);
      this.parts.logger.error(`pipeline ${entry.plan.id} failed: ${messageOf(error)}`, { next_try_ms: pause });
      this.parts.io.clock.after(
        pause,
        () => {
          if (this.isStopping) return;
          entry.task = this.makeTask(entry.plan, entry.source);
          void this.runTask(entry);
        },
        { background: true },
      );
    };
    entry.task.finished.catch(failed);
    try {
      await entry.task.start();
    } catch (error) {
      failed(error);
    }
  }

  private secret(name: string): string | undefined {
    return this.parts.environment[`MILLRACE_SECRETS__${name.toUpperCase()}`] ?? this.parts.config.secrets[name];
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
      case '/metrics':
        return {
          status: 200,
          type: 'text/plain; version=0.0.4; charset=utf-8',
          body: renderMetrics({
            version: VERSION,
            counters: this.broker.counters,
            openConnections: this.broker.openConnections,
            refusals: this.broker.refusals().reduce((sum, refusal) => sum + refusal.count, 0),
            log: this.log.stats,
            pipelines: this.reports(),
          }),
        };
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
        else if (command.command === 'tap') this.tap(connection, command);
        else connection.send(JSON.stringify({ error: `unknown command ${command.command}` }));
      } catch (error) {
        connection.send(JSON.stringify({ error: messageOf(error) }));
      }
    });
  }

  private tap(
    connection: LocalConnection,
    command: { pipeline?: string; stage?: string; where?: string; capacity?: number },
  ): void {
    const entry = this.running.find(({ plan }) => plan.id === command.pipeline);
    if (!entry) {
      const known = this.running.map(({ plan }) => plan.id).join(', ');
      connection.send(JSON.stringify({ error: `no pipeline ${command.pipeline}; there are ${known}` }));
      return;
    }
    const predicate = command.where === undefined ? undefined : this.predicate(command.where);
    const tap = entry.task.tap(command.stage, predicate, command.capacity ?? 1_000);
    let isOpen = true;
    const send = (): void => {
      if (!isOpen) return;
      connection.send(JSON.stringify(tap.take()));
      this.parts.io.clock.after(100, send, { background: true });
    };
    connection.onClose(() => {
      isOpen = false;
      tap.close();
    });
    send();
  }

  private predicate(text: string): ReturnType<typeof compilePredicate> {
    const source = new SourceText('<where>', `where ${text}`);
    const { diagnostics, plan } = compileTql(source, builtins, { id: 'tap', hasImplicitEnds: true });
    const error = diagnostics.find(({ severity }) => severity === 'error');
    if (error) throw new Error(printDiagnostic(error, source));
    const { io } = this.parts;
    return compilePredicate(plan, { io, registry: builtins });
  }
}

export function controlPath(directory: string): string {
  return `${directory}/control.sock`;
}
