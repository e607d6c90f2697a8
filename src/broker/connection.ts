/**
 * One client connection: frames in, answers out in the order of the requests.
 *
 *   bytes ─► frames ─► queue ─► handlers ─► slots, in order ─► socket
 *
 * Requests of one connection overlap, so that a Produce behind a long Fetch is written and a Heartbeat behind it keeps its
 * session; they start in the order of arrival, and their answers leave in it. Produce requests reserve their offsets when
 * they start, so the order of records is the connection's. What may not start yet stays in the queue, and while anything is
 * there nothing is read: the client's own socket holds the rest.
 *
 *   starts when    fewer than 256 are unanswered, and less than 1 MiB of answers waits to be read by the client, and no step
 *                  of a proof (`security/authentication.ts`) is under way, and (of an API that waits, `Handler.waits`) no
 *                  other request of the same API is unanswered
 *   reads when     the queue is empty, the log takes more, there is memory for the frame, and no throttling is on
 *
 * The end has its place in the order, too: an error that closes the connection stands behind the answers of what came
 * before it.
 *
 * Invariants
 * I1 answers leave in request order, each once; acks=0 has none.
 * I2 a frame is bounded by `requestBytesMax`; memory for it is taken from the budget before it is received.
 * I3 a client that does not read holds at most 1 MiB of answers, one more, and those of requests that had started.
 * I4 a connection that was ended is gone some seconds later, whatever the client does.
 */
import {
  type Connection,
  FrameReceiver,
  messageOf,
  MillraceError,
  privateRoom,
  type Room,
  type Slab,
} from '../base/index.ts';
import { type AnyApi, decodeRequestHeader, encodeResponse, Reader } from '../wire/index.ts';
import { ClientWatch } from './client-watch.ts';
import { brokerErrors } from './errors.ts';
import { isProduce, lengthOf, sizeOf } from './frame-bytes.ts';
import { type BrokerServices, CLOSE, type ClientInfo, type Handler, LastAnswer, NO_RESPONSE } from './handler.ts';
import type { BrokerListener } from './listener.ts';
import { type ClientParts, requestContext } from './request-context.ts';
import type { Authentication } from './security/authentication.ts';
import { securityErrors } from './security/errors.ts';
import type { Identity } from './security/identity.ts';
import { SNIFFED_BYTES, sniff } from './sniff.ts';

const UNANSWERED_MAX = 256;
const UNREAD_BYTES_MAX = 1024 * 1024;
/** How long answers under way may hold up the end that follows an error. */
const END_WAIT_MS = 1_000;
/** How long a client that was ended has to end its side. */
const LINGER_MS = 5_000;
/** How long a client that has sent its last waits for the answers. */
const HALF_OPEN_MS = 30_000;
/** Of a client's id, which is part of what is kept of groups and refusals. */
const CLIENT_ID_CHARS = 255;
const API_VERSIONS_KEY = 18;
/** Requests that nothing else may overlap. */
const PROOF_KEYS: ReadonlySet<number> = new Set([17, 36]);
const UNSUPPORTED_VERSION = 35;

interface Slot {
  readonly handler: Handler | undefined;
  readonly requestBytes: number;
  /** What the answer lies in that others use when it has been written. */
  readonly lent: Uint8Array[];
  answer: readonly Uint8Array[];
  isReady: boolean;
  /** The connection ends here. */
  isLast: boolean;
}

interface Frame {
  readonly bytes: Uint8Array;
  readonly owner: Slab | undefined;
}

export interface ConnectionParts {
  readonly connection: Connection;
  readonly listener: BrokerListener;
  /** Who the client is before it proves anything. */
  readonly identity: Identity;
  onGone(connection: ClientConnection): void;
}

export class ClientConnection {
  private readonly services: BrokerServices;
  private readonly connection: Connection;
  private readonly client: ClientInfo;
  private readonly authentication: Authentication;
  private readonly parts: ClientParts;
  private readonly receiver: FrameReceiver;
  /** Bytes before the first four. */
  private first: Uint8Array | undefined = new Uint8Array(0);
  private readonly queue: Frame[] = [];
  private readonly slots: Slot[] = [];
  private readonly closers = new Set<() => void>();
  private readonly onGone: (connection: ClientConnection) => void;
  private readonly watch: ClientWatch;
  /** Size of the frame that memory was taken for and that is not yet whole. */
  private receivingBytes = 0;
  /** Of answers that the client has not read. */
  private unreadBytes = 0;
  private isReading = true;
  private isHeldByLog = false;
  private isHeldByMemory = false;
  private isThrottled = false;
  /** A step of a proof is under way: nothing starts until it is answered. */
  private isProving = false;
  /** The client has sent its last. */
  private hasHeardAll = false;
  /** No more requests are taken. */
  private isEnding = false;
  private hasEnded = false;
  private isClosed = false;

