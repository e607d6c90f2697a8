/** Produce over the wire: what is written once, in which order, and when it is answered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimBroker, type WireClient } from '../testing/index.ts';
import { apis, ZERO_UUID } from '../wire/index.ts';
import { BatchHeader, RecordCursor } from '../wire/records/index.ts';
import { batch, corrupt, from } from './rig-cases.ts';

const OUT_OF_ORDER = 45;
const STORAGE_ERROR = 56;
const SEQUENCES = 2 ** 31;

async function start(partitions = 1, configs: readonly (readonly [string, string])[] = []) {
  const sim = await SimBroker.start();
  await sim.finish(sim.log.createTopic('', 't', partitions, new Map(configs)));
  return { sim, client: await sim.client() };
}

function message(records: Uint8Array, index = 0, acks = -1) {
  const topicData = [{ name: 't', topicId: ZERO_UUID, partitionData: [{ index, records: [records] }] }];
  return { transactionalId: null, acks, timeoutMs: 1_000, topicData };
}

/** Code and base offset. */
async function produce(client: WireClient, records: Uint8Array, version = 9): Promise<readonly [number, number]> {
  const answer = await client.ask(apis.produce, version, message(records));
  const { baseOffset, errorCode } = answer.responses[0]!.partitionResponses[0]!;
  return [errorCode, baseOffset];
}

function values(sim: SimBroker, index = 0): string[] {
  const partition = sim.log.topic('', 't')!.partitions[index]!;
  const found: string[] = [];
  for (const piece of sim.log.read(partition, 0, 1_000_000)) {
    const header = new BatchHeader(piece);
    for (let at = 0; at < piece.length; at += header.at(at).sizeBytes) {
      const cursor = new RecordCursor().open(piece.subarray(at, at + header.at(at).sizeBytes));
      while (cursor.advance()) found.push(Buffer.from(cursor.value!).toString());
    }
  }
  return found;
}

test('a batch is stored as it came but for offset and leader epoch, and acknowledged when it is durable', async () => {
  const { client, sim } = await start();
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(await sim.finish(produce(client, batch(['a', 'b'], { codec: 'gzip' }))), [0, i * 2]);
  }
  await sim.restart();
  const partition = sim.log.topic('', 't')!.partitions[0]!;
  assert.equal(partition.syncedEnd, 6);
  const [stored] = sim.log.read(partition, 2, 1);
  const sent = batch(['a', 'b'], { codec: 'gzip' });
  new BatchHeader(sent).baseOffset = 2;
  new BatchHeader(sent).partitionLeaderEpoch = 0;
  assert.deepEqual(Buffer.from(stored!), Buffer.from(sent));
});

test('requests that follow each other without waiting keep their order', async () => {
  const { client, sim } = await start();
  const sent = Array.from({ length: 100 }, (_, i) => `v${i}`);
  const answers = await sim.finish(Promise.all(sent.map(value => produce(client, batch([value])))));
  assert.deepEqual(
    answers,
    sent.map((_value, i) => [0, i]),
  );
  assert.deepEqual(values(sim), sent);
});

test('one partition’s error leaves the others alone', async () => {
  const { client, sim } = await start(3);
  await sim.finish(sim.log.append(sim.log.topic('', 't')!.partitions[2]!, Uint8Array.from(batch(['x', 'y']))));
  await sim.finish(sim.log.setLogStart(sim.log.topic('', 't')!.partitions[2]!, 1));
  const partitionData = [corrupt(), batch(), batch()].map((records, index) => ({ index, records: [records] }));
  const topicData = [{ name: 't', topicId: ZERO_UUID, partitionData }];
  const wish = { transactionalId: null, acks: 1, timeoutMs: 0, topicData };
  const [topic] = (await sim.finish(client.ask(apis.produce, 9, wish))).responses;
  assert.deepEqual(
    topic!.partitionResponses.map(answer => [answer.errorCode, answer.baseOffset, answer.logStartOffset]),
    [
      [2, -1, -1],
      [0, 0, 0],
      [0, 2, 1],
    ],
  );
  assert.match(topic!.partitionResponses[0]!.errorMessage!, /crc/);
});

test('acks=0 has no answer; an error can only end the connection', async () => {
  const { client, sim } = await start();
  client.send(apis.produce, 9, message(batch(['quiet']), 0, 0));
  const after = await sim.finish(
    client.ask(apis.apiVersions, 0, { clientSoftwareName: '', clientSoftwareVersion: '' }),
  );
  assert.equal(after.errorCode, 0);
  await sim.pass(100);
  assert.deepEqual(values(sim), ['quiet']);
  const behind = produce(client, batch(['before']));
  client.send(apis.produce, 9, message(corrupt(), 0, 0));
  assert.deepEqual(await sim.finish(behind), [0, 1]);
  await sim.finish(client.ended);
  assert.equal(sim.broker.refusals()[0]?.code, 'MR5410');
});

