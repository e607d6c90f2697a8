/**
 * A simulated network: connections between machines of a world, bytes in order but late and cut anywhere, and faults.
 *
 *   connected ─┬─ end ──────► the other side sees the end behind what was written
 *              ├─ destroy, death of a machine ─► the other side sees a reset, some time later
 *              ├─ cut ──────► both sides see a reset
 *              └─ muted ────► nothing arrives any more, and nobody is told (half-open)
 *
 * Invariants
 * I1 bytes of one direction arrive in order, each once, or not at all from some byte on.
 * I2 `onClose` is called once for each side that was started, last.
 */
import type { Address, Connection, ConnectionHandler, Network } from '../../base/index.ts';
import type { Machine, World } from './world.ts';

const LATENCY_MS = 3;
const CHUNK_BYTES = 3_000;

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
  breakOne(kind: 'cut' | 'mute'): void {
    const all = [...this.links];
    const link = all[this.world.random.below(all.length)];
    if (kind === 'cut') link?.cut();
    else link?.mute();
  }

  private connect(machine: Machine, address: Address, timeoutMs: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const { world } = this;
      world.after(
        world.random.float() * LATENCY_MS,
        () => {
          if (this.isDown) {
            world.after(timeoutMs, () => reject(failure('ETIMEDOUT')), machine);
            return;
          }
          const listener = this.listeners.get(`${address.host}:${address.port}`);
          if (!listener) return reject(failure('ECONNREFUSED'));
          const local = { host: '127.0.0.1', port: this.nextPort++ };
          const link = new Link(world, machine, listener.machine, local, address, () => this.links.delete(link));
          this.links.add(link);
          resolve(link.near);
          listener.onConnection(link.far);
        },
        machine,
      );
    });
  }
}

class Link {
  readonly near: Side;
  readonly far: Side;
  isMuted = false;
  private readonly onGone: () => void;

  constructor(world: World, a: Machine, b: Machine, from: Address, to: Address, onGone: () => void) {
    this.onGone = onGone;
    this.near = new Side(world, this, a, from, to);
    this.far = new Side(world, this, b, to, from);
    this.near.other = this.far;
    this.far.other = this.near;
    a.onDeath(() => this.near.destroy());
    b.onDeath(() => this.far.destroy());
  }

  cut(): void {
    this.near.reset();
    this.far.reset();
  }

  mute(): void {
    this.isMuted = true;
  }

  gone(): void {
    if (this.near.isClosed && this.far.isClosed) this.onGone();
  }
}

class Side implements Connection {
  readonly local: Address;
  readonly remote: Address;
  other!: Side;
  isClosed = false;
  private readonly world: World;
  private readonly link: Link;
  private readonly machine: Machine;
  private handler: ConnectionHandler | undefined;
  /** What has arrived: chunks, then perhaps the end. */
  private readonly inbox: (Uint8Array | 'end')[] = [];
  private isPaused = true;
  private hasEnded = false;
  private lastArrival = 0;

  constructor(world: World, link: Link, machine: Machine, local: Address, remote: Address) {
    this.world = world;
    this.link = link;
    this.machine = machine;
    this.local = local;
    this.remote = remote;
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
    // A reset travels like bytes do; a muted link tells nobody.
    if (!this.link.isMuted) this.other.arrive(() => this.other.reset());
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
    if (this.link.isMuted) return;
    const { other } = this;
    other.arrive(() => {
      if (other.isClosed || this.link.isMuted) return;
      other.inbox.push(item);
      other.drain();
    });
  }

  /** Something that reaches this side, behind all that was sent to it before. */
  private arrive(run: () => void): void {
    const { random, time } = this.world;
    // Most bytes travel fast; some are held up.
    const delay = random.float() < 0.02 ? random.float() * 200 : random.float() * LATENCY_MS;
    this.lastArrival = Math.max(this.lastArrival + 0.001, time + delay);
    this.world.after(this.lastArrival - time, run, this.machine);
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
