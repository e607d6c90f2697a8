/** Producers against leaders that move, refuse, answer late, lose answers and hang. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError } from '../../base/index.ts';
import { type Answer, CLOSE, HANG, ScriptedCluster } from '../../testing/index.ts';
import { apis, type ErrorName, errorCode, type ProduceResponseInput } from '../../wire/index.ts';
import { ATTRIBUTE, BatchHeader, CODEC, RecordBatchBuilder, RecordCursor } from '../../wire/records/index.ts';
import { Producer, type ProducerSettings } from './producer.ts';

type Fate = ErrorName | 'answer lost' | 'request lost' | 'left out' | typeof HANG;

/** What leaders do with batches: take them by the rules of idempotent producers, and fail as they are told. */
class Leaders {
  readonly scripted: ScriptedCluster;
  /** What happens to the next batches of a partition. */
  readonly fates = new Map<string, Fate[]>();
  /** Largest batch that is taken. */
  batchBytesMax = Number.POSITIVE_INFINITY;
  readonly sizes: number[] = [];
  private readonly producers = new Map<string, { epoch: number; next: number; last: Map<number, number> }>();
  private ids = 0;

  constructor(scripted: ScriptedCluster) {
    this.scripted = scripted;
    for (const broker of scripted.brokers) {
      broker.on(apis.initProducerId, () => ({
        throttleTimeMs: 0,
        errorCode: 0,
        producerId: ++this.ids,
        producerEpoch: 0,
      }));
      broker.on(apis.produce, ({ topicData }): Answer<ProduceResponseInput> => {
        let answer: typeof HANG | typeof CLOSE | undefined;
        const responses = topicData.map(({ partitionData, topicId }) => {
          const name = [...scripted.topics].find(([, { id }]) => id === topicId)?.[0];
          const partitionResponses = partitionData.flatMap(({ index, records }) => {
            const failed = (error: ErrorName) => [{ index, errorCode: errorCode(error), baseOffset: -1 }];
            if (name === undefined) return failed('UNKNOWN_TOPIC_ID');
            if (scripted.topics.get(name)!.leaders[index] !== broker.node) return failed('NOT_LEADER_OR_FOLLOWER');
            const fate = this.fates.get(`${name}/${index}`)?.shift();
            if (fate === 'answer lost') answer = CLOSE;
            else if (fate === 'request lost' || fate === HANG) {
              answer = fate === HANG ? HANG : CLOSE;
              return [];
            } else if (fate === 'left out') return [];
            else if (fate !== undefined) return failed(fate);
            const error = this.take(`${name}/${index}`, Uint8Array.from(records as Uint8Array));
            return error ? failed(error) : [{ index, errorCode: 0, baseOffset: 0 }];
          });
          return { topicId, partitionResponses };
        });
        return answer ?? { responses, throttleTimeMs: 0 };
      });
    }
  }

  private take(place: string, bytes: Uint8Array): ErrorName | undefined {
    const header = new BatchHeader(bytes);
    this.sizes.push(bytes.length);
    if (header.computeCrc() !== header.crc) return 'CORRUPT_MESSAGE';
    if (bytes.length > this.batchBytesMax) return 'MESSAGE_TOO_LARGE';
    if (header.producerId >= 0) {
      const key = `${place} ${header.producerId}`;
      const { baseSequence, producerEpoch: epoch, recordCount } = header;
      let state = this.producers.get(key) ?? { epoch, next: baseSequence, last: new Map<number, number>() };
      if (epoch < state.epoch) return 'INVALID_PRODUCER_EPOCH';
      if (epoch > state.epoch) state = { epoch, next: 0, last: new Map() };
      if (state.last.get(baseSequence) === recordCount) return undefined;
      if (baseSequence !== state.next) return 'OUT_OF_ORDER_SEQUENCE_NUMBER';
      state.next = (baseSequence + recordCount) % 2 ** 31;
      state.last.set(baseSequence, recordCount);
      if (state.last.size > 5) state.last.delete(state.last.keys().next().value!);
      this.producers.set(key, state);
    }
    this.scripted.logs.get(place)!.push(bytes);
    return undefined;
  }

