/**
 * The real process behind the I/O seam: Node's files, sockets, clock, threads and randomness.
 *
 * Sockets begin paused. With `into`, bytes are read straight into the caller's view (a slab of the arena): the accepted
 * handle is wrapped in a socket with `onread`, which spares the copy out of a chunk of Node's own. That handle is an
 * internal of Node, so it is probed when a connection is accepted; without it, and under TLS, chunks are copied into
 * the view.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import tls from 'node:tls';
import { Worker } from 'node:worker_threads';
import { httpRequest } from './http-request.ts';
import { listen } from './listen.ts';
import { NodeConnection } from './node-connection.ts';
import { tlsSettings } from './tls-settings.ts';
import type {
  ConnectOptions,
  Address,
  Clock,
  File,
  FileStat,
  FileSystem,
  Io,
  Network,
  Random,
  Thread,
  Threads,
  ThreadSettings,
  Timer,
  TlsOptions,
} from './types.ts';

class NodeClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  after(ms: number, callback: () => void, options?: { background?: boolean }): Timer {
    const timer = setTimeout(callback, ms);
    if (options?.background) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  }
}

class NodeRandom implements Random {
  float(): number {
    return Math.random();
  }

  bytes(length: number): Uint8Array {
    return randomBytes(length);
  }
}

class NodeFile implements File {
  private readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    return fs.readSync(this.fd, target, offset, length, position);
  }

  write(pieces: readonly Uint8Array[], position: number): void {
    let rest = pieces.filter(piece => piece.length > 0);
    let at = position;
    while (rest.length > 0) {
      // The kernel takes at most 1,024 pieces a call.
      const written = fs.writevSync(this.fd, rest.slice(0, 1_024), at);
      at += written;
      rest = dropBytes(rest, written);
    }
  }

  sync(): void {
    fs.fdatasyncSync(this.fd);
  }

  truncate(size: number): void {
    fs.ftruncateSync(this.fd, size);
  }

  size(): number {
    return fs.fstatSync(this.fd).size;
  }

  close(): void {
    fs.closeSync(this.fd);
  }
}

/** The pieces without their first `count` bytes. */
function dropBytes(pieces: readonly Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  let first = 0;
  while (first < pieces.length && left >= pieces[first]!.length) left -= pieces[first++]!.length;
  const rest = pieces.slice(first);
  if (left > 0) rest[0] = rest[0]!.subarray(left);
  return rest;
}

const OPEN_FLAGS = { read: 'r', write: 'r+', create: 'wx+' } as const;

class NodeFiles implements FileSystem {
  open(path: string, mode: 'read' | 'write' | 'create'): File {
    return new NodeFile(fs.openSync(path, OPEN_FLAGS[mode]));
  }

  readFile(path: string): Uint8Array {
    return fs.readFileSync(path);
  }

  exists(path: string): boolean {
    return fs.existsSync(path);
  }

  list(path: string): string[] {
    return fs.readdirSync(path);
  }

  stat(path: string): FileStat {
    const stat = fs.statSync(path);
    return { size: stat.size, mtimeMs: stat.mtimeMs, isDirectory: stat.isDirectory() };
  }

  /** With its parents. Not by `recursive`, which tries for ever where the system refuses a directory with ENOENT (`/proc`). */
  makeDirectory(path: string): void {
    if (fs.existsSync(path)) return;
    const parent = dirname(path);
    if (parent !== path) this.makeDirectory(parent);
    fs.mkdirSync(path);
    // The new name is durable when its parent is synced.
    this.syncDirectory(parent);
  }

  rename(from: string, to: string): void {
    fs.renameSync(from, to);
  }

  remove(path: string): void {
    fs.rmSync(path, { recursive: true });
  }

  syncDirectory(path: string): void {
    const fd = fs.openSync(path, 'r');
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  freeBytes(path: string): number {
    const { bavail, bsize } = fs.statfsSync(path);
    return bavail * bsize;
  }
}

class NodeNetwork implements Network {
  async connect(address: Address, options: ConnectOptions): Promise<NodeConnection> {
    const target = { ...address, ...(options.family && { family: options.family }) };
    const socket = options.tls
      ? tls.connect({ ...target, ...tlsSettings(options.tls), ...serverName(address, options.tls) })
      : net.connect(target);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        socket.destroy();
        reject(
          Object.assign(new Error(`no connection to ${address.host}:${address.port} in ${options.timeoutMs} ms`), {
            code: 'ETIMEDOUT',
          }),
        );
      }, options.timeoutMs);
      const settle = (run: () => void) => (): void => {
        clearTimeout(timer);
        socket.removeListener('error', reject);
        run();
      };
      socket.once(options.tls ? 'secureConnect' : 'connect', settle(resolve));
      socket.once('error', error => settle(() => reject(error))());
    });
    socket.setNoDelay(true);
    if (options.keepsAlive !== false) socket.setKeepAlive(true, 60_000);
    return new NodeConnection(socket);
  }

  readonly listen = listen;
  readonly request = httpRequest;
}

function serverName(address: Address, options: TlsOptions): { servername?: string } {
  // Names go into the handshake, addresses must not.
  const name = options.serverName ?? address.host;
  return net.isIP(name) ? {} : { servername: name };
}

class NodeThread implements Thread {
  private readonly worker: Worker;
  private isStopping = false;
  private failure: Error | undefined;

  constructor(worker: Worker) {
    this.worker = worker;
    worker.on('error', error => {
      this.failure = error as Error;
    });
  }

  post(message: unknown, transfer: readonly ArrayBuffer[] = []): void {
    this.worker.postMessage(message, transfer);
  }

  onMessage(handler: (message: unknown) => void): void {
    this.worker.on('message', handler);
  }

  onExit(handler: (error: Error | undefined) => void): void {
    this.worker.on('exit', code => {
      const isFailure = !this.isStopping && code !== 0;
      handler(this.failure ?? (isFailure ? new Error(`thread ended with code ${code}`) : undefined));
    });
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    await this.worker.terminate();
  }
}

class NodeThreads implements Threads {
  readonly cores = availableParallelism();

  start(module: URL, data: unknown, name: string, { youngHeapMb }: ThreadSettings = {}): Thread {
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const bootstrap = new URL(`./thread-bootstrap${extension}`, import.meta.url);
    const target = module.href.replace(/\.[tj]s$/, extension);
    const limits = youngHeapMb === undefined ? {} : { resourceLimits: { maxYoungGenerationSizeMb: youngHeapMb } };
    return new NodeThread(new Worker(bootstrap, { name, workerData: { module: target, data }, ...limits }));
  }
}

export function nodeIo(): Io {
  return {
    clock: new NodeClock(),
    random: new NodeRandom(),
    files: new NodeFiles(),
    network: new NodeNetwork(),
    threads: new NodeThreads(),
  };
}
