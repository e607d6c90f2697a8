/** One connection, with handlers that answer when the test says so and a client that reads when it says so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Arena,
  type Connection,
  type ConnectionHandler,
  makeArenaMemory,
  type MillraceError,
  silentLogger,
} from '../base/index.ts';
import { ManualClock, settle } from '../testing/sim/manual-io.ts';
import { apis, encodeRequest, Reader } from '../wire/index.ts';
import { BROKER_DEFAULTS } from './broker.ts';
import { ClientConnection } from './connection.ts';
import { type BrokerServices, CLOSE, defineHandler, type Handler, NO_RESPONSE } from './handler.ts';
import type { BrokerListener } from './listener.ts';
import { ClientMemory } from './memory.ts';
import { Refusals } from './refusals.ts';
import { Authentication } from './security/authentication.ts';
import { userIdentity } from './security/identity.ts';

const METADATA = Buffer.concat(encodeRequest(apis.metadata, 1, 0, 'me', { topics: [] }));

/** The client's side of a connection: what it has been sent, and whether it is listened to. */
class Peer implements Connection {
  readonly remote = { host: '10.0.0.7', port: 40_000 };
  readonly local = { host: '10.0.0.1', port: 9_092 };
  readonly sent: Buffer[] = [];
  isPaused = true;
  hasEnd = false;
  isDestroyed = false;
  private readonly unread: (() => void)[] = [];
  private handler!: ConnectionHandler;

  start(handler: ConnectionHandler): void {
    this.handler = handler;
    this.isPaused = false;
  }

  /** Bytes from the client. */
  send(...pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.handler.onData(piece);
  }

  /** FIN from the client. */
  finish(): void {
    this.handler.onEnd?.();
  }

  write(pieces: readonly Uint8Array[], onFlushed?: () => void): boolean {
    assert.ok(!this.hasEnd, 'nothing is written behind the end');
    this.sent.push(...pieces.map(piece => Buffer.from(piece)));
    if (onFlushed) this.unread.push(onFlushed);
    return true;
  }

  /** The client reads what it was sent. */
  read(): void {
    for (const flushed of this.unread.splice(0)) flushed();
  }

  /** Correlation ids of the answers, in the order of their arrival. */
  get answers(): number[] {
    const reader = new Reader(Buffer.concat(this.sent));
    const ids: number[] = [];
    while (reader.remaining > 0) {
      const size = reader.int32();
      ids.push(reader.int32());
      reader.skip(size - 4);
    }
    return ids;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  end(): void {
    this.hasEnd = true;
  }

  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    this.handler.onClose();
  }
}

interface Call {
  readonly name: string;
  answer(response?: unknown): void;
  fail(error: Error): void;
}

interface Made {
  readonly peer: Peer;
  readonly clock: ManualClock;
  readonly client: ClientConnection;
  readonly services: BrokerServices;
  /** Handlers that were called and have not answered. */
  readonly calls: Call[];
  readonly log: { isBusy: boolean; wake(): void };
  request(name: keyof typeof REQUESTS, id: number, more?: object): Uint8Array;
}

const REQUESTS = {
  metadata: (id: number, more: object) => encodeRequest(apis.metadata, 1, id, 'me', { topics: [], ...more }),
  fetch: (id: number) =>
    encodeRequest(apis.fetch, 4, id, 'me', { maxWaitMs: 0, minBytes: 0, topics: [], forgottenTopicsData: [] } as never),
  produce: (id: number, more: object) =>
    encodeRequest(apis.produce, 3, id, 'me', { acks: 1, timeoutMs: 0, topicData: [], ...more }),
  joinGroup: (id: number) =>
    encodeRequest(apis.joinGroup, 0, id, 'me', {
      groupId: 'g',
      sessionTimeoutMs: 6_000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [],
    }),
};

const ANSWERS: Readonly<Record<string, object>> = {
  metadata: { brokers: [], topics: [] },
  fetch: { responses: [] },
  produce: { responses: [] },
  joinGroup: { errorCode: 0, protocolName: '', leader: '', memberId: '', members: [] },
};

