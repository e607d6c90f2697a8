/**
 * The broker's host: one disk and one wall clock, and a process on it that is killed, loses power and is started again. In
 * the process, beside the broker, a pipeline reads the embedded log and writes into it.
 *
 * Limits are small, so that a run meets them: journal files, the index in memory, what may be pending, clients' memory. How
 * small, the seed decides.
 */
import { type Arena, type Io, MillraceError, systemCode } from '../../src/base/index.ts';
import { checkpointsOf, embeddedLogOf } from '../../src/app/services.ts';
import { Broker, consumerFormats } from '../../src/broker/index.ts';
import { Coordination } from '../../src/coordination/index.ts';
import type { Task } from '../../src/engine/index.ts';
import { logThreads } from '../../src/log/threads.ts';
import { Log, type LogSettings } from '../../src/log/index.ts';
import { embeddedLog } from '../../src/sdk/index.ts';
import { SimDisk } from '../../src/testing/sim/disk.ts';
import { Machine, type WallClock } from '../../src/testing/sim/world.ts';
import { makeTask } from './pipelines.ts';
import { ADDRESS, GROUPS, INPUT, LOGGER, type Run } from './run.ts';

const DIRECTORY = '/data';
const FILE_BYTES = [15_000, 60_000, 60_000, 1_000_000];
const PENDING_BYTES = [20_000, 100_000, 100_000, 10_000_000];
const INDEX_BYTES = [2_000, 20_000, 1_000_000];
const LOG = {
  directory: DIRECTORY,
  reserveBytes: 20_000,
  scrubIntervalMs: 100_000,
  unlinkDelayMs: 5_000,
  retentionCheckMs: 2_000,
};
const BROKER = {
  autoCreateTopics: false,
  requestMemoryBytes: 150_000,
  answerMemoryBytes: 300_000,
  idleMs: 120_000,
};
/** What a start that meets damage says. */
const DAMAGE_CODES = ['MR5003', 'MR5012', 'MR5013', 'MR5014'];

interface Process {
  readonly machine: Machine;
  readonly io: Io;
  readonly arena: Arena;
  readonly log: Log;
  readonly coordination: Coordination;
  readonly broker: Broker;
}

export class Server {
  readonly disk: SimDisk;
  readonly wall: WallClock = { offsetMs: 0 };
  machine: Machine | undefined;
  private readonly run: Run;
  private readonly settings: Partial<LogSettings> & { readonly directory: string };
  /** Set while the broker serves. */
  private process: Process | undefined;
  private local: Task | undefined;
  /** Puts right what reads wrong. */
  private heal: (() => void) | undefined;

  constructor(run: Run) {
    this.run = run;
    const { random } = run.world;
    this.settings = {
      ...LOG,
      fileBytesMax: FILE_BYTES[random.below(FILE_BYTES.length)]!,
      pendingBytesMax: PENDING_BYTES[random.below(PENDING_BYTES.length)]!,
      indexBytesMax: INDEX_BYTES[random.below(INDEX_BYTES.length)]!,
    };
    this.disk = run.plant.disk?.() ?? new SimDisk();
  }

  get log(): Log | undefined {
    return this.process?.log;
  }

  get coordination(): Coordination | undefined {
    return this.process?.coordination;
  }

  start(): void {
    const machine = new Machine(this.run.world, this.disk, this.wall);
    this.machine = machine;
    this.open(machine).catch((error: unknown) => {
      if (machine.isDead) return;
      // A disk that is full, fails or reads wrong while it starts: as the supervisor of a process would, it tries again.
      if (isDamage(error)) this.run.checks.refusal(error);
      else if (!(error instanceof MillraceError) && systemCode(error) === undefined)
        this.run.checks.fail(`I6: the start failed: ${error instanceof Error ? error.stack : String(error)}`);
      this.crash('start failed', false);
    });
  }

  /** The process is gone and comes back; when its host loses power only what was synced is sure to be there. */
  crash(kind: string, losesPower: boolean): void {
    const { machine, run } = this;
    const { random } = run.world;
    if (!machine || machine.isDead) return;
    run.note(kind);
    // A tail that is torn and a bit that reads wrong in it cannot be told apart.
    const isDark = losesPower && !this.heal;
    if (isDark && random.float() < 0.5) run.network.silence(machine);
    machine.kill();
    this.process = undefined;
    this.local = undefined;
    this.disk.restart(isDark ? random : undefined);
    run.world.after(50 + random.float() * 1_000, () => this.start());
  }