test('the last five batches of a producer are known again, with the offsets that they have', async () => {
  const { client, sim } = await start();
  for (let i = 0; i < 6; i++) assert.deepEqual(await sim.finish(produce(client, from(7, 0, i * 2))), [0, i * 2]);
  for (let i = 1; i < 6; i++) assert.deepEqual(await sim.finish(produce(client, from(7, 0, i * 2))), [0, i * 2]);
  assert.deepEqual(await sim.finish(produce(client, from(7, 0, 0))), [OUT_OF_ORDER, -1]);
  assert.deepEqual(await sim.finish(produce(client, from(7, 0, 10, 1))), [OUT_OF_ORDER, -1], 'not the same batch');
  assert.equal(values(sim).length, 12);
  assert.deepEqual(await sim.finish(produce(client, from(7, 0, 12))), [0, 12]);
});

test('a repetition that comes before the first is durable has the answer of the first', async () => {
  const { client, sim } = await start();
  const second = await sim.client();
  const answers = [produce(client, from(7, 0, 0)), produce(client, from(7, 0, 0)), produce(second, from(7, 0, 0))];
  assert.deepEqual(await sim.finish(Promise.all(answers)), Array(3).fill([0, 0]));
  assert.equal(values(sim).length, 2);
});

test('what a producer has written is known again after a restart', async () => {
  const { client, sim } = await start();
  await sim.finish(produce(client, from(7, 3, 0)));
  await sim.finish(produce(client, from(7, 3, 2)));
  await sim.restart();
  const again = await sim.client();
  assert.deepEqual(await sim.finish(produce(again, from(7, 3, 2))), [0, 2]);
  assert.deepEqual(await sim.finish(produce(again, from(7, 3, 6))), [OUT_OF_ORDER, -1]);
  assert.deepEqual(await sim.finish(produce(again, from(7, 3, 4))), [0, 4]);
});

test('sequences wrap, a producer nobody knows begins anywhere, a new epoch begins at 0', async () => {
  const { client, sim } = await start();
  assert.deepEqual(await sim.finish(produce(client, from(7, 0, SEQUENCES - 1))), [0, 0]);
  assert.deepEqual(await sim.finish(produce(client, from(7, 0, 1))), [0, 2]);
  assert.deepEqual(await sim.finish(produce(client, from(7, 0, SEQUENCES - 1))), [0, 0], 'known again');
  assert.deepEqual(await sim.finish(produce(client, from(7, 1, 0))), [0, 4]);
  assert.deepEqual(await sim.finish(produce(client, from(8, 5, 1_234))), [0, 6]);
});

test('behind a batch that was refused, those that followed it are refused until it comes again', async () => {
  const { client, sim } = await start();
  await sim.finish(produce(client, from(7, 0, 0)));
  const damaged = Uint8Array.from(from(7, 0, 2));
  damaged[damaged.length - 1]! ^= 1;
  const answers = [produce(client, damaged), produce(client, from(7, 0, 4)), produce(client, from(7, 0, 6))];
  assert.deepEqual(
    (await sim.finish(Promise.all(answers))).map(([code]) => code),
    [2, OUT_OF_ORDER, OUT_OF_ORDER],
  );
  const again = [2, 4, 6].map(sequence => produce(client, from(7, 0, sequence)));
  assert.deepEqual(await sim.finish(Promise.all(again)), [
    [0, 2],
    [0, 4],
    [0, 6],
  ]);
});

test('a repetition under LogAppendTime has the time of the first', async () => {
  const { client, sim } = await start(1, [['message.timestamp.type', 'LogAppendTime']]);
  const times: number[] = [];
  for (let i = 0; i < 2; i++) {
    const answer = await sim.finish(client.ask(apis.produce, 9, message(from(7, 0, 0))));
    times.push(answer.responses[0]!.partitionResponses[0]!.logAppendTimeMs);
    await sim.pass(5_000);
  }
  assert.ok(times[0]! > 0);
  assert.equal(times[1], times[0]);
});

test('on a full disk writes are refused with 56, what was acknowledged is read, and writing goes on by itself', async () => {
  const { client, sim } = await start();
  await sim.finish(produce(client, batch(['kept'])));
  sim.disk.capacity = sim.disk.usedBytes;
  const big = batch(['x'.repeat(20_000)]);
  assert.deepEqual(await sim.finish(produce(client, Uint8Array.from(big))), [STORAGE_ERROR, -1]);
  assert.equal(sim.broker.refusals()[0]?.code, 'MR5410');
  assert.match(sim.broker.refusals()[0]!.reason, /full/);
  assert.deepEqual(values(sim), ['kept']);
  sim.disk.capacity = Number.POSITIVE_INFINITY;
  await sim.pass(5_000);
  assert.deepEqual(await sim.finish(produce(client, Uint8Array.from(big))), [0, 1]);
});

test('InitProducerId gives ids that were never given before, also after a restart', async () => {
  const { client, sim } = await start();
  const next = async (from: WireClient): Promise<number> => {
    const wish = { transactionalId: null, transactionTimeoutMs: 0 };
    const { errorCode, producerEpoch, producerId } = await sim.finish(from.ask(apis.initProducerId, 4, wish));
    assert.deepEqual([errorCode, producerEpoch], [0, 0]);
    return producerId;
  };
  const ids = [await next(client), await next(client), await next(await sim.client())];
  await sim.restart();
  ids.push(await next(await sim.client()));
  assert.equal(new Set(ids).size, 4);
});
