/**
 * One connection to a broker: requests pipelined, answers matched by order and correlation id, versions negotiated once.
 *
 * Invariants
 * I1 every request settles once: by its answer, its deadline, or the end of the connection.
 * I2 an answer that does not belong to the oldest open request ends the connection.
 * I3 a deadline that passes ends the connection: what is behind it on the wire cannot be told from a late answer.
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
import { type Api, apis, decodeResponse, encodeRequest, errorCode, Reader } from '../wire/index.ts';
import { clientErrors } from './errors.ts';

export interface ConnectionSettings {
  readonly clientId: string;
  readonly tls: TlsOptions | undefined;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Where large answers are read to; private memory without it. */
  readonly arena?: Arena;
  /** Proves who we are on a fresh connection; mechanisms plug in here. */
  readonly authenticate?: (connection: BrokerConnection) => Promise<void>;
}

export interface RequestOptions {
  /** Highest version to use. */
  readonly cap?: number;
  readonly timeoutMs?: number;
  /** The broker does not answer it. */
  readonly isSilent?: boolean;
  /** Takes over the memory that the answer's bytes lie in; undefined: the garbage collector's. */
  readonly keep?: (owner: Slab | undefined) => void;
}

interface Open {
  readonly correlationId: number;
  readonly apiName: string;
  settle(reader: Reader, owner: Slab | undefined): void;
  fail(error: Error): void;
  readonly deadline: Timer;
}

const FRAME_BYTES_MAX = 512 * 1024 * 1024;

export class BrokerConnection {
  readonly address: Address;
  private readonly io: Io;
  private readonly settings: ConnectionSettings;
  private readonly connection: Connection;
  private readonly open: Open[] = [];
  private readonly versions = new Map<number, { readonly min: number; readonly max: number }>();
  private readonly receiver: FrameReceiver;
  private nextCorrelationId = 1;
  private failure: Error | undefined;
  /** Called once when the connection has ended. */
  onClose: () => void = () => undefined;

  private constructor(io: Io, address: Address, settings: ConnectionSettings, connection: Connection) {
    this.io = io;
    this.address = address;
    this.settings = settings;
    this.connection = connection;
    this.receiver = new FrameReceiver({
      frameBytesMax: FRAME_BYTES_MAX,
      room: bytes => settings.arena?.room(bytes) ?? privateRoom(bytes),
      onFrame: (frame, owner) => this.answer(frame, owner),
      onBadLength: bytes =>
        this.fail(clientErrors.connectionLost({ broker: this.name, reason: `an answer of ${bytes} bytes` })),
    });
    connection.start({
      into: () => this.receiver.into(),
      onData: chunk => this.receiver.received(chunk),
      onEnd: () => this.fail(clientErrors.connectionLost({ broker: this.name, reason: 'the broker closed it' })),
      onClose: error => {
        this.fail(
          clientErrors.connectionLost({ broker: this.name, reason: error ? messageOf(error) : 'closed' }, error),
        );
      },
    });
  }

  static async connect(io: Io, address: Address, settings: ConnectionSettings): Promise<BrokerConnection> {
    const socket = await io.network.connect(address, {
      ...(settings.tls && { tls: settings.tls }),
      timeoutMs: settings.connectTimeoutMs,
    });
    const connection = new BrokerConnection(io, address, settings, socket);
    try {
      await connection.negotiate();
      await settings.authenticate?.(connection);
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
    return this.failure === undefined;
  }

  get inFlight(): number {
    return this.open.length;
  }

  /** Highest version that both sides speak, at most `cap`. */
  versionFor(
    api: { readonly key: number; readonly name: string; readonly minVersion: number; readonly maxVersion: number },
    cap = api.maxVersion,
  ): number {
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
    const version = this.versionFor(api, options.cap);
    return this.send(
      api,
      version,
      typeof message === 'function' ? (message as (version: number) => QI)(version) : message,
      options,
    );
  }

  close(): void {
    this.fail(clientErrors.closed());
    this.connection.end();
  }

  private send<Q, QI, S, SI>(
    api: Api<Q, QI, S, SI>,
    version: number,
    message: QI,
    options: RequestOptions,
  ): Promise<S> {
    if (this.failure) return Promise.reject(this.failure);
    const correlationId = this.nextCorrelationId;
    this.nextCorrelationId = correlationId === 0x7fff_ffff ? 1 : correlationId + 1;
    const pieces = encodeRequest(api, version, correlationId, this.settings.clientId, message);
    if (options.isSilent) {
      this.connection.write(pieces);
      return Promise.resolve(undefined as S);
    }
    return new Promise<S>((resolve, reject) => {
      const timeoutMs = options.timeoutMs ?? this.settings.requestTimeoutMs;
      const late = (): void =>
        this.fail(clientErrors.requestTimeout({ api: api.name, broker: this.name, ms: timeoutMs }));
      this.open.push({
        correlationId,
        apiName: api.name,
        settle: (reader, owner) => {
          try {
            const answer = decodeResponse(api, version, reader);
            if (options.keep) options.keep(owner);
            else owner?.release();
            resolve(answer);
          } catch (error) {
            owner?.release();
            reject(error as Error);
          }
        },
        fail: reject,
        deadline: this.io.clock.after(timeoutMs, late, { background: true }),
      });
      this.connection.write(pieces);
    });
  }

  private async negotiate(): Promise<void> {
    const body = { clientSoftwareName: 'millrace', clientSoftwareVersion: '0.1' };
    let answer = await this.send(apis.apiVersions, 3, body, {}).catch((error: unknown) => {
      // A broker that does not know version 3 answers in the layout of version 0, which does not parse as 3.
      if (!this.isOpen) throw error;
      return undefined;
    });
    if (!answer || answer.errorCode === errorCode('UNSUPPORTED_VERSION'))
      answer = await this.send(apis.apiVersions, 0, body, {});
    for (const { apiKey, maxVersion, minVersion } of answer.apiKeys)
      this.versions.set(apiKey, { min: minVersion, max: maxVersion });
  }

  private answer(frame: Uint8Array, owner: Slab | undefined): void {
    const reader = new Reader(frame);
    const correlationId = reader.int32();
    const request = this.open.shift();
    if (request?.correlationId !== correlationId) {
      request?.deadline.cancel();
      request?.fail(clientErrors.connectionLost({ broker: this.name, reason: 'an answer to another request' }));
      this.fail(clientErrors.connectionLost({ broker: this.name, reason: 'an answer to another request' }));
      owner?.release();
      return;
    }
    request.deadline.cancel();
    request.settle(reader, owner);
  }

  private fail(error: Error): void {
    if (this.failure) return;
    this.failure = error;
    for (const request of this.open.splice(0)) {
      request.deadline.cancel();
      request.fail(error);
    }
    this.receiver.close();
    this.connection.destroy();
    this.onClose();
  }
}
