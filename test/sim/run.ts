/** What everybody in a simulated run shares: the world, the names, the checks, and what is broken on purpose. */
import { type Arena, type Io, silentLogger } from '../../src/base/index.ts';
import type { Broker } from '../../src/broker/index.ts';
import { type Cluster, clientSettings, makeCluster, type ProducerSettings } from '../../src/client/index.ts';
import type { Coordination } from '../../src/coordination/index.ts';
import type { Log } from '../../src/log/index.ts';
import type { SimDisk } from '../../src/testing/sim/disk.ts';
import type { SimNetwork } from '../../src/testing/sim/network.ts';
import { Machine, type WallClock, type World } from '../../src/testing/sim/world.ts';
import type { Checks } from './checks.ts';

export const PARTITIONS = 2;
/** What producers write; everything else is made of it. */
export const INPUT = 'in';
/** Written by pipelines of their own machines, and by one in the broker's process. */
export const OUTPUT = 'out';
export const LOCAL = 'local';
export const COLLECTOR = 'collector';
/** Of little size: what is old goes while it is read. */
export const SHORT = 'short';
export const SINKS = [OUTPUT, LOCAL, COLLECTOR] as const;
export const TOPICS = [INPUT, OUTPUT, LOCAL, SHORT] as const;
/** Groups that read the input to its end. */
export const GROUPS = { copy: 'copy', local: 'local-copy', collect: 'collect', readers: 'readers' } as const;
export const ADDRESS = { host: '127.0.0.1', port: 9092 };
export const LOGGER = silentLogger;

export const CLIENT = {
  'bootstrap.servers': `${ADDRESS.host}:${ADDRESS.port}`,
  'socket.timeout.ms': '3000',
  'socket.connection.setup.timeout.ms': '1000',
  'retry.backoff.max.ms': '500',
  'auto.offset.reset': 'earliest',
};

/** `disk` makes the broker's disk, `broker` may tamper with the parts of a broker that has just started. */
export interface Plant {
  disk?(): SimDisk;
  broker?(parts: {
    readonly log: Log;
    readonly coordination: Coordination;
    readonly broker: Broker;
    readonly io: Io;
  }): void;
  producer?: Partial<ProducerSettings>;
  /** May tamper with the arena of each process. */
  arena?(arena: Arena): void;
  /** Whether a collector keeps what it has said it has. */
  isKept?(random: World['random']): boolean;
}

export interface Run {
  readonly world: World;
  readonly network: SimNetwork;
  readonly checks: Checks;
  readonly plant: Plant;
  /** The faults are over: whoever makes work makes no more. */
  isQuiet: boolean;
  /** Everybody is to end. */
  isOver: boolean;
  note(fault: string): void;
}

/** Somebody in a machine of its own, who may be killed and begins anew. */
export abstract class Actor {
  readonly name: string;
  protected readonly run: Run;
  readonly wall: WallClock = { offsetMs: 0 };
  machine!: Machine;
  protected arena!: Arena;
  protected cluster!: Cluster;
  /** Times that it began. */
  protected lives = 0;

  constructor(run: Run, name: string) {
    this.run = run;
    this.name = name;
  }

  start(): void {
    this.lives++;
    this.machine = new Machine(this.run.world, undefined, this.wall);
    this.arena = this.machine.makeArena();
    this.run.plant.arena?.(this.arena);
    const io = this.machine.io(this.run.network.of);
    const settings = clientSettings(io, new Map(Object.entries({ ...CLIENT, 'client.id': this.name })));
    this.cluster = makeCluster(io, settings, this.arena);
    io.clock.after(0, () => this.begin(io));
  }

  /** The process is gone, and there again after a while. */
  again(afterMs: number): void {
    if (this.machine.isDead) return;
    this.machine.kill();
    this.died();
    this.run.world.after(afterMs, () => this.start());
  }

  /** Ends in good order. Everything that it took is given back then. */
  async end(): Promise<void> {
    await this.close();
    await this.cluster.close();
  }

  /** Slabs that are still held. */
  get heldSlabs(): number {
    return this.arena.heldSlabs;
  }

  /** With the faults gone, everything that it was about is done. */
  abstract get isDone(): boolean;
  protected abstract begin(io: Io): void;
  protected abstract close(): Promise<void>;
  protected died(): void {}
}