  /** Values of a partition, in order. */
  values(place: string): string[] {
    const values: string[] = [];
    for (const batch of this.scripted.logs.get(place)!) {
      const cursor = new RecordCursor().open(batch);
      while (cursor.advance()) values.push(Buffer.from(cursor.value!).toString());
    }
    return values;
  }
}

interface Producing {
  readonly scripted: ScriptedCluster;
  readonly leaders: Leaders;
  readonly producer: Producer;
  /** Values in the order in which they were settled, with the code of what failed them. */
  readonly settled: string[];
  send(partition: number | undefined, value: string): boolean;
}

function start(settings: Partial<ProducerSettings> = {}, partitions = 2, hosts = ['a', 'b']): Producing {
  const scripted = new ScriptedCluster(hosts);
  scripted.topic(
    't',
    Array.from({ length: partitions }, (_, i) => (i % hosts.length) + 1),
  );
  const leaders = new Leaders(scripted);
  const cluster = scripted.client({ 'retry.backoff.max.ms': '200' }, { requestTimeoutMs: 2_000 });
  const producer = new Producer(cluster, { acknowledgeTimeoutMs: 1_000, ...settings });
  const settled: string[] = [];
  const values: string[] = [];
  const done = (tags: readonly number[], error: Error | undefined): void => {
    for (const tag of tags) settled.push(`${values[tag]!}${error ? ` ${(error as MillraceError).code}` : ''}`);
  };
  return {
    scripted,
    leaders,
    producer,
    settled,
    send: (partition, value) => {
      values.push(value);
      return producer.append('t', partition, { key: null, value: Buffer.from(value) }, done, values.length - 1);
    },
  };
}

const list = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `${from + i}`);

function code(expected: string, text = /./): (error: unknown) => boolean {
  return error => error instanceof MillraceError && error.code === expected && text.test(error.message);
}

test('records gather until the batch is full or its time is over, and batches of a node travel together', async () => {
  const { leaders, producer, scripted, send, settled } = start({ lingerMs: 1_000, batchBytes: 1_000 }, 4);
  for (const value of list(0, 8)) send(Number(value) % 4, value);
  await scripted.pass(900);
  assert.equal(scripted.seen(apis.produce).length, 0);
  await scripted.settle(producer.flush());
  // Partitions 0 and 2 are led by the first node.
  assert.equal(scripted.seen(apis.produce).length, 2);
  assert.deepEqual(leaders.values('t/1'), ['1', '5']);
  assert.equal(settled.length, 8);
  const body = 'x'.repeat(400);
  for (let i = 0; i < 3; i++) send(0, body);
  await scripted.pass(600);
  assert.equal(leaders.values('t/0').length, 4, 'the full one left before its time');
  await scripted.pass(900);
  assert.equal(leaders.values('t/0').length, 5);
});

test('one function is told once for all its records of a batch', async () => {
  const { producer, scripted } = start({ lingerMs: 5 }, 1);
  const told: number[][] = [];
  const done = (tags: readonly number[]): void => void told.push([...tags]);
  await scripted.settle(producer.prepare('t'));
  for (let tag = 0; tag < 1_000; tag++) producer.append('t', 0, { key: null, value: Buffer.from('x') }, done, tag);
  await scripted.settle(producer.flush());
  assert.deepEqual(told, [Array.from({ length: 1_000 }, (_, i) => i)]);
});

for (const fates of [
  ['NOT_LEADER_OR_FOLLOWER'],
  ['answer lost'],
  ['request lost'],
  ['left out'],
  ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'answer lost'],
  ['KAFKA_STORAGE_ERROR', 'request lost', 'answer lost', 'NOT_ENOUGH_REPLICAS', 'left out', 'REQUEST_TIMED_OUT'],
  [HANG, 'answer lost'],
] as const satisfies readonly (readonly Fate[])[]) {
  const what = fates.map(fate => (fate === HANG ? 'no answer' : fate)).join(', ');
  test(`order is kept and nothing doubled with five batches under way through: ${what}`, async () => {
    const { leaders, producer, scripted, send, settled } = start({ lingerMs: 0, batchBytes: 1 });
    const values = list(0, 60);
    for (const value of values.slice(0, 20)) send(0, value);
    await scripted.pass(30);
    // In the middle, with several batches before and behind.
    leaders.fates.set('t/0', [...fates]);
    for (const value of values.slice(20)) send(0, value);
    send(1, 'other');
    await scripted.settle(producer.flush());
    assert.deepEqual(leaders.values('t/0'), values);
    assert.deepEqual(
      settled.filter(value => value !== 'other'),
      values,
    );
    assert.ok(producer.retries > 0);
    assert.equal(scripted.seen(apis.initProducerId).length, 1, 'one identity for all partitions, never renewed');
  });
}

