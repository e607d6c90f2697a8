/**
 * Clients that cost next to nothing, so that the broker is what is measured: requests whose bytes are made once, answers that
 * are only counted (and checked for errors).
 *
 *   ProduceStream   Produce requests with a fixed number under way; each request holds the same batches
 *   FetchStream     one partition, one Fetch at a time, from the offset behind the last whole batch received
 */
import net from 'node:net';
import tls from 'node:tls';
import { apis, decodeResponse, encodeRequest, Reader } from '../src/wire/index.ts';
import { RecordBatchBuilder } from '../src/wire/records/index.ts';

export interface Target {
  readonly port: number;
  readonly isTls: boolean;
}

const PRODUCE_VERSION = 9;
const FETCH_VERSION = 11;
const READ_BYTES = 1024 * 1024;
/** Of a Fetch answer of version 11 with one partition: from its error code to the records' length, that included. */
const FETCH_TAIL_BYTES = 2 + 8 + 8 + 8 + 4 + 4 + 4;
/** Up to the records, but for the topic's name; the frame's length included. */
const FETCH_HEAD_BYTES = 4 + 4 + 4 + 2 + 4 + 4 + 2 + 4 + 4 + FETCH_TAIL_BYTES;
/** Of a batch: base offset, length, and up to the last offset delta. */
const BATCH_HEAD_BYTES = 27;

/** Connects and reads into one buffer; `onData` must be done with a chunk when it returns. */
export function open({ isTls, port }: Target, onData: (chunk: Buffer) => void): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    if (isTls) {
      const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => resolve(socket));
      socket.on('data', onData);
      socket.once('error', reject);
      return;
    }
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    const callback = (count: number): boolean => {
      onData(buffer.subarray(0, count));
      return true;
    };
    const socket = net.connect({ port, host: '127.0.0.1', onread: { buffer, callback } }, () => resolve(socket));
    socket.setNoDelay(true);
    socket.once('error', reject);
  });
}

/** A batch of records with bytes that no file system can shorten, at most as large as asked for. */
export function makeBatch(recordBytes: number, batchBytes: number, seed = 0): { bytes: Uint8Array; records: number } {
  const builder = new RecordBatchBuilder(batchBytes + 1024);
  const value = Buffer.alloc(recordBytes);
  for (let i = 0; i < recordBytes; i++) value[i] = (Math.imul(i + seed, 2_654_435_761) >>> 13) & 0xff;
  const now = Date.now();
  do builder.append(now, null, value);
  while (builder.sizeBytes + recordBytes + 20 <= batchBytes);
  return { bytes: builder.finish(), records: builder.recordCount };
}

export function produceRequest(topic: string, partitions: readonly number[], batch: Uint8Array): Buffer {
  return Buffer.concat(
    encodeRequest(apis.produce, PRODUCE_VERSION, 0, 'bench', {
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: topic, partitionData: partitions.map(index => ({ index, records: batch })) }],
    }),
  );
}

export class ProduceStream {
  private readonly socket: net.Socket;
  private readonly onAnswer: () => void;
  private readonly onFailure: (error: Error) => void;
  private pending = Buffer.alloc(0);
  underWay = 0;

  private constructor(socket: net.Socket, onAnswer: () => void, onFailure: (error: Error) => void) {
    this.socket = socket;
    this.onAnswer = onAnswer;
    this.onFailure = onFailure;
    socket.on('error', onFailure);
    socket.on('close', () => onFailure(new Error('the broker closed the connection')));
  }

  static async open(target: Target, onAnswer: () => void, onFailure: (error: Error) => void): Promise<ProduceStream> {
    let stream: ProduceStream | undefined;
    const socket = await open(target, chunk => stream!.received(chunk));
    stream = new ProduceStream(socket, onAnswer, onFailure);
    return stream;
  }

  send(request: Buffer): void {
    this.underWay++;
    this.socket.write(request);
  }

  close(): void {
    this.socket.removeAllListeners('close');
    this.socket.destroy();
  }

  private received(chunk: Buffer): void {
    this.pending = Buffer.concat([this.pending, chunk]);
    while (this.pending.length >= 4 && this.pending.length >= 4 + this.pending.readInt32BE(0)) {
      const end = 4 + this.pending.readInt32BE(0);
      const reader = new Reader(this.pending.subarray(4, end));
      reader.int32();
      const answer = decodeResponse(apis.produce, PRODUCE_VERSION, reader);
      for (const { errorCode } of answer.responses[0]!.partitionResponses)
        if (errorCode !== 0) this.onFailure(new Error(`Produce was answered with ${errorCode}`));
      this.pending = this.pending.subarray(end);
      this.underWay--;
      this.onAnswer();
    }
  }
}

