/**
 * One connection to a broker: versions negotiated, ourselves proved, then requests pipelined and answers matched by order
 * and correlation id.
 *
 *   negotiating ─► proving ─► ready ◄─► renewing (the proof is near its end)
 *        └────────────┴─────────┴───────────┴─────► closed
 *
 * Invariants
 * I1 every request settles once: by its answer, its deadline, or the end of the connection.
 * I2 an answer that does not belong to the oldest open request, or that cannot be read, ends the connection.
 * I3 a deadline that passes ends the connection: what is behind it on the wire cannot be told from a late answer. A request's
 *    time runs from when everything before it was answered: a broker works them off one by one, and one that may wait long
 *    (JoinGroup, Fetch) is no fault of those behind it.
 * I4 while a proof is renewed only its own requests are sent; those under way are answered, the others wait (KIP-368). The
 *    same holds while the broker has asked for a pause (KIP-219). What waited goes first, in its order.
 */
import {
  type Address,
  type Arena,
  type Connection,
  FrameReceiver,
  type Io,
  messageOf,
  privateRoom,
  type Slab,
  type Timer,
  type TlsOptions,
} from '../base/index.ts';
import { type Api, apis, decodeResponse, encodeRequest, errorCode, errorName, Reader } from '../wire/index.ts';
import { clientErrors, isOf } from './errors.ts';
import { connectFailure, lengthFailure } from './transport-errors.ts';

/**
 * Proves who we are on a fresh connection, and again on the same one before what was proved expires; mechanisms plug in
 * here. Resolves with the milliseconds for which the proof holds, 0 for ever; rejects when the broker refuses, which ends
 * the connection with that error. All of it must be over within the request time-out.
 */
export type Authenticate = (exchange: AuthenticationExchange) => Promise<number>;

/** What a mechanism sees of the connection: requests that go past those that wait for the proof. */
export interface AuthenticationExchange {
  readonly broker: Address;
  /** Whether broker and client have a version of the API in common. */
  speaks(api: ApiRange): boolean;
  request<Q, QI, S, SI>(api: Api<Q, QI, S, SI>, message: QI, options?: { readonly cap?: number }): Promise<S>;
  /** A message of a mechanism without a header, for brokers from before SaslAuthenticate; resolves with the broker's. */
  token(bytes: Uint8Array): Promise<Uint8Array>;
}

export interface ConnectionSettings {
  readonly clientId: string;
  readonly tls: TlsOptions | undefined;
  /** For the socket, TLS and the first answer together. */
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Of brokers' names only addresses of this family are used. */
  readonly addressFamily?: 4 | 6;
  /** Whether idle connections are probed; they are unless it is false. */
  readonly keepsAlive?: boolean;
  /** Largest answer that is taken. */
  readonly answerBytesMax: number;
  /** Where large answers are read to; private memory without it. */
  readonly arena?: Arena;
  readonly authenticate?: Authenticate;
}

export interface RequestOptions {
  /** Highest version to use. */
  readonly cap?: number;
  readonly timeoutMs?: number;
  /** The broker does not answer it: the promise resolves when the bytes are no longer used. */
  readonly isSilent?: boolean;
  /** Takes over the memory that the answer's bytes lie in; undefined: the garbage collector's. */
  readonly keep?: (owner: Slab | undefined) => void;
}

type ApiRange = Pick<Api<never, never, never, never>, 'key' | 'name' | 'minVersion' | 'maxVersion'>;

type State = 'negotiating' | 'proving' | 'ready' | 'renewing' | 'closed';
type Event = 'negotiated' | 'proof due' | 'proved' | 'failed';

const NEXT: Readonly<Record<State, Readonly<Record<Event, State>>>> = {
  negotiating: { negotiated: 'proving', 'proof due': 'closed', proved: 'closed', failed: 'closed' },
  proving: { negotiated: 'closed', 'proof due': 'closed', proved: 'ready', failed: 'closed' },
  ready: { negotiated: 'closed', 'proof due': 'renewing', proved: 'closed', failed: 'closed' },
  renewing: { negotiated: 'closed', 'proof due': 'closed', proved: 'ready', failed: 'closed' },
  closed: { negotiated: 'closed', 'proof due': 'closed', proved: 'closed', failed: 'closed' },
};

