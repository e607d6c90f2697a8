/**
 * One simulated run: a broker that is killed, loses power, fills its disk and fails to sync; a network that cuts, mutes and
 * goes down; producers, pipelines in a consumer group and a reader that live through it. Then the faults end, the world
 * becomes quiet, and the checks of `checks.ts` compare what was promised with what is there.
 */
import { Arena, type Io, makeArenaMemory, silentLogger } from '../../src/base/index.ts';
import { Broker } from '../../src/broker/index.ts';
import { builtins } from '../../src/builtins/index.ts';
import {
  Admin,
  type Cluster,
  clientSettings,
  Consumer,
  makeCluster,
  Producer,
  type ProducerSettings,
} from '../../src/client/index.ts';
import { Coordination } from '../../src/coordination/index.ts';
import { Task } from '../../src/engine/index.ts';
import { compileTql, SourceText } from '../../src/lang/index.ts';
import { logThreads } from '../../src/log/threads.ts';
import { Log } from '../../src/log/index.ts';
import { type DeadLetter, deadLetterStore, type ServiceToken } from '../../src/sdk/index.ts';
import { SimDisk } from '../../src/testing/sim/disk.ts';
import { SimNetwork } from '../../src/testing/sim/network.ts';
import { Machine, World } from '../../src/testing/sim/world.ts';
import { RecordCursor } from '../../src/wire/records/index.ts';
import { Checks } from './checks.ts';

export const PARTITIONS = 2;
export const INPUT = 'in';
export const OUTPUT = 'out';
export const GROUP = 'copy';
const ADDRESS = { host: '127.0.0.1', port: 9092 };
const ARENA = new Arena(makeArenaMemory(48 * 1024 * 1024), { slabBytes: 1024 * 1024, reservedBytes: 16 * 1024 * 1024 });

export interface ScenarioSettings {
  readonly seed: number;
  /** Simulated time with faults. */
  readonly faultMs: number;
  /** What is broken on purpose, to see that the checks find it. */
  readonly plant?: Plant | undefined;
}

/** `disk` makes the disk, `broker` may tamper with the parts of a broker that has just started. */
export interface Plant {
  disk?(): SimDisk;
  broker?(parts: { readonly log: Log; readonly coordination: Coordination }): void;
  producer?: Partial<ProducerSettings>;
}

export interface ScenarioResult {
  readonly violations: readonly string[];
  readonly trace: number;
  readonly turns: number;
  readonly acknowledged: number;
  readonly copied: number;
  readonly faults: Readonly<Record<string, number>>;
}

export async function runScenario(settings: ScenarioSettings): Promise<ScenarioResult> {
  return new Scenario(settings).run();
}

class Scenario {
  private readonly settings: ScenarioSettings;
  private readonly world: World;
  private readonly network: SimNetwork;
  private readonly checks = new Checks();
  private readonly disk: SimDisk;
  private readonly faults: Record<string, number> = {};
  private broker: Machine | undefined;
  private coordination: Coordination | undefined;
  private log: Log | undefined;
  private isQuiet = false;
  private readonly pipelines: (Machine | undefined)[] = [];
  private sent = 0;

  constructor(settings: ScenarioSettings) {
    this.settings = settings;
    this.world = new World(settings.seed);
    this.network = new SimNetwork(this.world);
    this.disk = settings.plant?.disk?.() ?? new SimDisk();
  }

  async run(): Promise<ScenarioResult> {
    const { faultMs } = this.settings;
    const { world } = this;
    this.startBroker();
    await world.run(200);
    this.makeTopics();
    await world.run(2_000, this.watch);
    const producers = [0, 1, 2].map(index => this.startProducer(index));
    this.startReader();
    for (let i = 0; i < 2; i++) this.startPipeline(i);
    this.scheduleFault();
    await world.run(world.time + faultMs, this.watch);
    this.isQuiet = true;
    this.network.isDown = false;
    this.disk.capacity = Number.POSITIVE_INFINITY;
    // Long enough for every time-out of the clients, and for a delivery to be given up.
    for (let i = 0; i < 40 && !(producers.every(isDone => isDone()) && this.isCopied()); i++) {
      await world.run(world.time + 10_000, this.watch);
    }
    await this.readAll();
    this.checks.finish(producers.every(isDone => isDone()));
    this.broker?.kill();
    for (const machine of this.pipelines) machine?.kill();
    return {
      violations: this.checks.violations,
      trace: world.trace,
      turns: world.turns,
      acknowledged: this.checks.acknowledgedCount,
      copied: this.checks.copiedCount,
      faults: this.faults,
    };
  }

