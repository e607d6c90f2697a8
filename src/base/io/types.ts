/**
 * The I/O seam: everything by which time, disk, network, threads and chance come into the process.
 *
 * `base/io/node.ts` is the real one; `testing/sim` has the simulated one, which runs a whole cluster in one thread
 * under a seed. No other folder names `node:fs`, `node:net`, timers, `Date.now` or `Math.random` (the tidy test).
 *
 * Files are synchronous on purpose: the commit thread and the workers call them where blocking is right, and the main
 * thread reads page-cached pieces of at most 1 MiB. Waiting for the disk is a property of the thread, not of the call.
 */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall time in milliseconds since 1970. */
  now(): number;
  /** Monotonic time in milliseconds with fractions; only differences mean anything. */
  monotonic(): number;
  /** Calls `callback` once after `ms`. `background` timers do not keep the process alive. */
  after(ms: number, callback: () => void, options?: { background?: boolean }): Timer;
}

export interface Random {
  /** Uniform in [0, 1). */
  float(): number;
  /** Cryptographically strong in the real process, seeded in the simulation. */
  bytes(length: number): Uint8Array;
}

export interface FileStat {
  readonly size: number;
  readonly mtimeMs: number;
  readonly isDirectory: boolean;
}

/** An open file. Offsets and lengths are bytes. Errors are Node's (`code`: ENOSPC, EIO, ENOENT …). */
export interface File {
  /** Reads up to `length` bytes at `position` into `target` at `offset`; returns the bytes read, 0 at the end. */
  read(target: Uint8Array, offset: number, length: number, position: number): number;
  /** Writes all pieces at `position`; either every byte is written or it throws. */
  write(pieces: readonly Uint8Array[], position: number): void;
  /** Makes written bytes (and the size) durable. */
  sync(): void;
  truncate(size: number): void;
  size(): number;
  close(): void;
}

export interface FileSystem {
  /** `read`: must exist. `write`: read and write, must exist. `create`: read and write, must not exist. */
  open(path: string, mode: 'read' | 'write' | 'create'): File;
  readFile(path: string): Uint8Array;
  exists(path: string): boolean;
  list(path: string): string[];
  stat(path: string): FileStat;
  /** With the directories above it; durable when it returns. */
  makeDirectory(path: string): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Makes creations, renames and removals in the directory durable. */
  syncDirectory(path: string): void;
  /** Free bytes of the volume that holds `path`. */
  freeBytes(path: string): number;
}

export interface TlsOptions {
  readonly ca?: string | Uint8Array;
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  readonly passphrase?: string;
  readonly serverName?: string;
  /** Certificate and key in one file (PKCS#12); `passphrase` opens it. */
  readonly pfx?: Uint8Array;
  /** False accepts any certificate of the peer. Default true. */
  readonly verify?: boolean;
  /** False takes a good certificate for another host. Default true. */
  readonly verifyHost?: boolean;
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
}

export interface ServerTlsOptions extends Omit<TlsOptions, 'serverName' | 'verify' | 'verifyHost'> {
  /** Whether clients show a certificate; one that is shown must be good under `ca`. */
  readonly clientAuth?: 'none' | 'optional' | 'required';
}

/** What the handshake of an accepted TLS connection told. */
export interface TlsPeer {
  /** The name that the client wanted to reach (SNI). */
  readonly serverName: string | undefined;
  /** The client's certificate, verified, as DER. */
  readonly certificate: Uint8Array | undefined;
}

/** A connection that did not get through a TLS listener's handshake. */
export interface TlsRefusal {
  readonly remote: Address;
  /** The first bytes when they were not TLS. */
  readonly first?: Uint8Array;
  /** Why the handshake failed. */
  readonly reason?: string;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Bytes of one connection. A connection starts paused: nothing is read before `start`.
 *
 * With `into`, bytes are read straight into the view that `into()` returns (a piece of the arena) and `onData` gets
 * how many arrived; `into` returning undefined pauses reading until `resume`. Without it `onData` gets a fresh chunk.
 */
export interface Connection {
  readonly remote: Address;
  readonly local: Address;
  /** Set on connections that a TLS listener accepted. */
  readonly tlsPeer?: TlsPeer;
  start(handler: ConnectionHandler): void;
  /** False when the peer is slower than we are: wait for `onDrain`. `onFlushed` runs when the bytes are no longer used. */
  write(pieces: readonly Uint8Array[], onFlushed?: () => void): boolean;
  pause(): void;
  resume(): void;
  /** Sends what was written, then FIN. */
  end(): void;
  /** Drops everything at once. */
  destroy(): void;
}

export interface ConnectionHandler {
  into?(): Uint8Array | undefined;
  /** `chunk` without `into`; with `into` the filled part of the view it gave. */
  onData(chunk: Uint8Array): void;
  onDrain?(): void;
  /** The peer sent FIN. */
  onEnd?(): void;
  /** Called once, last. */
  onClose(error?: Error): void;
}

export interface Listener {
  readonly address: Address;
  /** For connections to come; those that are open keep what they began with. Throws when the options do not fit. */
  setTls(tls: ServerTlsOptions): void;
  /** Stops accepting; open connections stay. */
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly tls?: ServerTlsOptions;
  onConnection(connection: Connection): void;
  /** May give bytes for who spoke something else than TLS, before the connection ends. */
  onTlsRefusal?(refusal: TlsRefusal): Uint8Array | undefined;
}

export interface HttpRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly tls?: TlsOptions;
  readonly timeoutMs: number;
  /** A longer answer is an error. */
  readonly bytesMax: number;
}

export interface HttpResponse {
  readonly status: number;
  readonly body: Uint8Array;
}

export interface ConnectOptions {
  readonly tls?: TlsOptions;
  readonly timeoutMs: number;
  /** Of a name only addresses of this family. */
  readonly family?: 4 | 6;
  /** False: the kernel does not probe an idle connection. Default true, after a minute. */
  readonly keepsAlive?: boolean;
}

export interface Network {
  connect(address: Address, options: ConnectOptions): Promise<Connection>;
  listen(address: Address, options: ListenOptions): Promise<Listener>;
  /** One small exchange with an HTTP server: keys, tokens. Redirects are answers like any other. */
  request(request: HttpRequest): Promise<HttpResponse>;
}

/** A message channel to a thread. `post` copies by structured clone; shared memory is shared. */
export interface Port {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  onMessage(handler: (message: unknown) => void): void;
}

export interface Thread extends Port {
  onExit(handler: (error: Error | undefined) => void): void;
  stop(): Promise<void>;
}

/**
 * Code that may run in its own thread: a module that exports `main(io, port, data)`.
 * The simulation and unit tests run it in the caller's thread with the same ports: placement is configuration.
 */
export type ThreadMain = (io: Io, port: Port, data: unknown) => void | Promise<void>;

export interface ThreadSettings {
  /** Room for young objects; a thread that makes few keeps 10 MB less resident with 2. */
  readonly youngHeapMb?: number;
}

export interface Threads {
  /** Threads that can run at the same time. */
  readonly cores: number;
  /** `module` is `import.meta.url`-relative, without extension handling: pass `new URL('./x.ts', import.meta.url)`. */
  start(module: URL, data: unknown, name: string, settings?: ThreadSettings): Thread;
}

export interface Io {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: FileSystem;
  readonly network: Network;
  readonly threads: Threads;
}
