/**
 * One client connection: frames in, answers out in the order of the requests.
 *
 *   bytes ─► frame buffer ─► requests ─► handlers ─► answers, in order ─► socket
 *
 * A request starts when it has arrived; requests of one connection may overlap (a long Fetch does not keep a Produce behind
 * it from being written), but their answers leave in order. Produce requests reserve their offsets when they start, so
 * their order is the connection's.
 *
 * Invariants
 * I1 answers leave in request order, each once; acks=0 has none.
 * I2 a frame is bounded by `requestBytesMax`; memory for it is taken as its bytes arrive.
 * I3 reading stops while the log is busy or too many answers wait, and goes on by itself.
 */
import { type Connection, messageOf, MillraceError, type Timer } from '../base/index.ts';
import { type AnyApi, decodeRequestHeader, encodeResponse, Reader } from '../wire/index.ts';
import { brokerErrors } from './errors.ts';
import {
  type BrokerServices,
  CLOSE,
  type ClientInfo,
  type FrameOwner,
  type Handler,
  NO_RESPONSE,
  type RequestContext,
} from './handler.ts';
import { sniff } from './sniff.ts';

const PENDING_ANSWERS_MAX = 256;
/** First room for a frame that arrives in parts. */
const GATHER_BYTES = 262_144;
const API_VERSIONS_KEY = 18;
const UNSUPPORTED_VERSION = 35;

type Answer = readonly Uint8Array[] | undefined;

interface Slot {
  answer: Answer;
  isReady: boolean;
}

export class ClientConnection {
  private readonly services: BrokerServices;
  private readonly connection: Connection;
  private readonly client: ClientInfo;
  private readonly namespace = '';
  private buffer: Uint8Array = new Uint8Array(0);
  private filled = 0;
  private isFirst = true;
  private isClosed = false;
  private isPaused = false;
  private readonly slots: Slot[] = [];
  private readonly closers = new Set<() => void>();
  private idle: Timer | undefined;
  private readonly onGone: (connection: ClientConnection) => void;

  constructor(services: BrokerServices, connection: Connection, onGone: (connection: ClientConnection) => void) {
    this.services = services;
    this.connection = connection;
    this.onGone = onGone;
    this.client = { id: '', address: `${connection.remote.host}:${connection.remote.port}`, software: '' };
    this.touch();
    connection.start({
      onData: chunk => this.received(chunk),
      onDrain: () => this.resume(),
      onEnd: () => this.ended(),
      onClose: () => this.closed(),
    });
  }

  /** FIN; what is being answered still goes out. */
  close(): void {
    if (this.slots.length === 0) this.connection.end();
    else this.closers.add(() => undefined);
    if (this.slots.length > 0) this.services.io.clock.after(1_000, () => this.connection.end(), { background: true });
  }

  private received(chunk: Uint8Array): void {
    if (this.isClosed) return;
    this.touch();
    if (this.isFirst && !this.acceptFirst(chunk)) return;
    // Whole frames are taken from the chunk as it is; only a frame that is cut is gathered.
    let bytes = chunk;
    if (this.filled > 0) {
      bytes = this.gather(chunk);
      if (bytes.length === 0) return;
    }
    let at = 0;
    while (!this.isClosed && bytes.length - at >= 4) {
      const size = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getInt32(0);
      if (size < 0 || size > this.services.settings.requestBytesMax) {
        this.refuse(brokerErrors.frameTooLarge({ size, limit: this.services.settings.requestBytesMax }));
        return;
      }
      if (bytes.length - at - 4 < size) break;
      this.request(bytes.subarray(at + 4, at + 4 + size));
      at += 4 + size;
    }
    if (at < bytes.length) this.keep(bytes.subarray(at));
    this.maybePause();
  }

  /** Adds to the cut frame; returns the frame and what follows when it is whole, else nothing. */
  private gather(chunk: Uint8Array): Uint8Array {
    const needed = this.filled >= 4 ? 4 + new DataView(this.buffer.buffer, this.buffer.byteOffset, 4).getInt32(0) : 4;
    this.reserve(this.filled + chunk.length, needed);
    this.buffer.set(chunk, this.filled);
    this.filled += chunk.length;
    if (this.filled < needed) return new Uint8Array(0);
    const bytes = this.buffer.subarray(0, this.filled);
    this.buffer = new Uint8Array(0);
    this.filled = 0;
    return bytes;
  }

  private keep(rest: Uint8Array): void {
    const size = rest.length >= 4 ? 4 + new DataView(rest.buffer, rest.byteOffset, 4).getInt32(0) : rest.length;
    this.buffer = new Uint8Array(0);
    this.reserve(rest.length, size);
    this.buffer.set(rest);
    this.filled = rest.length;
  }

  /**
   * Grows towards the announced size, but never far beyond what has arrived: a lying length costs nothing. The memory is
   * shared, so that the commit thread writes record batches from where they were gathered.
   */
  private reserve(length: number, announced: number): void {
    if (length <= this.buffer.length) return;
    const bytes = Math.max(length, Math.min(announced, Math.max(GATHER_BYTES, length * 4)));
    const grown = new Uint8Array(new SharedArrayBuffer(bytes));
    grown.set(this.buffer.subarray(0, this.filled));
    this.buffer = grown;
  }

