/**
 * Formats 0 and 1 over the wire: Produce 0 to 2 in, Fetch 0 to 3 out, beside clients of format 2 on the same topic. Frames
 * are put together from the layouts, without our codec.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import {
  type LegacyMessage,
  message,
  messageSet,
  startTestBroker,
  type TestBroker,
  wrapper,
} from '../../src/testing/index.ts';
import {
  BatchHeader,
  CODEC,
  type CodecName,
  MessageSetCursor,
  RecordBatchBuilder,
  RecordCursor,
} from '../../src/wire/records/index.ts';
import { array, bytes, i8, i16, i32, i64, RawClient, str, struct } from './raw-client.ts';

const PRODUCE = 0;
const FETCH = 1;
const TIME = 1_450_000_000_000;
const MIB = 1_048_576;

interface Produced {
  readonly error: number;
  readonly offset: number;
  readonly appendTime: number | undefined;
}

interface Fetched {
  readonly error: number;
  readonly highWatermark: number;
  readonly records: Buffer;
}

class OldClient {
  readonly raw: RawClient;

  constructor(raw: RawClient) {
    this.raw = raw;
  }

  async produce(version: number, set: Uint8Array, topic = 't', acks = 1): Promise<Produced> {
    const body = produceBody(version, set, topic, acks);
    return this.raw.ask(PRODUCE, version, body, f => {
      const [answer] = f.array(() => {
        f.str();
        return f.array(() => {
          f.i32();
          return { error: f.i16(), offset: f.i64(), appendTime: version >= 2 ? f.i64() : undefined };
        });
      });
      if (version >= 1) f.i32();
      return answer![0]!;
    });
  }

  async fetch(
    version: number,
    offset: number,
    options: { topic?: string; maxBytes?: number; waitMs?: number; minBytes?: number } = {},
  ): Promise<Fetched> {
    const { maxBytes = MIB, minBytes = 1, topic = 't', waitMs = 0 } = options;
    const body = struct(
      i32(-1),
      i32(waitMs),
      i32(minBytes),
      ...(version >= 3 ? [i32(50 * MIB)] : []),
      ...(version >= 4 ? [i8(0)] : []),
      ...(version >= 7 ? [i32(0), i32(-1)] : []),
      array(
        struct(
          str(topic),
          array(
            struct(
              i32(0),
              ...(version >= 9 ? [i32(-1)] : []),
              i64(offset),
              ...(version >= 5 ? [i64(-1)] : []),
              i32(maxBytes),
            ),
          ),
        ),
      ),
      ...(version >= 7 ? [array()] : []),
    );
    return this.raw.ask(FETCH, version, body, f => {
      if (version >= 1) f.i32();
      if (version >= 7) f.i16();
      if (version >= 7) f.i32();
      const [answer] = f.array(() => {
        f.str();
        return f.array(() => {
          f.i32();
          const error = f.i16();
          const highWatermark = f.i64();
          if (version >= 4) f.i64();
          if (version >= 5) f.i64();
          if (version >= 4) f.i32();
          return { error, highWatermark, records: f.bytes()! };
        });
      });
      return answer![0]!;
    });
  }
}

function produceBody(version: number, set: Uint8Array, topic: string, acks: number): Buffer {
  const transactionalId = version >= 3 ? [str(null)] : [];
  return struct(
    ...transactionalId,
    i16(acks),
    i32(30_000),
    array(struct(str(topic), array(struct(i32(0), bytes(set))))),
  );
}

async function start(
  t: TestContext,
  configs: readonly (readonly [string, string])[] = [],
): Promise<{ server: TestBroker; client: OldClient }> {
  const server = await startTestBroker();
  await server.log.createTopic('', 't', 1, new Map(configs));
  const raw = await RawClient.connect(server.address.port);
  t.after(async () => {
    raw.close();
    await server.close();
  });
  return { server, client: new OldClient(raw) };
}

const text = (value: Uint8Array | null): string | null => value && Buffer.from(value).toString();

interface Read {
  offset: number;
  timestamp: number;
  key: string | null;
  value: string | null;
}

function readAll(cursor: MessageSetCursor | RecordCursor): Read[] {
  const list: Read[] = [];
  while (cursor.advance()) {
    const { key, offset, timestamp, value } = cursor;
    list.push({ offset, timestamp, key: text(key), value: text(value) });
  }
  return list;
}

const readSet = (set: Uint8Array): Read[] => readAll(new MessageSetCursor().open(set));
const offsetsOf = (set: Uint8Array): number[] => readSet(set).map(({ offset }) => offset);

function messages(magic: 0 | 1, label: string, count = 3): LegacyMessage[] {
  return Array.from({ length: count }, (_, i) => ({
    magic,
    timestamp: magic === 1 ? TIME + i : -1,
    key: i % 2 === 0 ? null : Buffer.from(`key ${i}`),
    value: i === 2 ? null : Buffer.from(`${label} ${i} `.repeat(20)),
  }));
}

function batchOf(
  values: readonly string[],
  codec: CodecName = 'none',
  flags: { isControl?: boolean } = {},
): Uint8Array {
  const builder = new RecordBatchBuilder();
  for (const value of values) builder.append(TIME, null, Buffer.from(value), [['header', Buffer.from('h')]]);
  return builder.finish({ codec, ...flags });
}

test('messages of every format and codec are read by every Fetch with keys, values, timestamps and order', async t => {
  const { client, server } = await start(t);
  const expected: Read[] = [];
  for (const [version, magic] of [
    [0, 0],
    [1, 0],
    [2, 1],
  ] as const) {
    for (const codec of ['none', 'gzip', 'snappy', 'lz4'] as const) {
      const list = messages(magic, `produce ${version} ${codec}`);
      const { error, offset } = await client.produce(
        version,
        codec === 'none' ? messageSet(list) : wrapper(codec, list),
      );
      assert.equal(error, 0);
      assert.equal(offset, expected.length);
      for (const { key, timestamp, value } of list) {
        expected.push({ offset: expected.length, timestamp: timestamp!, key: text(key!), value: text(value!) });
      }
      const [batch] = server.log.read(server.log.topic('', 't')!.partitions[0]!, offset, 1);
      assert.equal(new BatchHeader(batch!).codec, CODEC[codec]);
    }
  }
  assert.equal((await client.produce(3, batchOf(['format 2', 'with headers'], 'gzip'))).offset, expected.length);
  for (const value of ['format 2', 'with headers']) {
    expected.push({ offset: expected.length, timestamp: TIME, key: null, value });
  }
  for (const version of [0, 1, 2, 3]) {
    const { error, highWatermark, records } = await client.fetch(version, 0);
    assert.equal(error, 0);
    assert.equal(highWatermark, expected.length);
    const without = expected.map(record => (version < 2 ? { ...record, timestamp: -1 } : record));
    assert.deepEqual(readSet(records), without, `Fetch ${version}`);
    const cursor = new MessageSetCursor().open(records);
    while (cursor.advance()) assert.equal(cursor.magic, version < 2 ? 0 : 1);
  }
  const { records } = await client.fetch(4, 0);
  const inBatches: Read[] = [];
  const header = new BatchHeader(records);
  for (let at = 0; at < records.length; at += header.at(at).sizeBytes) {
    inBatches.push(...readAll(new RecordCursor().open(records.subarray(at))));
  }
  assert.deepEqual(inBatches, expected);
});

test('wrong inner offsets are given anew', async t => {
  const { client } = await start(t);
  for (const inner of ['zero', 'absolute', 'relative'] as const) {
    const list = messages(1, inner).map((one, i) => ({ ...one, offset: 7_000 + i }));
    await client.produce(2, wrapper('gzip', list, { inner, offset: 0 }));
  }
  assert.deepEqual(offsetsOf((await client.fetch(2, 0)).records), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
});

test('log append time is the broker’s, told to Produce 2 and to Fetch 2', async t => {
  const { client, server } = await start(t, [['message.timestamp.type', 'LogAppendTime']]);
  const before = server.io.clock.now();
  const { appendTime } = await client.produce(2, wrapper('snappy', messages(1, 'x')));
  assert.ok(appendTime! >= before);
  await client.produce(0, messageSet(messages(0, 'y')));
  const cursor = new MessageSetCursor().open((await client.fetch(2, 0)).records);
  let count = 0;
  for (; cursor.advance(); count++) {
    assert.ok(cursor.timestamp >= appendTime!);
    assert.ok(cursor.isLogAppendTime);
  }
  assert.equal(count, 6);
});

test('messages without a timestamp are kept by the time of their arrival, as long as any', async t => {
  const { client, server } = await start(t, [['retention.ms', '3600000']]);
  await client.produce(0, messageSet(messages(0, 'new')));
  await server.log.applyRetention();
  assert.deepEqual(offsetsOf((await client.fetch(0, 0)).records), [0, 1, 2]);
  // Those that are old by their own account go.
  await server.log.createTopic('', 'old', 1, new Map([['retention.ms', '3600000']]));
  await client.produce(2, messageSet(messages(1, 'old')), 'old');
  await server.log.applyRetention();
  assert.equal((await client.fetch(2, 0, { topic: 'old' })).error, 1);
});

const good = messageSet(messages(1, 'good'));
const flipped = Uint8Array.from(good);
flipped[flipped.length - 1]! ^= 1;
const refusals: readonly (readonly [string, Uint8Array, number])[] = [
  ['a crc that does not match', flipped, 2],
  ['a message cut short', good.subarray(0, -1), 2],
  ['a wrapper in a wrapper', wrapper('gzip', [{ magic: 1, attributes: 1, value: good }]), 2],
  ['nothing', new Uint8Array(0), 2],
  ['a batch of format 2', batchOf(['x']), 2],
  ['zstd', message({ magic: 1, attributes: 4, value: Buffer.from('x') }), 76],
  ['a timestamp before all time', message({ magic: 1, timestamp: -5, value: Buffer.from('x') }), 32],
  ['a message larger than the topic takes', message({ magic: 0, value: new Uint8Array(MIB) }), 10],
];

for (const [what, set, code] of refusals) {
  test(`${what} is refused with ${code} and stores nothing`, async t => {
    const { client, server } = await start(t);
    assert.deepEqual(await client.produce(2, set), { error: code, offset: -1, appendTime: -1 });
    // Right messages in front of wrong ones are not stored either.
    assert.equal((await client.produce(1, Buffer.concat([good, set]))).error, what === 'nothing' ? 0 : code);
    assert.equal(server.log.topic('', 't')!.partitions[0]!.syncedEnd, what === 'nothing' ? 3 : 0);
    assert.equal(server.broker.refusals()[0]?.code, 'MR5410');
    client.raw.send(PRODUCE, 0, produceBody(0, set, 't', 0));
    await client.raw.closed();
  });
}

test('a set larger than max.message.bytes of smaller messages is stored whole', async t => {
  const { client, server } = await start(t, [['max.message.bytes', '2000']]);
  const list = messages(0, 'many', 100);
  assert.deepEqual(await client.produce(0, messageSet(list)), { error: 0, offset: 0, appendTime: undefined });
  const partition = server.log.topic('', 't')!.partitions[0]!;
  assert.equal(partition.syncedEnd, 100);
  const pieces = server.log.read(partition, 0, MIB);
  const all = Buffer.concat(pieces);
  const header = new BatchHeader(all);
  let count = 0;
  for (let at = 0; at < all.length; at += header.at(at).sizeBytes) {
    count++;
    assert.ok(header.at(at).sizeBytes <= 2_000);
  }
  assert.ok(count > 1);
});

test('requests of one connection that wait for their conversion do not overtake each other', async t => {
  const { client } = await start(t);
  const big = Array.from({ length: 3_000 }, (_, i) => ({ magic: 1 as const, value: Buffer.from(`${i} `.repeat(100)) }));
  for (let i = 0; i < 8; i++) {
    const set = i % 2 === 0 ? wrapper('gzip', big) : messageSet([{ magic: 1, value: Buffer.from(`small ${i}`) }]);
    client.raw.send(PRODUCE, 2, produceBody(2, set, 't', 1));
  }
  const offsets: bigint[] = [];
  for (let i = 0; i < 8; i++) {
    const frame = await client.raw.frame();
    assert.equal(frame.readInt32BE(0), i + 1);
    offsets.push(frame.readBigInt64BE(frame.length - 20));
  }
  assert.deepEqual(offsets, [0n, 3_000n, 3_001n, 6_001n, 6_002n, 9_002n, 9_003n, 12_003n]);
});

test('a fetch inside a batch begins at its offset', async t => {
  const { client, server } = await start(t);
  const { log } = server;
  const partition = log.topic('', 't')!.partitions[0]!;
  for (const codec of ['none', 'lz4'] as const) {
    await log.append(
      partition,
      batchOf(
        Array.from({ length: 10 }, (_, i) => `${codec} ${i} `.repeat(9)),
        codec,
      ),
    );
  }
  assert.deepEqual(offsetsOf((await client.fetch(0, 17)).records), [17, 18, 19]);
  assert.deepEqual(offsetsOf((await client.fetch(2, 8)).records)[0], 8);
});

test('what a client gets stays below what it asked for, but for a first message that is larger', async t => {
  const { client, server } = await start(t);
  const { log } = server;
  const partition = log.topic('', 't')!.partitions[0]!;
  const small = Array.from({ length: 2_000 }, (_, i) => `${i}`.padEnd(1_000, '.'));
  await log.append(partition, batchOf(['x'.repeat(400_000)]));
  await log.append(partition, batchOf(small));
  const first = await client.fetch(0, 0, { maxBytes: 1_000 });
  assert.deepEqual(offsetsOf(first.records), [0]);
  let next = 1;
  while (next < 2_001) {
    const { records } = await client.fetch(1, next, { maxBytes: 300_000 });
    assert.ok(records.length > 0 && records.length <= 300_000);
    for (const offset of offsetsOf(records)) assert.equal(offset, next++);
  }
});

test('control batches are hidden from formats 0 and 1: passed over, and no answer to a wait', async t => {
  const { client, server } = await start(t);
  const { log } = server;
  const partition = log.topic('', 't')!.partitions[0]!;
  const control = (): Promise<unknown> => log.append(partition, batchOf(['marker'], 'none', { isControl: true }));
  for (let i = 0; i < 4; i++) await control();
  await log.append(partition, batchOf(['data']));
  await control();
  // A limit below the first control batch does not keep the client in front of it for ever.
  for (const version of [0, 3]) {
    assert.deepEqual(offsetsOf((await client.fetch(version, 0, { maxBytes: 10 })).records), [4]);
  }
  const waiting = client.fetch(1, 5, { waitMs: 30_000 });
  await control();
  await log.append(partition, batchOf(['more']));
  assert.deepEqual(offsetsOf((await waiting).records), [7]);
  const atEnd = await client.fetch(2, 8, { waitMs: 1 });
  assert.deepEqual({ error: atEnd.error, size: atEnd.records.length }, { error: 0, size: 0 });
  assert.equal((await client.fetch(2, 9)).error, 1);
});

test('zstd is 76 to every Fetch below 10, behind what comes before it', async t => {
  const { client, server } = await start(t);
  const { log } = server;
  const partition = log.topic('', 't')!.partitions[0]!;
  await log.append(partition, batchOf(['before']));
  await log.append(partition, batchOf(['z'.repeat(500)], 'zstd'));
  for (const version of [0, 1, 2, 3, 4, 9]) {
    const before = await client.fetch(version, 0);
    assert.equal(before.error, 0);
    assert.ok(before.records.length > 0 && before.records.length < 200, `Fetch ${version}`);
    const { error, records } = await client.fetch(version, 1);
    assert.deepEqual({ error, size: records.length }, { error: 76, size: 0 }, `Fetch ${version}`);
  }
  assert.equal((await client.fetch(10, 1)).error, 0);
  assert.deepEqual(
    server.broker.refusals().map(({ code, count }) => [code, count]),
    [['MR5419', 6]],
  );
});
