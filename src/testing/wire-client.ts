/**
 * A client that says what a test wants to say: requests of any version, or bytes, over any network of the seam. Answers
 * come in the order of the requests; `ended` resolves when the broker closes the connection.
 */
import { type Address, type Connection, FrameReceiver, type Network, privateRoom } from '../base/index.ts';
import { type Api, decodeResponse, encodeRequest, Reader } from '../wire/index.ts';

const FRAME_BYTES_MAX = 200_000_000;

interface Waiting {
  readonly correlationId: number;
  readonly decode: (reader: Reader) => void;
  readonly fail: (error: Error) => void;
}

export class WireClient {
  readonly ended: Promise<void>;
  isEnded = false;
  /** Answers to what was sent as bytes. */
  readonly strays: Uint8Array[] = [];
  private readonly connection: Connection;
  private readonly clientId: string;
  private readonly waiting: Waiting[] = [];
  private lastCorrelationId = 0;

  private constructor(connection: Connection, clientId: string) {
    this.connection = connection;
    this.clientId = clientId;
    const receiver = new FrameReceiver({
      frameBytesMax: FRAME_BYTES_MAX,
      room: bytes => privateRoom(bytes),
      onFrame: frame => this.answered(frame),
      onBadLength: size => {
        throw new Error(`an answer of ${size} bytes`);
      },
    });
    this.ended = new Promise(resolve => {
      const end = (): void => {
        this.isEnded = true;
        for (const { fail } of this.waiting.splice(0)) fail(new Error('the connection was closed'));
        resolve();
      };
      connection.start({
        onData: chunk => receiver.received(chunk),
        onEnd: () => {
          end();
          connection.end();
        },
        onClose: end,
      });
    });
  }

  static async connect(network: Network, address: Address, clientId = 'test'): Promise<WireClient> {
    return WireClient.over(await network.connect(address, { timeoutMs: 5_000 }), clientId);
  }

  static over(connection: Connection, clientId = 'test'): WireClient {
    return new WireClient(connection, clientId);
  }

  /** Sends a request and resolves with its answer. */
  ask<Q, QI, S, SI>(api: Api<Q, QI, S, SI>, version: number, message: QI): Promise<S> {
    return new Promise<S>((resolve, reject) => {
      if (this.isEnded) reject(new Error('the connection was closed'));
      const correlationId = this.send(api, version, message);
      const decode = (reader: Reader): void => resolve(decodeResponse(api, version, reader));
      this.waiting.push({ correlationId, decode, fail: reject });
    });
  }

  /** Sends a request that has no answer. */
  send<Q, QI, S, SI>(api: Api<Q, QI, S, SI>, version: number, message: QI): number {
    const correlationId = ++this.lastCorrelationId;
    this.connection.write(encodeRequest(api, version, correlationId, this.clientId, message));
    return correlationId;
  }

  /** Whatever is answered to them is in `strays`. */
  sendBytes(bytes: Uint8Array): void {
    this.connection.write([bytes]);
  }

  pause(): void {
    this.connection.pause();
  }

  resume(): void {
    this.connection.resume();
  }

  /** FIN: nothing more is sent, answers still arrive. */
  end(): void {
    this.connection.end();
  }

  destroy(): void {
    this.connection.destroy();
  }

  private answered(frame: Uint8Array): void {
    const reader = new Reader(frame);
    const correlationId = reader.int32();
    const first = this.waiting.shift();
    if (!first) {
      this.strays.push(frame);
      return;
    }
    if (first.correlationId !== correlationId) throw new Error(`an answer to ${correlationId} out of order`);
    try {
      first.decode(reader);
    } catch (error) {
      first.fail(error as Error);
    }
  }
}