test('what trying again does not help fails its batch at once, with the reason and the remedy, and nothing else', async () => {
  const { leaders, producer, scripted, send, settled } = start({ lingerMs: 0, batchBytes: 1 }, 1, ['a']);
  leaders.fates.set('t/0', ['INVALID_RECORD', 'TOPIC_AUTHORIZATION_FAILED']);
  for (const value of list(0, 5)) send(0, value);
  await scripted.settle(producer.flush());
  assert.deepEqual(settled, ['0 MR4205', '1 MR4230', '2', '3', '4']);
  assert.deepEqual(leaders.values('t/0'), ['2', '3', '4']);
  leaders.fates.set('t/0', ['TOPIC_AUTHORIZATION_FAILED']);
  await assert.rejects(
    scripted.settle(producer.send('t', 0, null, Buffer.from('x'))),
    error => code('MR4230', /Produce to t\/0/)(error) && /right to the topic/.test((error as MillraceError).help),
  );
});

test('a sequence that the broker does not know what to do with costs an epoch, and neither order nor a record', async () => {
  const { leaders, producer, scripted, send } = start({ lingerMs: 0, batchBytes: 1 }, 1, ['a']);
  const values = list(0, 30);
  for (const value of values.slice(0, 10)) send(0, value);
  await scripted.settle(producer.flush());
  leaders.fates.set('t/0', ['OUT_OF_ORDER_SEQUENCE_NUMBER']);
  for (const value of values.slice(10)) send(0, value);
  await scripted.settle(producer.flush());
  assert.deepEqual(leaders.values('t/0'), values);
  const epochs = scripted.logs.get('t/0')!.map(batch => new BatchHeader(batch).producerEpoch);
  assert.deepEqual([...new Set(epochs)], [0, 1]);
  // A newer producer by our id: another id.
  leaders.fates.set('t/0', ['INVALID_PRODUCER_EPOCH']);
  send(0, 'last');
  await scripted.settle(producer.flush());
  assert.equal(leaders.values('t/0').at(-1), 'last');
  assert.equal(scripted.seen(apis.initProducerId).length, 2);
});

test('a batch that the broker has already is delivered', async () => {
  const { leaders, producer, scripted } = start({ lingerMs: 0 }, 1, ['a']);
  leaders.fates.set('t/0', ['DUPLICATE_SEQUENCE_NUMBER']);
  await scripted.settle(producer.send('t', 0, null, Buffer.from('x')));
});

test('a delivery is given up in its time: no broker, a broker that hangs, no leader', async () => {
  const cases: readonly (readonly [string, (producing: Producing) => void, RegExp])[] = [
    ['no broker', ({ scripted }) => scripted.brokers.forEach(broker => broker.stop()), /ECONNREFUSED/],
    ['hangs', ({ scripted }) => scripted.brokers[0]!.on(apis.produce, () => HANG), /not answered/],
    ['no leader', ({ scripted }) => (scripted.topics.get('t')!.leaders[0] = -1), /no leader/],
  ];
  for (const [what, spoil, reason] of cases) {
    const producing = start({ lingerMs: 0, deliveryTimeoutMs: 10_000 });
    const { producer, scripted, send, settled } = producing;
    send(0, 'before');
    await scripted.settle(producer.flush());
    spoil(producing);
    (producer as unknown as { cluster: { forget(topic: string): void } }).cluster.forget('t');
    const started = scripted.world.time;
    const result = producer.send('t', 0, null, Buffer.from('x')).catch((error: unknown) => error as MillraceError);
    const error = (await scripted.settle(result)) as MillraceError;
    assert.ok(code('MR4206', /1 records for t\/0 were not delivered within 10000 ms/)(error), what);
    assert.match(error.message, reason, what);
    const tookMs = scripted.world.time - started;
    // A request under way is waited for: it may still be taken.
    assert.ok(tookMs >= 10_000 && tookMs < 17_000, `${what}: ${tookMs}`);
    assert.deepEqual(settled, ['before']);
  }
});