  /** A bit of some file reads wrong for a while; then somebody brings the right one back and starts the process anew. */
  spoil(): void {
    const { checks, world } = this.run;
    const names = this.disk.isCrashed ? [] : this.disk.list(DIRECTORY).filter(name => name !== 'reserve');
    const name = names[world.random.below(names.length)];
    const path = `${DIRECTORY}/${name}`;
    const size = name === undefined ? 0 : this.disk.stat(path).size;
    if (this.heal || size === 0) return;
    checks.isDamaged = true;
    const mend = this.disk.spoil(path, world.random.below(size), world.random.below(8));
    this.heal = () => {
      mend();
      this.crash('kill', false);
      this.heal = undefined;
      // Answers that tell of it may still be on their way, and clients take their time to give up.
      world.after(20_000, () => {
        checks.isDamaged = this.heal !== undefined;
      });
    };
    const { heal } = this;
    world.after(world.random.float() * 6_000, () => {
      if (this.heal === heal) heal();
    });
  }

  /** Nothing more happens to it. */
  calm(): void {
    this.heal?.();
    this.disk.capacity = Number.POSITIVE_INFINITY;
    this.disk.crashAt = Number.POSITIVE_INFINITY;
    this.disk.failSyncAt = Number.POSITIVE_INFINITY;
  }

  /** By the log itself: what readers have seen may lag behind. */
  isRead(groups: readonly string[]): boolean {
    const partitions = this.log?.topic('', INPUT)?.partitions ?? [];
    const { checks } = this.run;
    return (
      partitions.length > 0 &&
      partitions.every(({ index, syncedEnd }) =>
        groups.every(group => checks.furthestCommit(group, index) >= syncedEnd),
      )
    );
  }

  /** The first offset of each partition. */
  get starts(): ReadonlyMap<string, number> {
    const partitions = [...(this.log?.topics() ?? [])].flatMap(topic => topic.partitions);
    return new Map(partitions.map(({ index, startOffset, topic }) => [`${topic.name}/${index}`, startOffset]));
  }

  async endPipeline(): Promise<void> {
    this.local?.drain();
    await this.local?.finished;
  }

  /** Ends in good order; tells what is still held when no client is left. */
  async end(): Promise<void> {
    const { process } = this;
    const { checks, network, world } = this.run;
    if (!process) return checks.fail('I6: the broker does not come up');
    const { arena, broker, log } = process;
    const expectNone = (what: string, count: number): void => {
      if (count !== 0) checks.fail(`I9: ${count} ${what} at the end`);
    };
    expectNone('open connections of the broker', broker.openConnections);
    expectNone('slabs held by the broker', arena.heldSlabs);
    expectNone('bytes of requests', broker.requestBytes);
    expectNone('bytes of answers', broker.unreadBytes);
    expectNone('bytes to be committed', log.stats.pendingBytes);
    expectNone('connections in the network', network.openLinks);
    await world.settle(broker.close());
    await world.settle(log.close());
    expectNone(`open files (${this.disk.openFiles.join(', ')})`, this.disk.openFiles.length);
    process.machine.kill();
  }

  private async open(machine: Machine): Promise<void> {
    const { plant, world } = this.run;
    const io = machine.io(this.run.network.of, logThreads);
    const arena = machine.makeArena();
    plant.arena?.(arena);
    const log = await Log.open(io, this.settings);
    if (machine.isDead) return;
    log.onFatal = () => void world.after(0, () => this.crashOf(machine, 'fatal'));
    log.onDamage = error => this.run.checks.refusal(error);
    const coordination = new Coordination(io, log, { initialRebalanceDelayMs: 100 }, consumerFormats);
    const broker = new Broker({ io, arena, log, coordination, logger: LOGGER, settings: BROKER });
    plant.broker?.({ log, coordination, broker, io });
    await broker.listen({ address: ADDRESS });
    this.process = { machine, io, arena, log, coordination, broker };
    this.startPipeline(this.process);
  }

  private crashOf(machine: Machine, kind: string): void {
    if (machine === this.machine) this.crash(kind, true);
  }

  private startPipeline(process: Process): void {
    const { coordination, io, log, machine } = process;
    if (machine.isDead || this.run.isOver) return;
    const creation = { isAllowed: false, partitions: 0 };
    const services = new Map([[embeddedLog.name, embeddedLogOf(io, log, coordination, creation)]]);
    const task = makeTask(this.run, GROUPS.local, {
      ...process,
      services,
      checkpoints: checkpointsOf(log, () => []),
    });
    this.local = task;
    const failed = (): void => {
      if (machine.isDead) return;
      this.run.note('local pipeline failed');
      io.clock.after(500, () => this.startPipeline(process));
    };
    task.finished.catch(failed);
    task.start().catch(failed);
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof MillraceError && DAMAGE_CODES.includes(error.code);
}
