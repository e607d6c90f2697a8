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
import {
  type Connection,
  FrameReceiver,
  messageOf,
  MillraceError,
  privateRoom,
  type Slab,
  type Timer,
} from '../base/index.ts';
import { type AnyApi, decodeRequestHeader, encodeResponse, Reader } from '../wire/index.ts';
import { brokerErrors } from './errors.ts';
import {
  type BrokerServices,
  CLOSE,
  type ClientInfo,
  type Handler,
  NO_RESPONSE,
  type RequestContext,
} from './handler.ts';
import { sniff } from './sniff.ts';

const PENDING_ANSWERS_MAX = 256;
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
  private readonly receiver: FrameReceiver;
  private isFirst = true;
  private isClosed = false;
  private hasEnded = false;
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
    const { arena, settings } = services;
    this.receiver = new FrameReceiver({
      frameBytesMax: settings.requestBytesMax,
      // Record data stays where it is read until it is durable; of other requests parts may be kept for long.
      room: (bytes, begun) => (arena && isProduce(begun) ? arena.room(bytes) : privateRoom(bytes)),
      onFrame: (frame, owner) => this.request(frame, owner),
      onBadLength: size => this.refuse(brokerErrors.frameTooLarge({ size, limit: settings.requestBytesMax })),
    });
    connection.start({
      into: () => this.receiver.into(),
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
    this.receiver.received(chunk);
    this.maybePause();
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

  private request(frame: Uint8Array, owner: Slab | undefined): void {
    if (this.isClosed) {
      owner?.release();
      return;
    }
    const reader = new Reader(frame);
    let handler: Handler | undefined;
    try {
      const header = decodeRequestHeader(reader, key => this.services.handlers.get(key)?.api.flexibleSince);
      handler = this.services.handlers.get(header.apiKey);
      if (header.clientId !== null) (this.client as { id: string }).id = header.clientId;
      if (!handler) throw brokerErrors.unknownApi({ key: header.apiKey });
      this.services.counters.requests++;
      if (header.apiVersion < handler.min || header.apiVersion > handler.max) {
        owner?.release();
        this.wrongVersion(handler, header.apiVersion, header.correlationId);
        return;
      }
      const { api } = handler;
      const message = api.decodeRequest(reader, header.apiVersion);
      reader.expectEnd();
      this.run(handler, header.apiVersion, header.correlationId, message, owner);
    } catch (error) {
      owner?.release();
      if (!(error instanceof MillraceError)) throw error;
      const api = handler?.api.name ?? 'unknown';
      const isKnown = error.row === brokerErrors.unknownApi.row;
      this.refuse(isKnown ? error : brokerErrors.malformed({ api, reason: error.message }, error));
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

  private run(handler: Handler, version: number, correlationId: number, message: never, frame: Slab | undefined): void {
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
    // What is to be durable holds the frame for itself.
    try {
      const result = handler.handle(context, message);
      if (result instanceof Promise) {
        result
          .finally(() => frame?.release())
          .then(answer)
          .catch(failed);
        return;
      }
      frame?.release();
      answer(result);
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
    if (this.hasEnded && this.slots.length === 0) this.connection.end();
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

  /** The client sends no more; what it asked for is still answered. */
  private ended(): void {
    this.hasEnded = true;
    if (this.slots.length === 0) this.connection.end();
    else this.services.io.clock.after(30_000, () => this.connection.destroy(), { background: true });
  }

  private closed(): void {
    this.isClosed = true;
    this.receiver.close();
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

/** Produce is API 0. Of a frame that has hardly begun it is not known. */
function isProduce(begun: Uint8Array): boolean {
  return begun.length >= 2 && begun[0] === 0 && begun[1] === 0;
}
