/**
 * A simulated network: connections between machines of a world, bytes in order but late and cut anywhere, and faults.
 *
 *   connecting ─┬─ arrives ─► connected
 *               ├─ late ────► the other side sees a connection that nobody waits for any more
 *               └─ lost ────► a time-out; sometimes the other side holds a connection that never speaks
 *
 *   connected ─┬─ end ──────► the other side sees the end behind what was written
 *              ├─ destroy, death of a machine ─► the other side sees a reset, some time later; or nothing, when its host
 *              │             has lost power
 *              ├─ cut ──────► both sides see a reset
 *              ├─ stall ────► what travels is held up, and arrives later: meanwhile a new connection may overtake it
 *              ├─ mute ─────► nothing arrives any more, and nobody is told (half-open)
 *              └─ deafen ───► the same in one direction
 *
 * Invariants
 * I1 bytes of one direction arrive in order, each once, or not at all from some byte on.
 * I2 `onClose` is called once for each side that was started, last.
 */
import type { Address, Connection, ConnectionHandler, Network } from '../../base/index.ts';
import type { Machine, World } from './world.ts';

const LATENCY_MS = 3;
const CHUNK_BYTES = 3_000;
/** Of connections, while `isLossy`. */
const LATE_SHARE = 0.1;
const LOST_SHARE = 0.1;

/** Longer than a client waits for an answer. */
const STALL_MS = 6_000;

export type LinkFault = 'cut' | 'mute' | 'deafen' | 'stall';

interface Listening {
  readonly machine: Machine;
  readonly onConnection: (connection: Connection) => void;
}

export class SimNetwork {
  private readonly world: World;
  private readonly listeners = new Map<string, Listening>();
  private readonly links = new Set<Link>();
  private nextPort = 40_000;
  /** While it is set, no connection can be made. */
  isDown = false;
  /** Some connections come late, others never. */
  isLossy = false;
  /** Called when bytes arrive whose sender has given the connection up. */
  onLate: () => void = () => undefined;

  constructor(world: World) {
    this.world = world;
  }

  readonly of = (machine: Machine): Network => ({
    connect: (address, { timeoutMs }) => this.connect(machine, address, timeoutMs),
    listen: (address, options) => {
      const port = address.port === 0 ? this.nextPort++ : address.port;
      const key = `${address.host}:${port}`;
      if (this.listeners.has(key)) return Promise.reject(failure('EADDRINUSE'));
      this.listeners.set(key, { machine, onConnection: options.onConnection });
      const close = (): Promise<void> => {
        this.listeners.delete(key);
        return Promise.resolve();
      };
      machine.onDeath(() => void close());
      // The world has no TLS.
      return Promise.resolve({ address: { host: address.host, port }, close, setTls: () => undefined });
    },
    // Nobody in the world speaks HTTP.
    request: () => Promise.reject(failure('ECONNREFUSED')),
  });

  /** Nobody listens there any more; open connections stay. */
  close(address: Address): void {
    this.listeners.delete(`${address.host}:${address.port}`);
  }

  get openLinks(): number {
    return this.links.size;
  }

  /** A fault on some open connection: both sides see it, or neither. */
  breakOne(kind: LinkFault): void {
    const all = [...this.links];
    all[this.world.random.below(all.length)]?.fault(kind);
  }

  /** Everything that travels is held up, or nothing of what is open gets through any more. */
  breakAll(kind: LinkFault): void {
    for (const link of this.links) link.fault(kind);
  }

  /** The host of a machine has lost power: those on the other side of its connections are not told. */
  silence(machine: Machine): void {
    for (const link of this.links) if (link.isOf(machine)) link.fault('mute');
  }

  private connect(machine: Machine, address: Address, timeoutMs: number): Promise<Connection> {
    const { world } = this;
    const luck = this.isLossy ? world.random.float() : 1;
    const isLost = this.isDown || luck < LOST_SHARE;
    const isLate = luck < LOST_SHARE + LATE_SHARE;
    const delayMs = isLate ? world.random.float() * 2 * timeoutMs : world.random.float() * LATENCY_MS;
    return new Promise((resolve, reject) => {
      let hasGivenUp = false;
      const timer = world.after(
        timeoutMs,
        () => {
          hasGivenUp = true;
          reject(failure('ETIMEDOUT'));
        },
        machine,
      );
      // The first packet may have arrived and its answer been lost.
      if (isLost && (this.isDown || world.random.float() < 0.5)) return;
      world.after(delayMs, () => {
        const listener = this.listeners.get(`${address.host}:${address.port}`);
        if (!listener) {
          timer.cancel();
          if (!machine.isDead) world.after(0, () => reject(failure('ECONNREFUSED')), machine);
          return;
        }
        const link = this.open(machine, listener.machine, address);
        world.after(0, () => listener.onConnection(link.far), listener.machine);
        // The answer is lost: the other side alone knows of it.
        if (isLost) link.fault('mute');
        if (isLost || machine.isDead || hasGivenUp) link.near.destroy();
        else {
          const arrived = (): void => {
            timer.cancel();
            // Both may have come while the machine was stopped.
            if (hasGivenUp) link.near.destroy();
            else resolve(link.near);
          };
          world.after(0, arrived, machine);
        }
      });
    });
  }

  private open(from: Machine, to: Machine, address: Address): Link {
    const local = { host: '127.0.0.1', port: this.nextPort++ };
    const link = new Link(this.world, from, to, local, address, {
      onGone: () => this.links.delete(link),
      onLate: () => this.onLate(),
    });
    this.links.add(link);
    return link;
  }
}

