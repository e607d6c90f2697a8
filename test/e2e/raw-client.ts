/**
 * A client without a codec: requests are put together and answers taken apart field by field, as a layout reads, so that
 * nothing of `wire` stands between a test and the bytes. For clients that never negotiate.
 */
import net from 'node:net';

export const i8 = (value: number): Buffer => Buffer.from([value & 0xff]);

export function i16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

export function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function i64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

export const str = (text: string | null): Buffer =>
  text === null ? i16(-1) : Buffer.concat([i16(Buffer.byteLength(text)), Buffer.from(text)]);

export const bytes = (value: Uint8Array | null): Buffer =>
  value === null ? i32(-1) : Buffer.concat([i32(value.length), Buffer.from(value)]);

export const array = (...items: readonly Buffer[]): Buffer => Buffer.concat([i32(items.length), ...items]);

export const struct = (...fields: readonly Buffer[]): Buffer => Buffer.concat([...fields]);

/** Fields of an answer, one after the other. */
export class Fields {
  private readonly buffer: Buffer;
  private position = 0;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }

  i8 = (): number => this.buffer.readInt8(this.move(1));
  i16 = (): number => this.buffer.readInt16BE(this.move(2));
  i32 = (): number => this.buffer.readInt32BE(this.move(4));
  i64 = (): number => Number(this.buffer.readBigInt64BE(this.move(8)));

  str = (): string | null => {
    const length = this.i16();
    return length < 0 ? null : this.take(length).toString();
  };

  bytes = (): Buffer | null => {
    const length = this.i32();
    return length < 0 ? null : this.take(length);
  };

  array<T>(item: () => T): T[] {
    return Array.from({ length: this.i32() }, item);
  }

  /** Throws when anything is left: another layout than expected. */
  end(): void {
    if (this.position !== this.buffer.length) throw new Error(`${this.buffer.length - this.position} bytes left over`);
  }

  private take(length: number): Buffer {
    const at = this.move(length);
    return this.buffer.subarray(at, at + length);
  }

  private move(length: number): number {
    const at = this.position;
    this.position += length;
    if (this.position > this.buffer.length) throw new Error(`${this.position - this.buffer.length} bytes are missing`);
    return at;
  }
}

/** One connection with at most one request under way, as old clients are. */
export class RawClient {
  private readonly socket: net.Socket;
  private received: Buffer = Buffer.alloc(0);
  private correlationId = 0;
  private onChange: () => void = () => undefined;
  private isClosed = false;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', chunk => {
      this.received = Buffer.concat([this.received, chunk as Buffer]);
      this.onChange();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
      this.onChange();
    });
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = net.connect(port, '127.0.0.1');
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawClient(socket);
  }

  /** Sends a request with header version 1 and takes its answer apart. */
  async ask<T>(key: number, version: number, body: Buffer, read: (fields: Fields) => T): Promise<T> {
    const correlationId = this.send(key, version, body);
    const fields = new Fields(await this.frame());
    const got = fields.i32();
    if (got !== correlationId) throw new Error(`the answer to ${got} came for ${correlationId}`);
    const value = read(fields);
    fields.end();
    return value;
  }

  /** Without waiting for an answer; returns the correlation id. */
  send(key: number, version: number, body: Buffer): number {
    const id = ++this.correlationId;
    const request = Buffer.concat([i16(key), i16(version), i32(id), str('old'), body]);
    this.socket.write(Buffer.concat([i32(request.length), request]));
    return id;
  }

  /** The next answer, correlation id included. */
  async frame(): Promise<Buffer> {
    await this.until(() => this.received.length >= 4 && this.received.length >= 4 + this.received.readInt32BE(0));
    const end = 4 + this.received.readInt32BE(0);
    const frame = this.received.subarray(4, end);
    this.received = this.received.subarray(end);
    return frame;
  }

  /** Resolves when the server has ended the connection. */
  async closed(): Promise<void> {
    await this.until(() => this.isClosed, true);
  }

  close(): void {
    this.socket.destroy();
  }

  private until(isDone: () => boolean, mayClose = false): Promise<void> {
    return new Promise((resolve, reject) => {
      this.onChange = () => {
        if (isDone()) resolve();
        else if (this.isClosed && !mayClose) reject(new Error('the server closed the connection'));
      };
      this.onChange();
    });
  }
}
