/**
 * One simulated run: a broker, clients of each kind and pipelines live through faults of disk, network, clocks and processes.
 * Then the faults end, the world becomes quiet, everybody ends in good order, and the checks of `checks.ts` compare what was
 * promised with what is there.
 */
import { Admin, clientSettings, Consumer, FROM_START, makeCluster } from '../../src/client/index.ts';
import { SimNetwork } from '../../src/testing/sim/network.ts';
import { Machine, World } from '../../src/testing/sim/world.ts';
import { Checks } from './checks.ts';
import { ChurnActor, MemberActor, partitions, ProducerActor, ReaderActor, recordsOf } from './clients.ts';
import { Collectors } from './collector.ts';
import { Faults } from './faults.ts';
import { PipelineActor } from './pipelines.ts';
import { type Actor, CLIENT, GROUPS, PARTITIONS, type Plant, type Run, SHORT, SINKS, TOPICS } from './run.ts';
import { Server } from './server.ts';

export interface ScenarioSettings {
  readonly seed: number;
  /** Simulated time with faults. */
  readonly faultMs: number;
  /** What is broken on purpose, to see that the checks find it. */
  readonly plant?: Plant | undefined;
}

export interface ScenarioResult {
  readonly violations: readonly string[];
  /** A hash over all that happened. */
  readonly trace: number;
  readonly turns: number;
  readonly acknowledged: number;
  readonly faults: Readonly<Record<string, number>>;
}

const TOPIC_CONFIGS: readonly (readonly [string, string])[] = [
  ['retention.ms', '-1'],
  // Clocks are hours apart.
  ['message.timestamp.after.max.ms', '9223372036854775807'],
  ['message.timestamp.before.max.ms', '9223372036854775807'],
];
const SHORT_BYTES = '3000';
/** Every time-out of the clients, and the time after which a delivery is given up, many times over. */
const SETTLE_TRIES = 40;
const SETTLE_MS = 10_000;
/** Longer than a group waits for its members, and the broker then for a connection that says nothing. */
const IDLE_MS = 500_000;

export function runScenario(settings: ScenarioSettings): Promise<ScenarioResult> {
  return new Scenario(settings).play();
}

class Scenario implements Run {
  readonly world: World;
  readonly network: SimNetwork;
  readonly checks = new Checks();
  readonly plant: Plant;
  isQuiet = false;
  isOver = false;
  private readonly faultMs: number;
  private readonly faults: Record<string, number> = {};
  private readonly server: Server;
  private readonly actors: readonly Actor[];
  private readonly collectors: Collectors;

  constructor({ faultMs, plant = {}, seed }: ScenarioSettings) {
    this.faultMs = faultMs;
    this.plant = plant;
    this.world = new World(seed);
    this.network = new SimNetwork(this.world);
    this.network.onLate = () => this.checks.late(this.world.time);
    this.server = new Server(this);
    const collectors = new Collectors(this);
    this.collectors = collectors;
    this.actors = [
      new ProducerActor(this, 'i0', { isIdempotent: true, isBulky: false }),
      new ProducerActor(this, 'i1', { isIdempotent: true, isBulky: false }),
      new ProducerActor(this, 'ibulk', { isIdempotent: true, isBulky: true }),
      new ProducerActor(this, 'p0', { isIdempotent: false, isBulky: false }),
      new ProducerActor(this, 'p1', { isIdempotent: false, isBulky: false }),
      new ReaderActor(this, 'reader', false),
      new ReaderActor(this, 'committed-reader', true),
      new ProducerActor(this, 'ishort', { isIdempotent: true, isBulky: false, topic: SHORT }),
      new ReaderActor(this, 'short-reader', true, SHORT),
      ...[0, 1, 2].map(i => new MemberActor(this, `member-${i}`)),
      new ChurnActor(this, 'churn'),
      ...[0, 1].map(i => new PipelineActor(this, `copy-${i}`, GROUPS.copy)),
      new PipelineActor(this, 'collect', GROUPS.collect, io => collectors.registry(io)),
    ];
  }