/** A listener without SASL. */
const OPEN = { listener: 'x', mechanisms: [], authority: undefined, sessionMaxMs: 0, failureDelayMs: 0 };

/** `metadata` is answered at once where an answer is given. */
function make(
  settings: Partial<BrokerServices['settings']> = {},
  parts: { readonly arena?: Arena; readonly metadata?: object } = {},
): Made {
  const clock = new ManualClock();
  const peer = new Peer();
  const calls: Call[] = [];
  const later = (name: keyof typeof REQUESTS, waits = false): Handler =>
    defineHandler({
      api: apis[name] as typeof apis.metadata,
      min: 0,
      max: 13,
      waits,
      handle: () =>
        (name === 'metadata' && (parts.metadata as never)) ||
        new Promise((resolve, reject) => {
          const answer = (response: unknown = ANSWERS[name]): void => resolve(response as never);
          calls.push({ name, answer, fail: reject });
        }),
    });
  const handlers = [later('metadata'), later('fetch', true), later('produce'), later('joinGroup', true)];
  let wake: () => void = () => undefined;
  const log = { isBusy: false, whenWritable: (callback: () => void) => (wake = callback), wake: () => wake() };
  const all = { ...BROKER_DEFAULTS, ...settings };
  const services = {
    io: { clock },
    arena: parts.arena,
    log,
    settings: all,
    refusals: new Refusals(silentLogger, () => clock.now()),
    memory: new ClientMemory({ requestBytesMax: all.requestMemoryBytes, answerBytesMax: all.answerMemoryBytes }),
    logger: silentLogger,
    handlers: new Map(handlers.map(handler => [handler.api.key, handler])),
    counters: { connections: 0, requests: 0, producedBytes: 0, producedBatches: 0, fetchedBytes: 0 },
  } as unknown as BrokerServices;
  const identity = userIdentity('ANONYMOUS');
  const listener = {
    isLogService: false,
    advertisedTo: () => peer.local,
    authentication: (_identity: unknown, refused: (error: MillraceError) => void) =>
      new Authentication(services.io, { ...OPEN, identity }, services.counters, refused),
  } as unknown as BrokerListener;
  const client = new ClientConnection(services, { connection: peer, listener, identity, onGone: () => undefined });
  client.start();
  const request: Made['request'] = (name, id, more = {}) => Buffer.concat(REQUESTS[name](id, more));
  return { peer, clock, client, services, calls, log, request };
}

const names = (calls: readonly Call[]): string[] => calls.map(({ name }) => name);

test('requests overlap, and their answers leave in the order of the requests', async () => {
  const { calls, peer, request } = make();
  peer.send(request('fetch', 1), request('produce', 2), request('metadata', 3));
  assert.deepEqual(names(calls), ['fetch', 'produce', 'metadata'], 'a waiting Fetch holds up nothing');
  calls[2]!.answer();
  calls[1]!.answer();
  await settle();
  assert.deepEqual(peer.answers, []);
  calls[0]!.answer();
  await settle();
  assert.deepEqual(peer.answers, [1, 2, 3]);
});

test('of an API that waits one request runs at a time, of different ones several', async () => {
  const { calls, peer, request } = make();
  peer.send(request('fetch', 1), request('joinGroup', 2), request('fetch', 3), request('produce', 4));
  assert.deepEqual(names(calls), ['fetch', 'joinGroup']);
  assert.ok(peer.isPaused, 'nothing is read while something may not start');
  calls[0]!.answer();
  await settle();
  assert.deepEqual(names(calls), ['fetch', 'joinGroup', 'fetch', 'produce']);
  assert.ok(!peer.isPaused);
});

