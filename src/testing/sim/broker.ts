/**
 * A broker in a simulated world, for tests of behaviour over the wire: time passes when the test says so, and a week is as
 * short as a millisecond.
 */
import { type Address, type Io, type Logger, silentLogger } from '../../base/index.ts';
import { Broker, consumerFormats, type BrokerSettings } from '../../broker/index.ts';
import { Coordination, type CoordinationSettings } from '../../coordination/index.ts';
import { logThreads } from '../../log/threads.ts';
import { Log, type LogSettings } from '../../log/index.ts';
import { WireClient } from '../wire-client.ts';
import { SimDisk } from './disk.ts';
import { SimNetwork } from './network.ts';
import { Machine, World } from './world.ts';

const ADDRESS = { host: '127.0.0.1', port: 9092 };
const STEP_MS = 5;

export interface SimBrokerParts {
  readonly settings?: Partial<BrokerSettings>;
  readonly coordination?: Partial<CoordinationSettings>;
  readonly log?: Partial<LogSettings>;
  readonly logger?: Logger;
  readonly seed?: number;
}

export class SimBroker {
  readonly world: World;
  readonly disk = new SimDisk();
  readonly address: Address = ADDRESS;
  private readonly network: SimNetwork;
  private readonly parts: SimBrokerParts;
  private machine!: Machine;
  io!: Io;
  log!: Log;
  coordination!: Coordination;
  broker!: Broker;

  private constructor(parts: SimBrokerParts) {
    this.parts = parts;
    this.world = new World(parts.seed ?? 1);
    this.network = new SimNetwork(this.world);
  }

  static async start(parts: SimBrokerParts = {}): Promise<SimBroker> {
    const sim = new SimBroker(parts);
    await sim.open();
    return sim;
  }

  /** The process is killed and started again on the same disk. */
  async restart(): Promise<void> {
    this.machine.kill();
    this.disk.restart();
    await this.open();
  }

  /** A connection from a machine of its own. */
  client(id = 'test', address = this.address): Promise<WireClient> {
    const network = this.network.of(new Machine(this.world));
    return this.finish(WireClient.connect(network, address, id));
  }

  /** Lets the world go on until the promise has settled; for an hour of it at most. */
  async finish<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    promise.then(settled, settled);
    const end = this.world.time + 3_600_000;
    for (;;) {
      await new Promise(resolve => setImmediate(resolve));
      if (isSettled) return promise;
      if (this.world.time >= end) throw new Error('nothing happened for an hour');
      await this.world.run(this.world.time + STEP_MS);
    }
  }

  async pass(ms: number): Promise<void> {
    await this.world.run(this.world.time + ms);
  }

  private async open(): Promise<void> {
    const { coordination, log, logger = silentLogger, settings = {} } = this.parts;
    this.machine = new Machine(this.world, this.disk);
    const io = this.machine.io(this.network.of, logThreads);
    this.io = io;
    this.log = await this.finish(Log.open(io, { directory: '/data', reserveBytes: 10_000, ...log }));
    this.coordination = new Coordination(
      io,
      this.log,
      { initialRebalanceDelayMs: 100, ...coordination },
      consumerFormats,
    );
    this.broker = new Broker({ io, log: this.log, coordination: this.coordination, logger, settings });
    await this.broker.listen({ address: ADDRESS });
  }
}