export interface FetchWish {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** What whole batches of one answer came to. */
export interface Received {
  readonly bytes: number;
  /** Of the first one, and behind the last one; -1 when there are none. */
  readonly baseOffset: number;
  readonly nextOffset: number;
}

export class FetchStream {
  private readonly request: Buffer;
  private readonly offsetAt: number;
  private readonly headBytes: number;
  private readonly onAnswer: (received: Received) => void;
  private readonly onFailure: (error: Error) => void;
  private socket: net.Socket | undefined;
  /** Bytes of a head that is not whole. */
  private readonly head = Buffer.alloc(FETCH_HEAD_BYTES + 256);
  private filled = 0;
  private isInRecords = false;
  /** Of the records of the answer, and of the batch that is being skipped. */
  private recordsLeft = 0;
  private skip = 0;
  private bytes = 0;
  private baseOffset = -1;
  offset: number;

  constructor(wish: FetchWish, onAnswer: (received: Received) => void, onFailure: (error: Error) => void) {
    this.offset = wish.offset;
    this.onAnswer = onAnswer;
    this.onFailure = onFailure;
    this.headBytes = FETCH_HEAD_BYTES + Buffer.byteLength(wish.topic);
    const marker = 0x1234_5678_9abc;
    this.request = Buffer.concat(
      encodeRequest(apis.fetch, FETCH_VERSION, 0, 'bench', {
        maxWaitMs: 500,
        minBytes: 1,
        maxBytes: 50 * 1024 * 1024,
        sessionId: 0,
        sessionEpoch: -1,
        topics: [
          {
            topic: wish.topic,
            partitions: [{ partition: wish.partition, fetchOffset: marker, partitionMaxBytes: 1024 * 1024 }],
          },
        ],
      } as never),
    );
    const pattern = Buffer.alloc(8);
    pattern.writeBigInt64BE(BigInt(marker));
    this.offsetAt = this.request.indexOf(pattern);
  }

  async connect(target: Target): Promise<void> {
    this.socket = await open(target, chunk => this.received(chunk));
    this.socket.on('error', this.onFailure);
    this.socket.on('close', () => this.onFailure(new Error('the broker closed the connection')));
  }

  /** Asks from `offset` on. */
  ask(): void {
    this.request.writeBigInt64BE(BigInt(this.offset), this.offsetAt);
    // The kernel may keep a reference to what it could not take at once.
    this.socket!.write(Buffer.from(this.request));
  }

  close(): void {
    this.socket?.removeAllListeners('close');
    this.socket?.destroy();
  }

  private received(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.skip > 0) {
        const count = Math.min(this.skip, chunk.length - at);
        this.skip -= count;
        at += count;
        if (this.skip === 0 && this.recordsLeft === 0) this.answered();
        continue;
      }
      const wanted = this.isInRecords ? Math.min(BATCH_HEAD_BYTES, this.recordsLeft) : this.headBytes;
      const count = Math.min(wanted - this.filled, chunk.length - at);
      chunk.copy(this.head, this.filled, at, at + count);
      this.filled += count;
      at += count;
      if (this.filled < wanted) return;
      this.filled = 0;
      if (this.isInRecords) this.beginBatch(wanted);
      else this.beginRecords();
    }
  }

  private beginRecords(): void {
    const { head, headBytes } = this;
    const code = head.readInt16BE(headBytes - FETCH_TAIL_BYTES);
    if (code !== 0) this.onFailure(new Error(`Fetch was answered with ${code}`));
    this.recordsLeft = Math.max(0, head.readInt32BE(headBytes - 4));
    this.bytes = 0;
    this.baseOffset = -1;
    this.isInRecords = true;
    if (this.recordsLeft === 0) this.answered();
  }

  private beginBatch(headBytes: number): void {
    const { head } = this;
    const size = headBytes < BATCH_HEAD_BYTES ? Number.POSITIVE_INFINITY : 12 + head.readInt32BE(8);
    if (size <= this.recordsLeft) {
      const baseOffset = Number(head.readBigInt64BE(0));
      if (this.baseOffset < 0) this.baseOffset = baseOffset;
      this.offset = baseOffset + head.readInt32BE(23) + 1;
      this.bytes += size;
    }
    // A batch that is cut off is nobody's.
    const whole = Math.min(size, this.recordsLeft);
    this.recordsLeft -= whole;
    this.skip = whole - headBytes;
    if (this.skip === 0 && this.recordsLeft === 0) this.answered();
  }

  private answered(): void {
    this.isInRecords = false;
    const { baseOffset, bytes } = this;
    this.onAnswer({ bytes, baseOffset, nextOffset: baseOffset < 0 ? -1 : this.offset });
  }
}