test('memory is bounded: append says so, and who waits goes on when there is room', async () => {
  const MAX = 20_000;
  const { leaders, producer, scripted, send } = start({ lingerMs: 0, batchBytes: 1_000, memoryBytesMax: MAX }, 1, [
    'a',
  ]);
  scripted.brokers[0]!.stop();
  let sent = 0;
  while (send(0, 'x'.repeat(100))) sent++;
  assert.ok(sent > 100 && sent * 100 < MAX);
  assert.equal(producer.hasRoom, false);
  let isWoken = false;
  producer.whenWritable(() => {
    isWoken = true;
  });
  await scripted.pass(1_000);
  assert.equal(isWoken, false);
  scripted.brokers[0]!.start();
  await scripted.settle(producer.flush());
  assert.ok(isWoken && producer.hasRoom);
  assert.equal(leaders.values('t/0').length, sent + 1);
});

test('a finished batch is forwarded as it is, but for who sends it', async () => {
  const { producer, scripted } = start({ lingerMs: 1_000 }, 1, ['a']);
  const builder = new RecordBatchBuilder();
  for (const value of ['a', 'b']) builder.append(1_000, Buffer.from('k'), Buffer.from(value.repeat(99)));
  const bytes = builder.finish({ codec: 'zstd' });
  bytes[22]! |= ATTRIBUTE.transactional | ATTRIBUTE.logAppendTime;
  const body = Buffer.from(bytes.subarray(61));
  producer.append('t', 0, { key: null, value: Buffer.from('first') }, () => undefined);
  await scripted.settle(producer.sendRecordBatch('t', 0, bytes));
  const [first, second] = scripted.logs.get('t/0')!;
  assert.equal(new BatchHeader(first!).recordCount, 1, 'what was given before goes before it');
  const header = new BatchHeader(second!);
  assert.deepEqual([header.codec, header.isTransactional, header.isLogAppendTime], [CODEC.zstd, false, false]);
  assert.deepEqual([header.baseSequence, header.recordCount], [1, 2]);
  assert.deepEqual(Buffer.from(second!.subarray(61)), body);
});

for (const [what, change, reason] of [
  ['a control batch', (bytes: Uint8Array) => (bytes[22]! |= ATTRIBUTE.control), /it is a control batch/],
  ['one with gaps', (bytes: Uint8Array) => (bytes[26] = 9), /gaps/],
  ['one without records', (bytes: Uint8Array) => (bytes[60] = 0), /no record/],
  ['an older format', (bytes: Uint8Array) => (bytes[16] = 1), /message format 2/],
  ['half a batch', (bytes: Uint8Array) => (bytes[11] = 255), /one whole batch/],
] as const) {
  test(`${what} is not forwarded`, async () => {
    const { producer, scripted } = start({}, 1);
    const builder = new RecordBatchBuilder();
    builder.append(0, null, Buffer.from('x'));
    const bytes = builder.finish();
    change(bytes);
    await assert.rejects(scripted.settle(producer.sendRecordBatch('t', 0, bytes)), code('MR4223', reason));
    await scripted.settle(producer.flush());
  });
}

test('batches that are too large for the topic go in smaller ones, and so do those behind', async () => {
  const { leaders, producer, scripted, send, settled } = start({ lingerMs: 5, batchBytes: 4_000 }, 1, ['a']);
  leaders.batchBytesMax = 1_000;
  const values = Array.from({ length: 60 }, (_, i) => `${i}`.padEnd(100, '.'));
  for (const value of values) send(0, value);
  await scripted.settle(producer.flush());
  assert.deepEqual(leaders.values('t/0'), values);
  assert.deepEqual(settled, values);
  const refusals = leaders.sizes.filter(size => size > 1_000).length;
  for (const value of values) send(0, value);
  await scripted.settle(producer.flush());
  assert.equal(leaders.sizes.filter(size => size > 1_000).length, refusals, 'nobody tries a large one again');
  send(0, 'y'.repeat(2_000));
  await scripted.settle(producer.flush());
  assert.match(settled.at(-1)!, /MR4205$/);
});