interface Open {
  readonly correlationId: number;
  readonly apiName: string;
  readonly timeoutMs: number;
  settle(reader: Reader, owner: Slab | undefined): void;
  /** In place of `settle`, for an answer without a header. */
  settleToken?(frame: Uint8Array): void;
  fail(error: Error): void;
}

interface Held {
  send(): void;
  fail(error: Error): void;
}

interface SendOptions extends RequestOptions {
  readonly isPastHold?: boolean;
}

/** No broker means a longer pause. */
const THROTTLE_MS_MAX = 300_000;
const SOFTWARE = { clientSoftwareName: 'millrace', clientSoftwareVersion: '0.1' };
/** What is asked first; version 4 says nothing more to us. */
const API_VERSIONS_VERSION = 3;
const TOO_HIGH = errorCode('UNSUPPORTED_VERSION');
const CORRELATION_BYTES = 4;
/** Elements of arrays in one answer: the metadata of some 500,000 partitions. */
const ANSWER_ELEMENTS_MAX = 4_000_000;

export class BrokerConnection {
  readonly address: Address;
  private readonly io: Io;
  private readonly settings: ConnectionSettings;
  private readonly connection: Connection;
  private state: State = 'negotiating';
  private readonly open: Open[] = [];
  private readonly versions = new Map<number, { readonly min: number; readonly max: number }>();
  private readonly receiver: FrameReceiver;
  private nextCorrelationId: number;
  private failure: Error | undefined;
  /** Of the oldest open request. */
  private deadline: Timer | undefined;
  private readonly held: Held[] = [];
  private holds = 0;
  private throttle: Timer | undefined;
  private expiry: Timer | undefined;
  /** Called once when the connection has ended. */
  onClose: () => void = () => undefined;

  private constructor(
    io: Io,
    address: Address,
    settings: ConnectionSettings,
    connection: Connection,
    firstCorrelationId: number,
  ) {
    this.io = io;
    this.address = address;
    this.settings = settings;
    this.connection = connection;
    this.nextCorrelationId = firstCorrelationId;
    this.receiver = new FrameReceiver({
      frameBytesMax: settings.answerBytesMax,
      room: bytes => settings.arena?.room(bytes) ?? privateRoom(bytes),
      onFrame: (frame, owner) => this.answer(frame, owner),
      onBadLength: bytes => this.fail(lengthFailure(this.name, bytes, settings.answerBytesMax)),
    });
    connection.start({
      into: () => this.receiver.into(),
      onData: chunk => this.receiver.received(chunk),
      onEnd: () => this.lost('the broker closed it'),
      onClose: error => {
        const failure = connectFailure(this.name, error);
        if (isOf(failure, clientErrors.connectionLost)) this.lost(String(failure.details['reason']), error);
        else this.fail(failure);
      },
    });
  }

  /**
   * A connection that is ready for requests. A broker that ends it when asked for its versions is asked once more in the
   * oldest form, on a fresh one: some gateways close on versions that they do not know. `firstCorrelationId`: for tests.
   */
  static async connect(
    io: Io,
    address: Address,
    settings: ConnectionSettings,
    firstCorrelationId = 1,
  ): Promise<BrokerConnection> {
    try {
      return await BrokerConnection.establish(io, address, settings, API_VERSIONS_VERSION, firstCorrelationId);
    } catch (error) {
      if (!isOf(error, clientErrors.noVersions)) throw error;
      return BrokerConnection.establish(io, address, settings, 0, firstCorrelationId);
    }
  }