test('a client that does not read starts nothing more, and holds a MiB and one answer', () => {
  const topics = Array.from({ length: 4_000 }, (_, i) => ({ errorCode: 0, name: `topic-${i}`, partitions: [] }));
  const { peer, request, services } = make({}, { metadata: { brokers: [], topics } });
  peer.send(...Array.from({ length: 200 }, (_, i) => request('metadata', i)));
  const { length } = peer.answers;
  const held = services.memory.answerBytes;
  assert.ok(length > 5 && held > 1_048_576 && held < 1_048_576 + held / length + 1, `${length} answers, ${held} bytes`);
  assert.ok(peer.isPaused);
  peer.send(...Array.from({ length: 5 }, (_, i) => request('metadata', 200 + i)));
  assert.equal(services.memory.answerBytes, held, 'what had been read already waits');
  peer.read();
  assert.equal(peer.answers.length, 2 * length);
  for (let i = 0; i < 200; i++) peer.read();
  assert.deepEqual(
    peer.answers,
    Array.from({ length: 205 }, (_, i) => i),
  );
  assert.equal(services.memory.answerBytes, 0);
  assert.ok(!peer.isPaused);
});

test('256 requests may be unanswered; the next waits for an answer to leave', async () => {
  const { calls, peer, request } = make();
  peer.send(...Array.from({ length: 300 }, (_, i) => request('produce', i)));
  assert.equal(calls.length, 256);
  assert.ok(peer.isPaused);
  for (const call of calls.slice(0, 50)) call.answer();
  await settle();
  assert.equal(calls.length, 300);
  assert.ok(!peer.isPaused);
});

test('while the log has enough to do nothing is read', () => {
  const { log, peer, request } = make();
  log.isBusy = true;
  peer.send(request('produce', 1));
  assert.ok(peer.isPaused);
  log.isBusy = false;
  log.wake();
  assert.ok(!peer.isPaused);
});

test('a frame is received when there is memory for it, and gives it back with its answer or with the connection', async () => {
  const limits = { requestMemoryBytes: 1_000_000 };
  const made = make(limits);
  const { memory } = made.services;
  const big = (id: number): Uint8Array =>
    made.request('metadata', id, {
      topics: [{ name: 'x'.repeat(30_000) }, ...Array(20).fill({ name: 'y'.repeat(30_000) })],
    });
  const frame = big(1);
  made.peer.send(frame.subarray(0, 100));
  assert.equal(memory.requestBytes, frame.length - 4, 'taken when the size is known');
  let isServed = false;
  assert.equal(
    memory.take(700_000, () => (isServed = true)),
    false,
  );
  made.peer.send(frame.subarray(100));
  assert.equal(made.calls.length, 1);
  made.calls[0]!.answer();
  await settle();
  assert.ok(isServed);
  made.peer.send(big(2));
  assert.ok(made.peer.isPaused, 'no room: nothing is read');
  assert.equal(made.calls.length, 1);
  memory.give(700_000);
  assert.equal(made.calls.length, 2);
  assert.ok(!made.peer.isPaused);
  made.peer.destroy();
  made.calls[1]!.answer();
  await settle();
  assert.equal(memory.requestBytes, 0);
});

test('a connection that goes while it stands in line, or in the middle of a frame, keeps nothing', () => {
  const { peer, request, services } = make({ requestMemoryBytes: 100_000 });
  const frame = request('metadata', 1, { topics: Array(20).fill({ name: 'y'.repeat(30_000) }) });
  peer.send(frame.subarray(0, 50));
  assert.equal(services.memory.requestBytes, frame.length - 4, 'larger than all memory: alone');
  peer.destroy();
  assert.equal(services.memory.requestBytes, 0);
  const second = make();
  second.services.memory.take(200_000_000, () => undefined);
  const { length } = second.request('produce', 1);
  const lying = Buffer.from(second.request('produce', 1));
  lying.writeInt32BE(100_000_000);
  second.peer.send(lying);
  assert.ok(second.peer.isPaused && length < 100);
  second.peer.destroy();
  second.services.memory.give(200_000_000);
  assert.equal(second.services.memory.requestBytes, 0, 'who has gone gets nothing');
});