  note(fault: string): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1;
  }

  async play(): Promise<ScenarioResult> {
    const { actors, checks, server, world } = this;
    server.start();
    await world.run(200);
    this.makeTopics();
    await world.run(2_000, this.watch);
    for (const actor of actors) actor.start();
    new Faults(this, server, actors, this.collectors).schedule();
    await world.run(world.time + this.faultMs, this.watch);
    await this.calm();
    await this.readAll();
    checks.finish(SINKS, server.starts);
    await this.end();
    for (const { machine } of [...actors, server]) machine?.kill();
    const { trace, turns } = world;
    const { acknowledgedCount: acknowledged, violations } = checks;
    return { violations, trace, turns, acknowledged, faults: this.faults };
  }

  /** After every turn: a machine whose disk has stopped is dead, and what others may see is checked. */
  private readonly watch = (): void => {
    const { checks, server, world } = this;
    if (server.disk.isCrashed) server.crash('crash at a call', true);
    const { coordination } = server;
    if (world.turns % 16 !== 0 || !coordination) return;
    for (const group of Object.values(GROUPS)) {
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const offset = coordination.committed('', group, TOPICS[0], partition)?.offset;
        checks.committed(group, partition, offset, world.time, group === GROUPS.readers);
      }
    }
  };

  private makeTopics(): void {
    const cluster = this.client('admin');
    const admin = new Admin(cluster);
    const configsOf = (topic: string): Map<string, string> =>
      new Map([...TOPIC_CONFIGS, ['retention.bytes', topic === SHORT ? SHORT_BYTES : '-1']]);
    const create = (topic: string): Promise<void> =>
      admin.createTopic(topic, PARTITIONS, configsOf(topic)).catch(() => cluster.sleep(100).then(() => create(topic)));
    void Promise.all(TOPICS.map(create)).then(() => cluster.close());
  }

  private client(id: string): ReturnType<typeof makeCluster> {
    const io = new Machine(this.world).io(this.network.of);
    return makeCluster(io, clientSettings(io, new Map(Object.entries({ ...CLIENT, 'client.id': id }))));
  }

  private async calm(): Promise<void> {
    const { actors, network, server, world } = this;
    this.isQuiet = true;
    network.isDown = false;
    network.isLossy = false;
    server.calm();
    const isSettled = (): boolean => actors.every(actor => actor.isDone) && server.isRead(Object.values(GROUPS));
    for (let i = 0; i < SETTLE_TRIES && !isSettled(); i++) await world.run(world.time + SETTLE_MS, this.watch);
    if (isSettled()) return;
    const undone = actors.filter(actor => !actor.isDone).map(({ name }) => name);
    const unread = Object.values(GROUPS).filter(group => !server.isRead([group]));
    this.checks.fail(`I6: not done: ${[...undone, ...unread.map(group => `group ${group}`)].join(', ')}`);
  }

  /** What is in the topics at the end, from the first offset to the last. */
  private async readAll(): Promise<void> {
    const cluster = this.client('final');
    const read = async (topic: string): Promise<void> => {
      const consumer = new Consumer(cluster, { maxWaitMs: 200 });
      consumer.assign(partitions().map(partition => ({ topic, partition, offset: FROM_START })));
      do {
        for (const piece of await consumer.poll())
          for (const [offset, value] of recordsOf(piece)) this.checks.final(topic, piece.partition, offset, value);
      } while (!consumer.isAtEnd);
      consumer.close();
    };
    await this.settled('the last reading', Promise.all(TOPICS.map(read)));
    await cluster.close();
  }

  /** Everybody ends in good order, and has given back what it took. */
  private async end(): Promise<void> {
    const { actors, checks, server, world } = this;
    this.isOver = true;
    for (const actor of actors) {
      await this.settled(`the end of ${actor.name}`, actor.end());
      await world.run(world.time + 100);
      if (actor.heldSlabs > 0) checks.fail(`I9: ${actor.heldSlabs} slabs held by ${actor.name} at the end`);
      actor.machine.kill();
    }
    await this.settled('the end of the local pipeline', server.endPipeline());
    await world.run(world.time + IDLE_MS);
    await this.settled('the end of the broker', server.end());
  }

  private async settled(what: string, promise: Promise<unknown>): Promise<void> {
    try {
      await this.world.settle(promise, 120_000);
    } catch (error) {
      this.checks.fail(`I6: ${what} failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