  constructor(services: BrokerServices, { connection, identity, listener, onGone }: ConnectionParts) {
    this.services = services;
    this.connection = connection;
    this.onGone = onGone;
    this.client = { id: '', host: connection.remote.host, software: '', fetchFrom: undefined };
    const refused = (error: MillraceError): void => this.refused(error);
    const authentication = listener.authentication(identity, refused);
    this.authentication = authentication;
    this.parts = {
      services,
      client: this.client,
      authentication,
      isLogService: listener.isLogService,
      advertised: listener.advertisedTo(connection),
      closers: this.closers,
      refused,
    };
    const { idleMs, requestBytesMax } = services.settings;
    this.watch = new ClientWatch(services.io.clock, idleMs, {
      isSending: () => this.isReading && !this.isEnding && this.receiver.isInside,
      isBusy: () => this.slots.length > 0,
      hasProved: () => authentication.isOpen || this.isEnding,
      onIdle: () => this.end(),
      onStall: seconds => this.refuse(brokerErrors.stalled({ seconds })),
      onLate: seconds => this.refuse(securityErrors.lateAuthentication({ seconds })),
    });
    this.receiver = new FrameReceiver({
      get frameBytesMax() {
        return authentication.frameBytesMax(requestBytesMax);
      },
      room: (bytes, begun) => this.room(bytes, begun),
      onFrame: (bytes, owner) => {
        this.receivingBytes = 0;
        this.watch.receivedFrame();
        this.queue.push({ bytes, owner });
      },
      onBadLength: size => {
        // What came before it is still answered.
        this.pump();
        this.refuse(authentication.lengthRefusal(size) ?? brokerErrors.frameTooLarge({ size, limit: requestBytesMax }));
      },
    });
  }

  /** Begins to read. */
  start(): void {
    this.watch.start();
    this.connection.start({
      into: () => this.receiver.into(),
      onData: chunk => this.received(chunk),
      onEnd: () => this.heardAll(),
      onClose: () => this.closed(),
    });
  }

  /** FIN; what is being done is still answered, what only waits is not. */
  close(): void {
    this.stop();
    this.send();
    this.endAfter(END_WAIT_MS);
  }

  private received(chunk: Uint8Array): void {
    if (this.isEnding) return;
    this.watch.received(chunk.length);
    const bytes = this.first ? this.judge(chunk) : chunk;
    if (!bytes) return;
    this.receiver.received(bytes);
    this.pump();
  }

  /** The bytes to go on with, once the first four are Kafka's. */
  private judge(chunk: Uint8Array): Uint8Array | undefined {
    const bytes = this.first!.length === 0 ? chunk : Buffer.concat([this.first!, chunk]);
    if (bytes.length < SNIFFED_BYTES) {
      this.first = Uint8Array.from(bytes);
      return undefined;
    }
    this.first = undefined;
    const found = sniff(bytes);
    if (!found) return bytes;
    if (found.reply) this.connection.write([Buffer.from(found.reply)]);
    this.refuse(found.error);
    return undefined;
  }

  /** Record data stays where it is read until it is durable; of other requests parts may be kept for long. */
  private room(bytes: number, begun: Uint8Array): Room | undefined {
    const { arena, memory } = this.services;
    if (!this.isHeldByMemory && !memory.take(bytes, this.hasMemory)) {
      this.isHeldByMemory = true;
      return undefined;
    }
    this.isHeldByMemory = false;
    this.receivingBytes = bytes;
    return arena && isProduce(begun) ? arena.room(bytes) : privateRoom(bytes);
  }

  private readonly hasMemory = (): void => {
    this.receiver.retry();
    this.pump();
  };

  /** Starts what may start, and reads on if nothing is left. */
  private pump(): void {
    while (this.queue.length > 0 && !this.isEnding && this.mayStart(this.queue[0]!.bytes)) {
      this.begin(this.queue.shift()!);
    }
    if (this.hasHeardAll && this.queue.length === 0 && this.slots.length === 0) this.end();
    this.steer();
  }

  private mayStart(frame: Uint8Array): boolean {
    // When clients leave too much unread, all together, each of them holds one answer.
    const unreadMax = this.services.memory.answerBytesLeft > 0 ? UNREAD_BYTES_MAX : 1;
    if (this.isProving || this.slots.length >= UNANSWERED_MAX || this.unreadBytes >= unreadMax) return false;
    const handler = this.handlerOf(frame);
    return !handler?.waits || this.slots.every(slot => slot.handler !== handler || slot.isReady);
  }