test('a topic created again by the same name takes what was on its way', async () => {
  const { leaders, producer, scripted, send, settled } = start({ lingerMs: 0, batchBytes: 1 }, 1, ['a']);
  for (const value of list(0, 5)) send(0, value);
  await scripted.settle(producer.flush());
  scripted.topic('t', [1]);
  for (const value of list(5, 10)) send(0, value);
  await scripted.settle(producer.flush());
  assert.deepEqual(leaders.values('t/0'), list(5, 10));
  assert.deepEqual(settled, list(0, 10));
});

test('partitions that are added get their share', async () => {
  const scripted = new ScriptedCluster();
  scripted.topic('t', [1]);
  const leaders = new Leaders(scripted);
  const cluster = scripted.client({ 'metadata.max.age.ms': '1000' });
  const producer = new Producer(cluster, { lingerMs: 0, partitioner: 'murmur2_random' });
  await scripted.settle(producer.prepare('t'));
  const send = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) {
      producer.append('t', undefined, { key: Buffer.from(`${i}`), value: Buffer.from('x') }, () => undefined);
      await scripted.pass(100);
    }
    await scripted.settle(producer.flush());
  };
  await send();
  scripted.topics.set('t', { ...scripted.topics.get('t')!, leaders: [1, 1], epochs: [0, 0] });
  scripted.logs.set('t/1', []);
  await send();
  assert.ok(leaders.values('t/1').length > 10);
});

test('an identity is asked for until it is there; one that is refused fails what is sent', async () => {
  const { producer, scripted } = start({ lingerMs: 0, deliveryTimeoutMs: 60_000 }, 1, ['a']);
  const errors: ErrorName[] = [
    'COORDINATOR_LOAD_IN_PROGRESS',
    'COORDINATOR_LOAD_IN_PROGRESS',
    'CLUSTER_AUTHORIZATION_FAILED',
  ];
  const answer = (): object => {
    const error = errors.shift();
    return { throttleTimeMs: 0, errorCode: error ? errorCode(error) : 0, producerId: 7, producerEpoch: 0 };
  };
  scripted.brokers[0]!.on(apis.initProducerId, () => answer() as never);
  await assert.rejects(
    scripted.settle(producer.send('t', 0, null, Buffer.from('x'))),
    code('MR4230', /InitProducerId .*CLUSTER_AUTHORIZATION_FAILED/),
  );
  await scripted.settle(producer.send('t', 0, null, Buffer.from('x')));
  assert.equal(scripted.seen(apis.initProducerId).length, 4);
});

test('without idempotence one batch of a partition is under way, and acks 0 and 1 ask for no identity', async () => {
  for (const [acks, isIdempotent] of [
    [0, true],
    [1, true],
    [-1, false],
  ] as const) {
    const { leaders, producer, scripted, send, settled } = start(
      { acks, isIdempotent, lingerMs: 0, batchBytes: 1 },
      1,
      ['a'],
    );
    if (acks === 0) scripted.brokers[0]!.on(apis.produce, () => HANG);
    for (const value of list(0, 10)) send(0, value);
    await scripted.settle(producer.flush());
    assert.deepEqual(settled, list(0, 10));
    if (acks !== 0) assert.deepEqual(leaders.values('t/0'), list(0, 10));
    assert.equal(scripted.seen(apis.initProducerId).length, 0);
  }
});

test('what is sent again is counted', async () => {
  const retried: number[] = [];
  const { leaders, producer, scripted, send } = start({ lingerMs: 0, onRetry: records => retried.push(records) }, 1, [
    'a',
  ]);
  leaders.fates.set('t/0', ['NOT_ENOUGH_REPLICAS', 'NOT_ENOUGH_REPLICAS']);
  for (const value of list(0, 3)) send(0, value);
  await scripted.settle(producer.flush());
  assert.deepEqual(retried, [3, 3]);
});

test('a client that is closed settles everything it had', async () => {
  const { producer, scripted, send, settled } = start({ lingerMs: 0 }, 1, ['a']);
  scripted.brokers[0]!.on(apis.produce, () => HANG);
  for (const value of list(0, 3)) send(0, value);
  await scripted.pass(100);
  await (producer as unknown as { cluster: { close(): Promise<void> } }).cluster.close();
  send(0, 'later');
  await scripted.settle(producer.flush());
  assert.deepEqual(settled, ['0 MR4208', '1 MR4208', '2 MR4208', 'later MR4208']);
});