  /** After every turn: a machine whose disk has stopped is dead, and what others may see is checked. */
  private readonly watch = (): void => {
    if (this.disk.isCrashed && this.broker) this.crash('crash at a call', true);
    if (this.world.turns % 16 !== 0 || !this.coordination) return;
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const offset = this.coordination.committed('', GROUP, INPUT, partition)?.offset;
      this.checks.committed(partition, offset);
    }
  };

  private startBroker(): void {
    const machine = new Machine(this.world, this.disk);
    this.broker = machine;
    const io = machine.io(this.network.of, logThreads);
    void this.openBroker(machine, io).catch(() => {
      // A disk that is full or fails while it starts: as the supervisor of a process would, it tries again.
      this.crash('start failed', false);
    });
  }

  private async openBroker(machine: Machine, io: Io): Promise<void> {
    const log = await Log.open(io, { directory: '/data', fileBytesMax: 60_000, reserveBytes: 20_000 });
    if (machine.isDead) return;
    log.onFatal = () => this.world.after(0, () => this.crash('fatal', true));
    const coordination = new Coordination(io, log, { initialRebalanceDelayMs: 100 });
    this.settings.plant?.broker?.({ log, coordination });
    const broker = new Broker({
      io,
      arena: ARENA,
      log,
      coordination,
      logger: silentLogger,
      settings: { autoCreateTopics: false },
    });
    await broker.listen({ address: ADDRESS });
    this.coordination = coordination;
    this.log = log;
  }

  /** The broker's machine stops and comes back; with a loss of power only what was synced is sure to be there. */
  private crash(kind: string, losesPower: boolean): void {
    if (!this.broker || this.broker.isDead) return;
    this.faults[kind] = (this.faults[kind] ?? 0) + 1;
    this.broker.kill();
    this.coordination = undefined;
    this.disk.restart(losesPower ? this.world.random : undefined);
    this.world.after(50 + this.world.random.float() * 1_000, () => this.startBroker());
  }

  private makeTopics(): void {
    const { cluster } = this.client('admin');
    const admin = new Admin(cluster);
    const create = (topic: string): Promise<void> =>
      admin.createTopic(topic, PARTITIONS).catch(() => cluster.sleep(100).then(() => create(topic)));
    for (const topic of [INPUT, OUTPUT]) void create(topic);
  }

  private client(id: string, machine = new Machine(this.world)): { cluster: Cluster; io: Io; machine: Machine } {
    const io = machine.io(this.network.of);
    const cluster = makeCluster(io, clientSettings(io, new Map(Object.entries({ ...CLIENT, 'client.id': id }))));
    return { cluster, io, machine };
  }

  /** Sends numbered values to both partitions until it is quiet. Returns whether all of them are settled. */
  private startProducer(index: number): () => boolean {
    const isIdempotent = index < 2;
    const { cluster, io } = this.client(`producer-${index}`);
    const producer = new Producer(cluster, {
      lingerMs: 2,
      batchBytes: 400,
      isIdempotent,
      ...(isIdempotent && this.settings.plant?.producer),
    });
    const name = `${isIdempotent ? 'i' : 'p'}${index}`;
    let open = 0;
    let number = 0;
    const more = (): void => {
      if (this.isQuiet) return;
      for (let i = this.world.random.below(4); i >= 0; i--) {
        const partition = this.world.random.below(PARTITIONS);
        const value = `${name}:${partition}:${number++}`;
        open++;
        this.sent++;
        this.checks.sent(value);
        producer.append(INPUT, partition, { key: null, value: Buffer.from(value) }, (tags, error) => {
          open -= tags.length;
          if (!error) this.checks.acknowledged(value);
        });
      }
      io.clock.after(20 + this.world.random.float() * 60, more);
    };
    more();
    return () => this.isQuiet && open === 0;
  }

  /** Reads both topics all the time, as far as it gets, and remembers what it saw where. */
  private startReader(): void {
    const { cluster, io } = this.client('reader');
    const read = async (topic: string): Promise<void> => {
      const consumer = new Consumer(cluster, { maxWaitMs: 200 });
      consumer.assign(Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition, offset: -2 })));
      while (!this.isQuiet) {
        try {
          for (const { batches, fromOffset, partition } of await consumer.poll())
            for (const batch of batches)
              this.each(batch, fromOffset, (offset, value) => this.checks.read(topic, partition, offset, value));
        } catch (error) {
          this.checks.fail(`the reader of ${topic} failed: ${String(error)}`);
          return;
        }
      }
    };
    io.clock.after(0, () => {
      void read(INPUT);
      void read(OUTPUT);
    });
  }

  private each(batch: Uint8Array, from: number, found: (offset: number, value: string) => void): void {
    const cursor = new RecordCursor().open(batch);
    while (cursor.advance()) if (cursor.offset >= from) found(cursor.offset, Buffer.from(cursor.value!).toString());
  }

  /** A pipeline from topic to topic in a machine of its own, as a member of one group; started again when it fails. */
  private startPipeline(index: number): void {
    const machine = new Machine(this.world);
    this.pipelines[index] = machine;
    const io = machine.io(this.network.of);
    const options = Object.entries({
      ...CLIENT,
      'client.id': `pipeline-${index}`,
      'session.timeout.ms': '6000',
      'heartbeat.interval.ms': '500',
    });
    const text = `let $options = {${options.map(([name, value]) => `"${name}": "${value}"`).join(', ')}}
from_kafka "${INPUT}", group_id="${GROUP}", commit_timeout=200ms, options=$options
to_kafka "${OUTPUT}", message=message, options=$options`;
    const { diagnostics, plan } = compileTql(new SourceText('<sim>', text), builtins, {
      id: 'copy',
      hasImplicitEnds: true,
    });
    if (diagnostics.some(({ severity }) => severity === 'error')) throw new Error(diagnostics[0]!.message);
    const letters = { write: (list: readonly DeadLetter[]) => Promise.resolve(this.checks.letters(list)) };
    const task = new Task(plan, {
      io,
      arena: ARENA,
      registry: builtins,
      service: <T>(token: ServiceToken<T>) => (token.name === deadLetterStore.name ? (letters as T) : undefined),
      warn: () => undefined,
    });
    const again = (): void => {
      if (machine.isDead) return;
      this.faults['pipeline failed'] = (this.faults['pipeline failed'] ?? 0) + 1;
      machine.kill();
      this.world.after(500, () => this.startPipeline(index));
    };
    task.finished.catch(again);
    io.clock.after(0, () => void task.start().catch(again));
  }

  private scheduleFault(): void {
    this.world.after(200 + this.world.random.float() * 2_500, () => {
      if (this.isQuiet) return;
      this.fault();
      this.scheduleFault();
    });
  }

  private fault(): void {
    const { random } = this.world;
    const kinds: Readonly<Record<string, () => void>> = {
      kill: () => this.crash('kill', false),
      'power lost': () => this.crash('power lost', true),
      'crash at a call': () => {
        this.disk.crashAt = this.disk.calls + 1 + random.below(30);
      },
      'failed sync': () => {
        this.disk.failSyncAt = this.disk.syncs + 1 + random.below(5);
      },
      'disk full': () => {
        this.disk.capacity = this.disk.usedBytes + random.below(3_000);
        this.world.after(random.float() * 3_000, () => {
          this.disk.capacity = Number.POSITIVE_INFINITY;
        });
      },
      cut: () => this.network.breakOne('cut'),
      mute: () => this.network.breakOne('mute'),
      'network down': () => {
        this.network.isDown = true;
        this.world.after(random.float() * 2_000, () => {
          this.network.isDown = false;
        });
      },
      'pipeline killed': () => {
        const index = random.below(this.pipelines.length);
        this.pipelines[index]!.kill();
        this.world.after(random.float() * 5_000, () => this.startPipeline(index));
      },
    };
    const names = Object.keys(kinds);
    const kind = names[random.below(names.length)]!;
    if (!['kill', 'power lost', 'crash at a call'].includes(kind)) this.faults[kind] = (this.faults[kind] ?? 0) + 1;
    kinds[kind]!();
  }

  /** By the log itself: what the reader has seen may lag behind. */
  private isCopied(): boolean {
    const { coordination, log } = this;
    if (!coordination || !log || !this.broker || this.broker.isDead) return false;
    const partitions = log.topic('', INPUT)?.partitions ?? [];
    return partitions.every(
      ({ index, syncedEnd }) => (coordination.committed('', GROUP, INPUT, index)?.offset ?? 0) === syncedEnd,
    );
  }

  /** What is in the topics at the end, from the first offset to the last. */
  private async readAll(): Promise<void> {
    const { cluster } = this.client('final');
    let isOver = false;
    const read = async (topic: string): Promise<void> => {
      const consumer = new Consumer(cluster, { maxWaitMs: 200 });
      consumer.assign(Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition, offset: -2 })));
      do {
        for (const { batches, fromOffset, partition } of await consumer.poll())
          for (const batch of batches)
            this.each(batch, fromOffset, (offset, value) => this.checks.final(topic, partition, offset, value));
      } while (!consumer.isAtEnd);
    };
    void Promise.all([read(INPUT), read(OUTPUT)]).then(
      () => {
        isOver = true;
      },
      error => this.checks.fail(`the last reading failed: ${String(error)}`),
    );
    for (let i = 0; i < 20 && !isOver; i++) await this.world.run(this.world.time + 5_000, this.watch);
    if (!isOver) this.checks.fail('the topics cannot be read to their ends');
  }
}

const CLIENT = {
  'bootstrap.servers': `${ADDRESS.host}:${ADDRESS.port}`,
  'request.timeout.ms': '3000',
  'socket.connection.setup.timeout.ms': '1000',
  'retry.backoff.max.ms': '500',
  'auto.offset.reset': 'earliest',
};