  private acceptFirst(chunk: Uint8Array): boolean {
    const found = sniff(chunk);
    if (!found) {
      this.isFirst = chunk.length < 4;
      return true;
    }
    if (found.reply) this.connection.write([Buffer.from(found.reply)]);
    this.refuse(found.error);
    return false;
  }

  private request(frame: Uint8Array): void {
    const reader = new Reader(frame);
    let handler: Handler | undefined;
    try {
      const header = decodeRequestHeader(reader, key => this.services.handlers.get(key)?.api.flexibleSince);
      handler = this.services.handlers.get(header.apiKey);
      if (header.clientId !== null) (this.client as { id: string }).id = header.clientId;
      if (!handler) {
        this.refuse(brokerErrors.unknownApi({ key: header.apiKey }));
        return;
      }
      this.services.counters.requests++;
      if (header.apiVersion < handler.min || header.apiVersion > handler.max) {
        this.wrongVersion(handler, header.apiVersion, header.correlationId);
        return;
      }
      const { api } = handler;
      const message = api.decodeRequest(reader, header.apiVersion);
      reader.expectEnd();
      this.run(handler, header.apiVersion, header.correlationId, message, ownerOf(frame));
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      this.refuse(brokerErrors.malformed({ api: handler?.api.name ?? 'unknown', reason: error.message }, error));
    }
  }

  /** ApiVersions answers in its first layout, so that the client can read the range; everything else ends. */
  private wrongVersion(handler: Handler, version: number, correlationId: number): void {
    const { api, max, min } = handler;
    if (api.key !== API_VERSIONS_KEY) {
      this.refuse(brokerErrors.unsupportedVersion({ api: api.name, version, min, max }));
      return;
    }
    const slot = this.openSlot();
    const apiKeys = [{ apiKey: API_VERSIONS_KEY, minVersion: min, maxVersion: max }];
    const body = { errorCode: UNSUPPORTED_VERSION, apiKeys } as never;
    this.settle(slot, encodeResponse(api as AnyApi, 0, correlationId, body));
  }

  private run(
    handler: Handler,
    version: number,
    correlationId: number,
    message: never,
    frame: FrameOwner | undefined,
  ): void {
    const slot = this.openSlot();
    const context: RequestContext = {
      ...this.services,
      namespace: this.namespace,
      client: this.client,
      host: this.connection.local.host,
      port: this.connection.local.port,
      version,
      frame,
      onClose: callback => {
        this.closers.add(callback);
        return () => this.closers.delete(callback);
      },
    };
    const answer = (response: unknown): void => {
      if (response === CLOSE) this.connection.end();
      const isSilent = response === NO_RESPONSE || response === CLOSE;
      this.settle(slot, isSilent ? undefined : encodeResponse(handler.api, version, correlationId, response as never));
    };
    const failed = (error: unknown): void => {
      this.services.logger.error(`${handler.api.name} failed: ${messageOf(error)}`, {
        stack: error instanceof Error ? error.stack : undefined,
      });
      this.refuse(brokerErrors.handlerFailed({ api: handler.api.name, reason: messageOf(error) }, error));
    };
    try {
      const result = handler.handle(context, message);
      if (result instanceof Promise) result.then(answer).catch(failed);
      else answer(result);
    } catch (error) {
      failed(error);
    }
  }

  private openSlot(): Slot {
    const slot: Slot = { answer: undefined, isReady: false };
    this.slots.push(slot);
    return slot;
  }

  private settle(slot: Slot, answer: Answer): void {
    slot.answer = answer;
    slot.isReady = true;
    const ready: Uint8Array[] = [];
    while (this.slots[0]?.isReady) ready.push(...(this.slots.shift()!.answer ?? []));
    if (ready.length > 0 && !this.isClosed && !this.connection.write(ready)) this.pause();
    this.resume();
  }

  private maybePause(): void {
    const { log } = this.services;
    if (log.isBusy) {
      this.pause();
      log.whenWritable(() => this.resume());
    } else if (this.slots.length > PENDING_ANSWERS_MAX) this.pause();
  }

  private pause(): void {
    if (this.isPaused || this.isClosed) return;
    this.isPaused = true;
    this.connection.pause();
  }

  private resume(): void {
    if (!this.isPaused || this.isClosed || this.slots.length > PENDING_ANSWERS_MAX || this.services.log.isBusy) return;
    this.isPaused = false;
    this.connection.resume();
  }

  private refuse(error: MillraceError): void {
    const who = [this.client.id, this.client.software, this.client.address].filter(part => part !== '').join(' ');
    this.services.refusals.add(who, error);
    this.isClosed = true;
    this.connection.end();
  }

  private ended(): void {
    // The client sends no more; what it asked for is still answered.
    if (this.slots.length === 0) this.connection.end();
    else this.services.io.clock.after(30_000, () => this.connection.destroy(), { background: true });
  }

  private closed(): void {
    this.isClosed = true;
    this.idle?.cancel();
    for (const callback of this.closers) callback();
    this.closers.clear();
    this.onGone(this);
  }

  private touch(): void {
    this.idle?.cancel();
    const check = (): void => {
      if (this.slots.length > 0) this.touch();
      else this.connection.end();
    };
    this.idle = this.services.io.clock.after(this.services.settings.idleMs, check, { background: true });
  }
}

/** Frames are views of chunks that the garbage collector owns; a slab of the arena would be counted here. */
function ownerOf(_frame: Uint8Array): FrameOwner | undefined {
  return undefined;
}
