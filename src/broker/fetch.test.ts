/** Fetch and ListOffsets over the wire: sizes, waiting, fairness, and where offsets lie. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimBroker, type SimBrokerParts, type WireClient } from '../testing/index.ts';
import { apis, type FetchResponse } from '../wire/index.ts';
import { BatchHeader } from '../wire/records/index.ts';
import { batch } from './rig-cases.ts';

interface Wish {
  readonly partition: number;
  readonly offset?: number;
  readonly bytes?: number;
}

interface Limits {
  readonly bytes?: number;
  readonly minBytes?: number;
  readonly waitMs?: number;
  readonly topicId?: string;
}

async function start(partitions = 1, parts: SimBrokerParts = {}) {
  const sim = await SimBroker.start(parts);
  const topic = await sim.finish(sim.log.createTopic('', 't', partitions));
  const append = (index: number, bytes = 100, count = 1): Promise<unknown> => {
    const values = Array(count).fill('x'.repeat(bytes));
    return sim.finish(sim.log.append(topic.partitions[index]!, Uint8Array.from(batch(values))));
  };
  return { sim, topic, append, client: await sim.client() };
}

function fetch(client: WireClient, wishes: readonly Wish[], limits: Limits = {}): Promise<FetchResponse> {
  const partitions = wishes.map(({ bytes = 1_000_000, offset = 0, partition }) => ({
    partition,
    fetchOffset: offset,
    partitionMaxBytes: bytes,
  }));
  return client.ask(apis.fetch, limits.topicId === undefined ? 12 : 13, {
    maxWaitMs: limits.waitMs ?? 0,
    minBytes: limits.minBytes ?? 1,
    maxBytes: limits.bytes ?? 50_000_000,
    topics: [{ topic: 't', topicId: limits.topicId ?? '', partitions }],
    forgottenTopicsData: [],
    rackId: '',
  });
}

/** Bytes by partition. */
function sizes({ responses }: FetchResponse): Record<number, number> {
  const found = responses[0]!.partitions.map(
    ({ partitionIndex, records }) => [partitionIndex, records!.length] as const,
  );
  return Object.fromEntries(found);
}

test('the batch that contains the offset comes whole, with what follows it', async () => {
  const { append, client, sim } = await start();
  for (let i = 0; i < 3; i++) await append(0, 10, 5);
  const answer = await sim.finish(fetch(client, [{ partition: 0, offset: 7 }]));
  const [partition] = answer.responses[0]!.partitions;
  assert.equal(new BatchHeader(partition!.records as Uint8Array).baseOffset, 5);
  assert.deepEqual([partition!.highWatermark, partition!.lastStableOffset, partition!.logStartOffset], [15, 15, 0]);
  const size = new BatchHeader(partition!.records as Uint8Array).sizeBytes;
  assert.equal(partition!.records!.length, 2 * size);
  const end = await sim.finish(fetch(client, [{ partition: 0, offset: 15 }]));
  assert.deepEqual(
    [end.responses[0]!.partitions[0]!.errorCode, end.responses[0]!.partitions[0]!.records?.length],
    [0, 0],
  );
});

test('the first batch of the first partition that has one comes whatever its size; everything else keeps the limits', async () => {
  const { append, client, sim } = await start(4);
  for (const index of [1, 2, 3]) await append(index, 5_000);
  const wishes = [0, 1, 2, 3].map(partition => ({ partition, bytes: 1_000 }));
  const tight = await sim.finish(fetch(client, wishes, { bytes: 10 }));
  assert.deepEqual(
    Object.values(sizes(tight)).map(size => size > 5_000),
    [false, true, false, false],
  );
  const fresh = await sim.client();
  const whole = [1, 2, 3].map(partition => ({ partition, bytes: 6_000 }));
  const limited = await sim.finish(fetch(fresh, whole, { bytes: 11_000 }));
  assert.deepEqual(
    Object.values(sizes(limited)).map(size => size > 0),
    [true, true, false],
  );
  const nothing = await sim.finish(fetch(await sim.client(), [{ partition: 1, bytes: 0 }], { bytes: 0 }));
  assert.ok(sizes(nothing)[1]! > 5_000);
});

test('what a limit kept back comes first in the next answer, whatever the order of the request', async () => {
  const { append, client, sim } = await start(5);
  for (let index = 0; index < 5; index++) for (let i = 0; i < 6; i++) await append(index, 1_000);
  const offsets = [0, 0, 0, 0, 0];
  for (let round = 0; round < 5; round++) {
    const wishes = offsets.map((offset, partition) => ({ partition, offset }));
    const answer = await sim.finish(fetch(client, wishes, { bytes: 2_500 }));
    for (const { partitionIndex, records } of answer.responses[0]!.partitions) {
      if (records!.length > 0) offsets[partitionIndex]! += Math.round(records!.length / 1_070);
    }
  }
  assert.deepEqual(offsets, [2, 2, 2, 2, 2], 'two batches a round');
});

test('a fetch waits for its bytes, and is woken by the append that brings them', async () => {
  const { append, client, sim } = await start(2);
  const before = sim.world.time;
  const waiting = fetch(client, [{ partition: 0 }, { partition: 1 }], { waitMs: 20_000, minBytes: 500 });
  await append(0, 100);
  await sim.pass(1_000);
  await append(1, 100);
  let isAnswered = false;
  void waiting.then(() => (isAnswered = true));
  await sim.pass(1_000);
  assert.ok(!isAnswered, 'too little');
  await append(0, 400);
  const answer = await sim.finish(waiting);
  assert.ok(sim.world.time - before < 4_000);
  assert.deepEqual(
    Object.values(sizes(answer)).map(size => size > 0),
    [true, true],
  );
});