test('throttling answers at once and then reads nothing for that time', async () => {
  const { calls, clock, peer, request } = make();
  peer.send(request('produce', 1));
  calls[0]!.answer({ responses: [], throttleTimeMs: 500 });
  await settle();
  assert.deepEqual(peer.answers, [1]);
  assert.ok(peer.isPaused);
  await clock.pass(499);
  assert.ok(peer.isPaused);
  await clock.pass(1);
  assert.ok(!peer.isPaused);
});

test('a request without an answer leaves a gap that nobody sees', async () => {
  const { calls, peer, request } = make();
  peer.send(request('produce', 1), request('metadata', 2));
  calls[1]!.answer();
  calls[0]!.answer(NO_RESPONSE);
  await settle();
  assert.deepEqual(peer.answers, [2]);
});

test('what is no request ends the connection behind the answers of what came before', async () => {
  const { calls, peer, request, services } = make();
  peer.send(request('produce', 1), Buffer.from('00000008 0063 0000 00000001'.replaceAll(' ', ''), 'hex'));
  peer.send(request('produce', 3));
  assert.ok(!peer.hasEnd);
  assert.equal(services.refusals.list()[0]?.code, 'MR5406');
  calls[0]!.answer();
  await settle();
  assert.deepEqual(peer.answers, [1]);
  assert.ok(peer.hasEnd);
  assert.equal(calls.length, 1, 'nothing behind it is done');
});

test('an error without an answer ends the connection in its place; what waits holds it up a second at most', async () => {
  const { calls, clock, peer, request } = make();
  peer.send(request('fetch', 1), request('produce', 2), request('produce', 3));
  calls[1]!.answer(CLOSE);
  calls[2]!.answer();
  await settle();
  assert.ok(!peer.hasEnd);
  await clock.pass(1_000);
  assert.ok(peer.hasEnd);
  assert.deepEqual(peer.answers, []);
  assert.ok(!peer.isDestroyed);
  await clock.pass(5_000);
  assert.ok(peer.isDestroyed, 'a client that does not end its side is gone all the same');
});

test('a handler that fails ends the connection with a diagnosis, and the frame’s memory is free', async () => {
  const arena = new Arena(makeArenaMemory(1024 * 1024), { slabBytes: 65_536, reservedBytes: 65_536 });
  const before = arena.freeSlabs;
  const { calls, peer, request, services } = make({}, { arena });
  peer.send(request('produce', 1));
  calls[0]!.fail(new Error('boom'));
  await settle();
  assert.ok(peer.hasEnd);
  assert.deepEqual(
    services.refusals.list().map(({ code, reason }) => [code, reason]),
    [['MR5409', 'Produce failed: boom']],
  );
  // The slab that rooms are cut from stays open; nobody else holds it.
  arena.room(65_536).owner?.release();
  assert.ok(arena.freeSlabs >= before - 1);
});

test('a client that has sent its last gets its answers, then the end', async () => {
  const { calls, peer, request } = make();
  peer.send(request('fetch', 1), request('fetch', 2));
  peer.finish();
  calls[0]!.answer();
  await settle();
  assert.ok(!peer.hasEnd, 'the second has only begun');
  calls[1]!.answer();
  await settle();
  assert.deepEqual(peer.answers, [1, 2]);
  assert.ok(peer.hasEnd);
  const quiet = make();
  quiet.peer.finish();
  assert.ok(quiet.peer.hasEnd);
  const stuck = make();
  stuck.peer.send(stuck.request('fetch', 1));
  stuck.peer.finish();
  await stuck.clock.pass(30_000);
  assert.ok(stuck.peer.isDestroyed);
});

test('an idle client is ended with FIN, one whose request is being worked on is not', async () => {
  const { calls, clock, peer, request } = make({ idleMs: 100_000 });
  peer.send(request('fetch', 1));
  await clock.pass(250_000);
  assert.ok(!peer.hasEnd);
  calls[0]!.answer();
  await settle();
  await clock.pass(90_000);
  assert.ok(!peer.hasEnd);
  await clock.pass(40_000);
  assert.ok(peer.hasEnd);
});