  private handlerOf(frame: Uint8Array): Handler | undefined {
    return frame.length < 2 ? undefined : this.services.handlers.get(frame[0]! * 256 + frame[1]!);
  }

  private steer(): void {
    const { log } = this.services;
    if (log.isBusy && !this.isHeldByLog) {
      this.isHeldByLog = true;
      log.whenWritable(() => {
        this.isHeldByLog = false;
        this.steer();
      });
    }
    const isHeld = this.isHeldByLog || this.isHeldByMemory || this.isThrottled || this.queue.length > 0;
    const isReading = this.isEnding || !isHeld;
    if (isReading === this.isReading || this.isClosed) return;
    this.isReading = isReading;
    this.watch.touch();
    if (isReading) this.connection.resume();
    else this.connection.pause();
  }

  private begin({ bytes, owner }: Frame): void {
    if (this.authentication.takesTokens) {
      this.runToken({ bytes, owner });
      return;
    }
    const reader = new Reader(bytes);
    const handler = this.handlerOf(bytes);
    try {
      this.authentication.expectNoToken(bytes);
      const header = decodeRequestHeader(reader, () => handler?.api.flexibleSince);
      if (header.clientId !== null) this.client.id = header.clientId.slice(0, CLIENT_ID_CHARS);
      if (!handler) throw brokerErrors.unknownApi({ key: header.apiKey });
      this.services.counters.requests++;
      const { apiVersion: version, correlationId } = header;
      if (version < handler.min || version > handler.max) {
        this.wrongVersion(handler, version, correlationId, bytes.length);
        owner?.release();
        return;
      }
      const objection = this.authentication.objection(header.apiKey, handler.api.name);
      if (objection) throw objection;
      const message = handler.api.decodeRequest(reader, version);
      reader.expectEnd();
      this.run(handler, version, correlationId, message, { bytes, owner });
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      this.giveBack({ bytes, owner });
      const api = handler?.api.name ?? 'unknown';
      const isUnread = error.code.startsWith('MR40');
      this.refuse(isUnread ? brokerErrors.malformed({ api, reason: error.message }, error) : error);
    }
  }

  /** ApiVersions answers in its first layout, so that the client can read the range; everything else ends. */
  private wrongVersion(handler: Handler, version: number, correlationId: number, requestBytes: number): void {
    const { api, max, min } = handler;
    if (api.key !== API_VERSIONS_KEY) throw brokerErrors.unsupportedVersion({ api: api.name, version, min, max });
    const body = {
      errorCode: UNSUPPORTED_VERSION,
      apiKeys: [{ apiKey: API_VERSIONS_KEY, minVersion: min, maxVersion: max }],
    };
    const slot = this.openSlot(handler, requestBytes);
    this.settle(slot, encodeResponse(api as AnyApi, 0, correlationId, body as never));
  }

  private run(handler: Handler, version: number, correlationId: number, message: never, frame: Frame): void {
    const slot = this.openSlot(handler, frame.bytes.length);
    const isProof = PROOF_KEYS.has(handler.api.key);
    if (isProof) this.isProving = true;
    const answer = (response: unknown): void => {
      if (isProof) this.isProving = false;
      if (response === NO_RESPONSE) this.settle(slot, []);
      else if (response === CLOSE) this.settleLast(slot);
      else if (response instanceof LastAnswer)
        this.settleLast(slot, encodeResponse(handler.api, version, correlationId, response.answer as never));
      else {
        this.settle(slot, encodeResponse(handler.api, version, correlationId, response as never));
        this.throttle((response as { readonly throttleTimeMs?: number }).throttleTimeMs ?? 0);
      }
    };
    const failed = (error: unknown): void => {
      const { name } = handler.api;
      this.services.logger.error(`${name} failed: ${messageOf(error)}`, {
        stack: error instanceof Error ? error.stack : undefined,
      });
      this.refused(brokerErrors.handlerFailed({ api: name, reason: messageOf(error) }, error));
      this.settleLast(slot);
    };
    // What is to be durable holds the frame for itself.
    try {
      const result = handler.handle(requestContext(this.parts, version, frame.owner, slot.lent), message);
      if (!(result instanceof Promise)) answer(result);
      else result.then(answer).catch(failed);
    } catch (error) {
      failed(error);
    } finally {
      frame.owner?.release();
    }
  }