  private static async establish(
    io: Io,
    address: Address,
    settings: ConnectionSettings,
    versionsVersion: number,
    firstCorrelationId: number,
  ): Promise<BrokerConnection> {
    const { addressFamily: family, connectTimeoutMs: timeoutMs, keepsAlive, tls } = settings;
    const options = { ...(tls && { tls }), ...(family && { family }), ...(keepsAlive === false && { keepsAlive }) };
    const started = io.clock.monotonic();
    let socket: Connection;
    try {
      socket = await io.network.connect(address, { ...options, timeoutMs });
    } catch (error) {
      throw connectFailure(`${address.host}:${address.port}`, error);
    }
    const connection = new BrokerConnection(io, address, settings, socket, firstCorrelationId);
    try {
      await connection.negotiate(versionsVersion, Math.max(1, timeoutMs - Math.round(io.clock.monotonic() - started)));
      connection.move('negotiated');
      await connection.prove();
      // It may have ended behind its last answer.
      if (connection.failure) throw connection.failure;
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }

  get name(): string {
    return `${this.address.host}:${this.address.port}`;
  }

  get isOpen(): boolean {
    return this.state !== 'closed';
  }

  speaks(api: ApiRange): boolean {
    const range = this.versions.get(api.key);
    return range !== undefined && range.min <= api.maxVersion && range.max >= api.minVersion;
  }

  /** Highest version that both sides speak, at most `cap`. */
  versionFor(api: ApiRange, cap = api.maxVersion): number {
    const range = this.versions.get(api.key);
    const version = Math.min(range?.max ?? -1, api.maxVersion, cap);
    if (!range || version < Math.max(range.min, api.minVersion)) {
      throw clientErrors.unsupportedApi({ broker: this.name, api: api.name, min: api.minVersion, max: api.maxVersion });
    }
    return version;
  }

  /**
   * Sends a request; `message` may depend on the version that was chosen. Bytes in the answer are views of the frame that
   * it came in: over an arena they are gone when the promise has settled, unless `keep` takes the frame's owner over.
   */
  request<Q, QI, S, SI>(
    api: Api<Q, QI, S, SI>,
    message: QI | ((version: number) => QI),
    options: RequestOptions = {},
  ): Promise<S> {
    return this.ask(api, message, options);
  }

  close(): void {
    this.fail(clientErrors.closed());
  }

  private move(event: Event): void {
    this.state = NEXT[this.state][event];
  }

  private ask<Q, QI, S, SI>(
    api: Api<Q, QI, S, SI>,
    message: QI | ((version: number) => QI),
    options: SendOptions,
  ): Promise<S> {
    if (this.holds > 0 && !options.isPastHold) {
      return new Promise((resolve, reject) => {
        this.held.push({ send: () => resolve(this.ask(api, message, options)), fail: reject });
      });
    }
    let version: number;
    try {
      version = this.versionFor(api, options.cap);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    const body = typeof message === 'function' ? (message as (version: number) => QI)(version) : message;
    return this.send(api, version, body, options, reader => decodeResponse(api, version, reader));
  }

  private send<Q, QI, S, SI, R>(
    api: Api<Q, QI, S, SI>,
    version: number,
    message: QI,
    options: RequestOptions,
    decode: (reader: Reader) => R,
  ): Promise<R> {
    if (this.failure) return Promise.reject(this.failure);
    const correlationId = this.nextCorrelationId;
    this.nextCorrelationId = correlationId === 0x7fff_ffff ? 0 : correlationId + 1;
    const pieces = encodeRequest(api, version, correlationId, this.settings.clientId, message);
    const timeoutMs = options.timeoutMs ?? this.settings.requestTimeoutMs;
    return new Promise<R>((resolve, reject) => {
      if (options.isSilent) {
        const timer = this.io.clock.after(timeoutMs, () => this.late(api.name, timeoutMs), { background: true });
        this.connection.write(pieces, () => {
          timer.cancel();
          if (this.failure) reject(this.failure);
          else resolve(undefined as R);
        });
        return;
      }
      this.open.push({
        correlationId,
        apiName: api.name,
        timeoutMs,
        settle: (reader, owner) => {
          try {
            const answer = decode(reader);
            this.pauseFor((answer as { readonly throttleTimeMs?: number }).throttleTimeMs ?? 0);
            if (options.keep) options.keep(owner);
            else owner?.release();
            resolve(answer);
          } catch (error) {
            owner?.release();
            const reason = `an answer to ${api.name} that cannot be read: ${messageOf(error)}`;
            const failure = clientErrors.badAnswer({ broker: this.name, reason }, error);
            reject(failure);
            this.fail(failure);
          }
        },
        fail: reject,
      });
      if (this.open.length === 1) this.armDeadline();
      this.connection.write(pieces);
    });
  }

  private async negotiate(firstVersion: number, timeoutMs: number): Promise<void> {
    const api = apis.apiVersions;
    let version = firstVersion;
    for (let attempt = 0; ; attempt++) {
      const asked = version;
      const { apiKeys, errorCode: code } = await this.send(api, asked, SOFTWARE, { timeoutMs }, reader => {
        const isTooHigh = reader.int16() === TOO_HIGH;
        reader.position -= 2;
        return decodeResponse(api, isTooHigh ? 0 : asked, reader);
      });
      for (const { apiKey, maxVersion, minVersion } of apiKeys)
        this.versions.set(apiKey, { min: minVersion, max: maxVersion });
      if (code === 0) return;
      if (code !== TOO_HIGH || attempt > 0) {
        throw clientErrors.brokerError({ api: api.name, what: `to ${this.name}`, error: errorName(code) });
      }
      // It says which versions it speaks (KIP-511), or is so old that it does not.
      version = Math.min(this.versions.get(api.key)?.max ?? 0, asked);
    }
  }

  private async prove(): Promise<void> {
    const lifetimeMs = (await this.settings.authenticate?.(this.exchange())) ?? 0;
    this.move('proved');
    if (lifetimeMs <= 0 || this.failure) return;
    // Brokers end connections whose proof has expired; several of a process do not renew at the same moment.
    const afterMs = lifetimeMs * (0.75 + 0.15 * this.io.random.float());
    this.expiry = this.io.clock.after(afterMs, () => void this.renew(), { background: true });
  }

  private async renew(): Promise<void> {
    this.move('proof due');
    this.hold();
    const { requestTimeoutMs } = this.settings;
    const late = this.io.clock.after(requestTimeoutMs, () => this.late('re-authentication', requestTimeoutMs), {
      background: true,
    });
    try {
      await this.prove();
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(messageOf(error)));
    } finally {
      late.cancel();
      this.release();
    }
  }

  private exchange(): AuthenticationExchange {
    return {
      broker: this.address,
      speaks: api => this.speaks(api),
      request: (api, message, options) => this.ask(api, message, { ...options, isPastHold: true }),
      token: bytes => this.token(bytes),
    };
  }

  private token(bytes: Uint8Array): Promise<Uint8Array> {
    if (this.failure) return Promise.reject(this.failure);
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes.length);
    return new Promise<Uint8Array>((resolve, reject) => {
      this.open.push({
        correlationId: 0,
        apiName: 'a SASL token',
        timeoutMs: this.settings.requestTimeoutMs,
        settle: () => undefined,
        // A copy: the frame may be a slab that is used again.
        settleToken: frame => resolve(Uint8Array.from(frame)),
        fail: reject,
      });
      if (this.open.length === 1) this.armDeadline();
      this.connection.write([length, bytes]);
    });
  }