test('a client that sends a large request drop by drop is ended like one that stops', async () => {
  const { calls, clock, peer, request, services } = make();
  const frame = request('metadata', 1, { topics: Array(20).fill({ name: 'y'.repeat(30_000) }) });
  peer.send(frame.subarray(0, 100));
  for (let at = 100; at < 340_000; at += 20_000) {
    peer.send(frame.subarray(at, at + 20_000));
    await clock.pass(5_000);
  }
  assert.ok(!peer.hasEnd, 'slow, but it comes');
  for (let i = 0; i < 12; i++) {
    peer.send(frame.subarray(i, i + 1));
    await clock.pass(5_000);
  }
  assert.ok(peer.hasEnd);
  assert.deepEqual([calls.length, services.refusals.list()[0]?.code], [0, 'MR5411']);
});

test('while all clients together leave too much unread, each holds one answer', () => {
  const { peer, request, services } = make({}, { metadata: { brokers: [], topics: [] } });
  services.memory.answerBytes = 300_000_000;
  peer.send(request('metadata', 1), request('metadata', 2), request('metadata', 3));
  assert.deepEqual(peer.answers, [1]);
  peer.read();
  assert.deepEqual(peer.answers, [1, 2]);
  services.memory.answerBytes = 0;
  peer.read();
  assert.deepEqual(peer.answers, [1, 2, 3]);
});

test('a client that stops in the middle of a request is ended and named', async () => {
  const { clock, peer, request, services } = make();
  peer.send(request('metadata', 1).subarray(0, 12));
  await clock.pass(29_000);
  assert.ok(!peer.hasEnd);
  await clock.pass(31_000);
  assert.ok(peer.hasEnd);
  assert.equal(services.refusals.list()[0]?.code, 'MR5411');
  assert.equal(services.memory.requestBytes, 0);
});

test('a request is taken however its bytes are cut, and so is what is none', () => {
  const { calls, peer, request } = make();
  for (const byte of request('metadata', 42)) peer.send(Buffer.from([byte]));
  assert.deepEqual(names(calls), ['metadata']);
  const { calls: none, peer: browser, services } = make();
  for (const char of 'GET /') browser.send(Buffer.from(char));
  assert.match(Buffer.concat(browser.sent).toString(), /^HTTP\/1\.1 400 /);
  assert.ok(browser.hasEnd);
  assert.deepEqual([none.length, services.refusals.list()[0]?.code], [0, 'MR5403']);
});

test('a size that no request has ends the connection, behind what came before it', async () => {
  const { calls, peer, request, services } = make({ requestBytesMax: 1_000 });
  peer.send(Buffer.concat([request('produce', 1), Buffer.from('000003e9', 'hex'), request('produce', 2)]));
  assert.deepEqual(names(calls), ['produce']);
  assert.match(services.refusals.list()[0]!.reason, /1001 bytes, the limit is 1000/);
  calls[0]!.answer();
  await settle();
  assert.deepEqual([peer.answers, peer.hasEnd], [[1], true]);
  const negative = make();
  negative.peer.send(METADATA, Buffer.from('ffffffff', 'hex'));
  assert.equal(negative.services.refusals.list()[0]?.code, 'MR5401');
});

test('closing answers what is being done, and not what waits', async () => {
  const { calls, client, peer, request } = make();
  peer.send(request('produce', 1), request('fetch', 2));
  client.close();
  assert.ok(!peer.hasEnd);
  calls[0]!.answer();
  await settle();
  assert.deepEqual([peer.answers, peer.hasEnd], [[1], true]);
  const waiting = make();
  waiting.peer.send(waiting.request('fetch', 1));
  waiting.client.close();
  assert.ok(waiting.peer.hasEnd);
});