  /** A message of a mechanism without a header; its answer has none either. */
  private runToken({ bytes, owner }: Frame): void {
    const slot = newSlot(undefined, bytes.length);
    this.slots.push(slot);
    this.isProving = true;
    const answer = (token: Uint8Array | undefined): void => {
      this.isProving = false;
      if (token) this.settle(slot, [lengthOf(token), token]);
      else this.settleLast(slot);
    };
    const failed = (error: unknown): void => {
      this.refused(brokerErrors.handlerFailed({ api: 'a SASL token', reason: messageOf(error) }, error));
      answer(undefined);
    };
    this.authentication.token(bytes).then(answer).catch(failed);
    owner?.release();
  }

  private openSlot(handler: Handler, requestBytes: number): Slot {
    // What waits keeps nothing of its bytes.
    if (handler.waits) this.services.memory.give(requestBytes);
    const slot = newSlot(handler, handler.waits ? 0 : requestBytes);
    this.slots.push(slot);
    return slot;
  }

  private settle(slot: Slot, answer: readonly Uint8Array[]): void {
    slot.answer = answer;
    slot.isReady = true;
    this.watch.touch();
    this.services.memory.give(slot.requestBytes);
    if (!this.isClosed) this.holdUnread(sizeOf(answer));
    this.send();
    this.pump();
  }

  /** The connection ends behind the answer, or in place of one. */
  private settleLast(slot: Slot, answer: readonly Uint8Array[] = []): void {
    slot.isLast = true;
    this.stop();
    this.settle(slot, answer);
    this.endAfter(END_WAIT_MS);
  }

  /** Writes the answers whose turn it is. */
  private send(): void {
    if (this.isClosed || this.hasEnded) return;
    const pieces: Uint8Array[] = [];
    const lent: Uint8Array[] = [];
    let isLast = false;
    while (this.slots[0]?.isReady && !isLast) {
      const slot = this.slots.shift()!;
      for (const piece of slot.answer) pieces.push(piece);
      for (const buffer of slot.lent) lent.push(buffer);
      isLast = slot.isLast;
    }
    if (pieces.length > 0) {
      const bytes = sizeOf(pieces);
      this.connection.write(pieces, () => {
        // What is still on its way when a connection breaks is nobody's any more.
        if (this.isClosed) return;
        for (const buffer of lent) this.services.buffers.give(buffer);
        this.holdUnread(-bytes);
        this.pump();
      });
    }
    const isIdle = this.slots.every(({ handler, isReady }) => !isReady && handler?.waits);
    if (isLast || (this.isEnding && isIdle)) this.end();
  }

  private holdUnread(bytes: number): void {
    this.unreadBytes += bytes;
    this.services.memory.answerBytes += bytes;
  }

  private throttle(ms: number): void {
    if (ms <= 0) return;
    this.isThrottled = true;
    this.steer();
    const isOver = (): void => {
      this.isThrottled = false;
      this.steer();
    };
    this.services.io.clock.after(ms, isOver, { background: true });
  }

  private refused(error: MillraceError): void {
    this.services.refusals.add(this.client, error);
  }

  /** What the client sent is not taken: the connection ends, behind the answers of what came before. */
  private refuse(error: MillraceError): void {
    this.refused(error);
    this.stop();
    this.slots.push({ ...newSlot(undefined, 0), isReady: true, isLast: true });
    this.send();
    this.endAfter(END_WAIT_MS);
  }

  /** Takes no more requests. What still comes is read and dropped, so that the client's end is seen. */
  private stop(): void {
    if (this.isEnding) return;
    this.isEnding = true;
    const { memory } = this.services;
    memory.leave(this.hasMemory);
    this.receiver.close();
    memory.give(this.receivingBytes);
    for (const frame of this.queue.splice(0)) this.giveBack(frame);
    this.steer();
  }

  private giveBack({ bytes, owner }: Frame): void {
    owner?.release();
    this.services.memory.give(bytes.length);
  }

  /** The client sends no more; what it asked for is still answered. */
  private heardAll(): void {
    this.hasHeardAll = true;
    this.pump();
    this.services.io.clock.after(HALF_OPEN_MS, () => this.connection.destroy(), { background: true });
  }

  private endAfter(ms: number): void {
    if (!this.hasEnded) this.services.io.clock.after(ms, () => this.end(), { background: true });
  }

  private end(): void {
    if (this.hasEnded || this.isClosed) return;
    this.hasEnded = true;
    this.stop();
    this.connection.end();
    this.services.io.clock.after(LINGER_MS, () => this.connection.destroy(), { background: true });
  }

  private closed(): void {
    this.isClosed = true;
    this.stop();
    this.holdUnread(-this.unreadBytes);
    this.watch.stop();
    for (const callback of this.closers) callback();
    this.closers.clear();
    this.onGone(this);
  }
}

function newSlot(handler: Handler | undefined, requestBytes: number): Slot {
  return { handler, requestBytes, lent: [], answer: [], isReady: false, isLast: false };
}