  private pauseFor(ms: number): void {
    if (!(ms > 0) || this.throttle) return;
    this.hold();
    this.throttle = this.io.clock.after(
      Math.min(ms, THROTTLE_MS_MAX),
      () => {
        this.throttle = undefined;
        this.release();
      },
      { background: true },
    );
  }

  private hold(): void {
    this.holds++;
  }

  private release(): void {
    if (--this.holds === 0) for (const { send } of this.held.splice(0)) send();
  }

  private answer(frame: Uint8Array, owner: Slab | undefined): void {
    const reader = new Reader(frame, ANSWER_ELEMENTS_MAX);
    const request = this.open[0];
    if (request?.settleToken) {
      this.open.shift();
      this.armDeadline();
      request.settleToken(frame);
      owner?.release();
      return;
    }
    if (frame.length < CORRELATION_BYTES || request?.correlationId !== reader.int32()) {
      owner?.release();
      this.fail(clientErrors.badAnswer({ broker: this.name, reason: 'an answer to nothing that was asked' }));
      return;
    }
    this.open.shift();
    this.armDeadline();
    request.settle(reader, owner);
  }

  /** For the request that is now the oldest. */
  private armDeadline(): void {
    this.deadline?.cancel();
    this.deadline = undefined;
    const oldest = this.open[0];
    if (!oldest) return;
    const { apiName, timeoutMs } = oldest;
    this.deadline = this.io.clock.after(timeoutMs, () => this.late(apiName, timeoutMs), { background: true });
  }

  private late(api: string, ms: number): void {
    this.fail(clientErrors.requestTimeout({ api, broker: this.name, ms }));
  }

  private lost(reason: string, cause?: unknown): void {
    const make = this.state === 'negotiating' ? clientErrors.noVersions : clientErrors.connectionLost;
    this.fail(make({ broker: this.name, reason }, cause));
  }

  private fail(error: Error): void {
    if (this.failure) return;
    this.failure = error;
    this.move('failed');
    for (const timer of [this.deadline, this.throttle, this.expiry]) timer?.cancel();
    this.receiver.close();
    this.connection.destroy();
    for (const request of this.open.splice(0)) request.fail(error);
    for (const request of this.held.splice(0)) request.fail(error);
    this.onClose();
  }
}
