/**
 * One connection to a broker: requests pipelined, answers matched by order and correlation id, versions negotiated once.
 *
 * Invariants
 * I1 every request settles once: by its answer, its deadline, or the end of the connection.
 * I2 an answer that does not belong to the oldest open request ends the connection.
 * I3 a deadline that passes ends the connection: what is behind it on the wire cannot be told from a late answer.
 */
import { type Address, type Connection, type Io, messageOf, type Timer, type TlsOptions } from '../base/index.ts';
import { type Api, apis, decodeResponse, encodeRequest, errorCode, Reader } from '../wire/index.ts';
import { clientErrors } from './errors.ts';

export interface ConnectionSettings {
  readonly clientId: string;
  readonly tls: TlsOptions | undefined;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Proves who we are on a fresh connection; mechanisms plug in here. */
  readonly authenticate?: (connection: BrokerConnection) => Promise<void>;
}

interface Open {
  readonly correlationId: number;
  readonly apiName: string;
  settle(reader: Reader): void;
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
  private chunks: Uint8Array[] = [];
  private received = 0;
  private nextCorrelationId = 1;
  private failure: Error | undefined;
  /** Called once when the connection has ended. */
  onClose: () => void = () => undefined;

  private constructor(io: Io, address: Address, settings: ConnectionSettings, connection: Connection) {
    this.io = io;
    this.address = address;
    this.settings = settings;
    this.connection = connection;
    connection.start({
      onData: chunk => this.data(chunk),
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

  /** Sends a request; `message` may depend on the version that was chosen. */
  request<Q, QI, S, SI>(
    api: Api<Q, QI, S, SI>,
    message: QI | ((version: number) => QI),
    options: { readonly cap?: number; readonly timeoutMs?: number; readonly isSilent?: boolean } = {},
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
    options: { readonly timeoutMs?: number; readonly isSilent?: boolean },
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
        settle: reader => {
          try {
            resolve(decodeResponse(api, version, reader));
          } catch (error) {
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

  private data(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.received += chunk.length;
    for (;;) {
      if (this.received < 4) return;
      const size = this.peekSize();
      if (size < 4 || size > FRAME_BYTES_MAX) {
        this.fail(clientErrors.connectionLost({ broker: this.name, reason: `an answer of ${size} bytes` }));
        this.connection.destroy();
        return;
      }
      if (this.received < 4 + size) return;
      this.answer(this.take(4 + size).subarray(4));
    }
  }

  private peekSize(): number {
    if (this.chunks[0]!.length < 4) this.chunks = [Buffer.concat(this.chunks)];
    const first = this.chunks[0]!;
    return new DataView(first.buffer, first.byteOffset, 4).getInt32(0);
  }

  /** The first `length` bytes in one piece; copied only when they came in several chunks. */
  private take(length: number): Uint8Array {
    if (this.chunks[0]!.length < length) this.chunks = [Buffer.concat(this.chunks)];
    const first = this.chunks[0]!;
    this.received -= length;
    if (first.length === length) this.chunks.shift();
    else this.chunks[0] = first.subarray(length);
    return first.subarray(0, length);
  }

  private answer(frame: Uint8Array): void {
    const reader = new Reader(frame);
    const correlationId = reader.int32();
    const request = this.open.shift();
    if (request?.correlationId !== correlationId) {
      request?.deadline.cancel();
      request?.fail(clientErrors.connectionLost({ broker: this.name, reason: 'an answer to another request' }));
      this.fail(clientErrors.connectionLost({ broker: this.name, reason: 'an answer to another request' }));
      this.connection.destroy();
      return;
    }
    request.deadline.cancel();
    request.settle(reader);
  }

  private fail(error: Error): void {
    if (this.failure) return;
    this.failure = error;
    for (const request of this.open.splice(0)) {
      request.deadline.cancel();
      request.fail(error);
    }
    this.connection.destroy();
    this.onClose();
  }
}