test('a wait ends with its time, without anything or with less than was asked for', async () => {
  const { append, client, sim } = await start();
  const before = sim.world.time;
  await sim.finish(fetch(client, [{ partition: 0 }], { waitMs: 700 }));
  assert.ok(sim.world.time - before >= 700 && sim.world.time - before < 1_200);
  await append(0, 100);
  const little = await sim.finish(fetch(client, [{ partition: 0 }], { waitMs: 700, minBytes: 5_000 }));
  assert.ok(sizes(little)[0]! > 100);
  const atOnce = sim.world.time;
  await sim.finish(fetch(client, [{ partition: 0 }], { waitMs: 20_000, minBytes: 5_000, bytes: 50 }));
  assert.ok(sim.world.time - atOnce < 600, 'more than the maximum nobody waits for');
  await sim.finish(fetch(client, [], { waitMs: 20_000 }));
  await sim.finish(fetch(client, [{ partition: 7 }], { waitMs: 20_000 }));
  assert.ok(sim.world.time - atOnce < 2_000, 'nor for nothing, nor with an error');
});

test('deleting a topic ends the waits for it: 3 by name, 100 by id', async () => {
  const { client, sim, topic } = await start();
  const other = await sim.client();
  const waiting = [
    fetch(client, [{ partition: 0 }], { waitMs: 25_000 }),
    fetch(other, [{ partition: 0 }], { waitMs: 25_000, topicId: topic.id }),
  ];
  await sim.pass(500);
  await sim.finish(sim.log.deleteTopic(topic));
  const answers = await sim.finish(Promise.all(waiting));
  assert.deepEqual(
    answers.map(({ responses }) => responses[0]!.partitions[0]!.errorCode),
    [3, 100],
  );
  assert.ok(sim.world.time < 5_000);
});

test('an answer is read in stretches, unless more is asked for at least', async () => {
  const { append, client, sim } = await start();
  for (let i = 0; i < 10; i++) await append(0, 900_000);
  const big = { partition: 0, bytes: 50_000_000 };
  const stretch = sizes(await sim.finish(fetch(client, [big])))[0]!;
  assert.ok(stretch > 3_500_000 && stretch <= 4 * 1024 * 1024);
  const more = sizes(await sim.finish(fetch(client, [big], { minBytes: 5_500_000, waitMs: 1_000 })))[0]!;
  assert.ok(more > 5_000_000, `${more}`);
});

test('while clients leave too many answers unread, an answer is one batch', async () => {
  const { append, client, sim } = await start(2, { settings: { answerMemoryBytes: 0 } });
  for (const index of [0, 0, 1]) await append(index, 5_000);
  const found = sizes(await sim.finish(fetch(client, [{ partition: 0 }, { partition: 1 }])));
  assert.ok(found[0]! > 5_000 && found[0]! < 10_000);
  assert.equal(found[1], 0);
});

test('a client that goes while it waits leaves nothing behind', async () => {
  const { append, client, sim, topic } = await start();
  const partition = topic.partitions[0]!;
  let waiting = 0;
  const watch = partition.whenBehind.bind(partition);
  partition.whenBehind = (offset, wake) => {
    waiting++;
    const forget = watch(offset, wake);
    return () => {
      waiting--;
      forget();
    };
  };
  fetch(client, [{ partition: 0 }], { waitMs: 20_000 }).catch(() => undefined);
  await sim.pass(500);
  assert.equal(waiting, 1);
  client.destroy();
  await sim.pass(500);
  assert.deepEqual([waiting, sim.broker.openConnections], [0, 0]);
  await append(0);
});

test('offsets by time, and by what is newest, earliest and latest', async () => {
  const { client, sim, topic } = await start();
  const partition = topic.partitions[0]!;
  for (const time of [1_000, 3_000, 2_000]) {
    await sim.finish(sim.log.append(partition, Uint8Array.from(batch(['a', 'b'], {}, time))));
  }
  const list = async (timestamp: number, version = 11): Promise<readonly number[]> => {
    const topics = [{ name: 't', partitions: [{ partitionIndex: 0, timestamp, currentLeaderEpoch: 0 }] }];
    const answer = await sim.finish(client.ask(apis.listOffsets, version, { replicaId: -1, topics, timeoutMs: 0 }));
    const { errorCode, leaderEpoch, offset, timestamp: found } = answer.topics[0]!.partitions[0]!;
    assert.deepEqual([errorCode, leaderEpoch], [0, version >= 4 ? 0 : -1]);
    return [offset, found];
  };
  assert.deepEqual(await list(-1), [6, -1]);
  assert.deepEqual(await list(-2), [0, -1]);
  assert.deepEqual(await list(-3), [2, 3_000]);
  assert.deepEqual(await list(-4), [0, -1]);
  for (const none of [-5, -6]) assert.deepEqual(await list(none), [-1, -1]);
  assert.deepEqual(await list(0, 1), [0, 1_000]);
  assert.deepEqual(await list(1_500, 1), [2, 3_000]);
  assert.deepEqual(await list(3_001), [-1, -1]);
  await sim.finish(sim.log.setLogStart(partition, 4));
  assert.deepEqual(await list(-2), [4, -1]);
  assert.deepEqual(await list(-3), [4, 2_000]);
  assert.deepEqual(await list(1_500), [4, 2_000]);
});