class Link {
  readonly near: Side;
  readonly far: Side;
  private readonly random: World['random'];
  readonly events: { onGone(): void; onLate(): void };

  constructor(world: World, a: Machine, b: Machine, from: Address, to: Address, events: Link['events']) {
    this.random = world.random;
    this.events = events;
    this.near = new Side(world, this, a, from, to);
    this.far = new Side(world, this, b, to, from);
    this.near.other = this.far;
    this.far.other = this.near;
    a.onDeath(() => this.near.destroy());
    b.onDeath(() => this.far.destroy());
  }

  isOf(machine: Machine): boolean {
    return this.near.isOf(machine) || this.far.isOf(machine);
  }

  fault(kind: LinkFault): void {
    const { far, near, random } = this;
    switch (kind) {
      case 'cut':
        near.reset();
        far.reset();
        return;
      case 'mute':
        near.isMuted = true;
        far.isMuted = true;
        return;
      case 'deafen':
        (random.float() < 0.5 ? near : far).isMuted = true;
        return;
      case 'stall': {
        const ms = random.float() * STALL_MS;
        if (random.float() < 0.7) near.stall(ms);
        if (random.float() < 0.7) far.stall(ms);
      }
    }
  }

  gone(): void {
    if (this.near.isClosed && this.far.isClosed) this.events.onGone();
  }
}

class Side implements Connection {
  readonly local: Address;
  readonly remote: Address;
  other!: Side;
  isClosed = false;
  /** Nothing reaches this side any more. */
  isMuted = false;
  private readonly world: World;
  private readonly link: Link;
  private readonly machine: Machine;
  private handler: ConnectionHandler | undefined;
  /** What has arrived: chunks, then perhaps the end. */
  private readonly inbox: (Uint8Array | 'end')[] = [];
  private isPaused = true;
  private hasEnded = false;
  private lastArrival = 0;
  private stalledUntil = 0;
  /** On its way to this side. */
  private readonly travelling: (() => void)[] = [];

  constructor(world: World, link: Link, machine: Machine, local: Address, remote: Address) {
    this.world = world;
    this.link = link;
    this.machine = machine;
    this.local = local;
    this.remote = remote;
  }

  isOf(machine: Machine): boolean {
    return this.machine === machine;
  }

  /** What travels to this side, and what will, does not arrive before that time is over. */
  stall(ms: number): void {
    const until = this.world.time + ms;
    this.lastArrival = Math.max(this.lastArrival, until);
    this.stalledUntil = Math.max(this.stalledUntil, until);
  }

  start(handler: ConnectionHandler): void {
    this.handler = handler;
    this.isPaused = false;
    if (this.isClosed) this.later(() => handler.onClose(failure('ECONNRESET')));
    else this.later(() => this.drain());
  }

  write(pieces: readonly Uint8Array[], onFlushed?: () => void): boolean {
    if (!this.isClosed && !this.hasEnded) {
      const bytes = Buffer.concat(pieces);
      for (let at = 0; at < bytes.length; ) {
        const end = Math.min(bytes.length, at + 1 + this.world.random.below(CHUNK_BYTES));
        this.send(bytes.subarray(at, end));
        at = end;
      }
    }
    if (onFlushed) this.later(onFlushed);
    return true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.later(() => this.drain());
  }

  end(): void {
    if (this.isClosed || this.hasEnded) return;
    this.hasEnded = true;
    this.send('end');
    this.later(() => this.close());
  }

  destroy(): void {
    if (this.isClosed) return;
    this.later(() => this.close());
    this.isClosed = true;
    // A reset travels like bytes do.
    this.other.arrive(() => this.other.reset());
    this.link.gone();
  }

  /** The connection is lost. */
  reset(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.later(() => this.handler?.onClose(failure('ECONNRESET')));
    this.link.gone();
  }

  private close(): void {
    this.isClosed = true;
    this.handler?.onClose();
    this.handler = undefined;
    this.link.gone();
  }

  private send(item: Uint8Array | 'end'): void {
    const { other } = this;
    other.arrive(() => {
      if (other.isClosed) return;
      if (this.isClosed) this.link.events.onLate();
      other.inbox.push(item);
      other.drain();
    });
  }

  /** Something that reaches this side, behind all that was sent to it before. */
  private arrive(run: () => void): void {
    if (this.isMuted) return;
    const { random, time } = this.world;
    // Most bytes travel fast; some are held up.
    const delay = random.float() < 0.02 ? random.float() * 200 : random.float() * LATENCY_MS;
    this.lastArrival = Math.max(this.lastArrival + 0.001, time + delay);
    this.travelling.push(run);
    this.world.after(this.lastArrival - time, () => this.deliver(), this.machine);
  }

  private deliver(): void {
    const { stalledUntil, world } = this;
    if (stalledUntil > world.time) {
      // All that travels waits, in its order.
      world.after(stalledUntil - world.time + 0.001, () => this.deliver(), this.machine);
      return;
    }
    const run = this.travelling.shift()!;
    if (!this.isMuted) run();
  }

  private drain(): void {
    while (!this.isPaused && !this.isClosed && this.inbox.length > 0) {
      const item = this.inbox.shift()!;
      if (item === 'end') this.handler?.onEnd?.();
      else this.handler?.onData(item);
    }
  }

  private later(run: () => void): void {
    this.world.after(0, run, this.machine);
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}
