/**
 * Our client against a real Apache Kafka 4.2: every codec, groups, and a kill -9 of the broker in the middle of an
 * idempotent producer's and a group's work, which loses and doubles nothing.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { nodeIo } from '../../src/base/io/node.ts';
import {
  Admin,
  type Cluster,
  clientSettings,
  Consumer,
  GroupMember,
  makeCluster,
  Producer,
} from '../../src/client/index.ts';
import { CODEC, type CodecName, RecordBatchBuilder, RecordCursor } from '../../src/wire/records/index.ts';
import { type Kafka, makeKafka } from './peers/kafka.ts';

const io = nodeIo();
let kafka: Kafka;
let cluster: Cluster;

before(async () => {
  kafka = await makeKafka();
  await kafka.start();
  cluster = connect();
});

after(async () => {
  await cluster.close();
  await kafka.kill();
  kafka.remove();
});

function connect(): Cluster {
  const properties = new Map([['bootstrap.servers', `127.0.0.1:${kafka.port}`]]);
  return makeCluster(io, clientSettings(io, properties));
}

/** Values of each partition up to its end, in order. */
async function readTopic(topic: string): Promise<string[][]> {
  const { leaders } = await cluster.topic(topic);
  const values: string[][] = leaders.map(() => []);
  const consumer = new Consumer(cluster);
  consumer.assign(leaders.map((_leader, partition) => ({ topic, partition, offset: -2 })));
  const cursor = new RecordCursor();
  do {
    for (const { batches, fromOffset, partition } of await consumer.poll()) {
      for (const batch of batches) {
        cursor.open(batch);
        while (cursor.advance()) {
          if (cursor.offset >= fromOffset) values[partition]!.push(Buffer.from(cursor.value!).toString());
        }
      }
    }
  } while (!consumer.isAtEnd);
  return values;
}

for (const codec of Object.keys(CODEC) as CodecName[]) {
  test(`records written with ${codec} come back in order`, async () => {
    const topic = `codec-${codec}`;
    await new Admin(cluster).createTopic(topic, 2);
    const producer = new Producer(cluster, { codec });
    await producer.prepare(topic);
    const expected = Array.from({ length: 1_000 }, (_, i) => `value ${i}`);
    for (const value of expected) producer.append(topic, 1, { key: null, value: Buffer.from(value) }, noError);
    await producer.close();
    assert.deepEqual(await readTopic(topic), [[], expected]);
  });
}

const noError = (_tags: readonly number[], error: Error | undefined): void => assert.ifError(error ?? null);

test('a finished record batch is forwarded with its records untouched', async () => {
  await new Admin(cluster).createTopic('raw', 1);
  const producer = new Producer(cluster);
  await producer.prepare('raw');
  for (let i = 0; i < 20; i++) {
    const builder = new RecordBatchBuilder();
    for (let j = 0; j < 5; j++) builder.append(1_000 + j, null, Buffer.from(`${i * 5 + j}`));
    void producer.sendRecordBatch('raw', 0, builder.finish({ codec: 'zstd' }));
  }
  await producer.flush();
  assert.deepEqual(await readTopic('raw'), [Array.from({ length: 100 }, (_, i) => `${i}`)]);
});

test('kill -9 of the broker in the middle loses and doubles nothing of an idempotent producer', async () => {
  const PARTITIONS = 3;
  await new Admin(cluster).createTopic('killed', PARTITIONS);
  const producer = new Producer(cluster, { batchBytes: 2_000, lingerMs: 1 });
  await producer.prepare('killed');
  let acknowledged = 0;
  let sent = 0;
  let isOver = false;
  const failures: Error[] = [];
  const done = (tags: readonly number[], error: Error | undefined): void => {
    if (error) failures.push(error);
    else acknowledged += tags.length;
  };
  const load = (async (): Promise<void> => {
    while (!isOver) {
      for (let i = 0; i < 30; i++, sent++) {
        producer.append('killed', sent % PARTITIONS, { key: null, value: Buffer.from(`${sent}`) }, done);
      }
      await new Promise(resolve => setTimeout(resolve, 2));
    }
  })();
  for (let round = 0; round < 3; round++) {
    const before = acknowledged;
    while (acknowledged < before + 3_000) await new Promise(resolve => setTimeout(resolve, 10));
    await kafka.kill('SIGKILL');
    await new Promise(resolve => setTimeout(resolve, 200));
    await kafka.start();
  }
  isOver = true;
  await load;
  await producer.close();
  assert.deepEqual(failures, []);
  assert.equal(acknowledged, sent);
  const values = await readTopic('killed');
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const expected: string[] = [];
    for (let i = partition; i < sent; i += PARTITIONS) expected.push(`${i}`);
    assert.deepEqual(values[partition], expected);
  }
  assert.ok(producer.retries > 0);
});

test('a group commits, survives the broker’s kill -9 and resumes at what it committed', async () => {
  await new Admin(cluster).createTopic('grouped', 2);
  const settings = {
    groupId: 'g',
    topics: ['grouped'],
    sessionTimeoutMs: 6_000,
    heartbeatMs: 200,
    rebalanceTimeoutMs: 10_000,
    instanceId: null,
  };
  const assignments: Map<number, number>[] = [];
  const join = async (): Promise<GroupMember> => {
    const failures: unknown[] = [];
    const member = new GroupMember(cluster, settings, {
      onAssign: partitions => {
        assignments.push(new Map(partitions.map(({ offset, partition }) => [partition, offset])));
      },
      onRevoke: () => undefined,
      onFailure: error => failures.push(error),
    });
    await member.start();
    assert.deepEqual(failures, []);
    return member;
  };
  const first = await join();
  assert.deepEqual([...assignments[0]!.keys()].sort(), [0, 1]);
  assert.ok(await first.commit([{ topic: 'grouped', partition: 1, offset: 7 }]));
  await kafka.kill('SIGKILL');
  await kafka.start();
  // The broker may have forgotten the member: it joins again by itself, and commits then.
  for (let i = 0; !(await first.commit([{ topic: 'grouped', partition: 0, offset: 3 }])); i++) {
    assert.ok(i < 300, 'the member did not come back');
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  await first.close();
  const second = await join();
  assert.deepEqual([assignments.at(-1)!.get(0), assignments.at(-1)!.get(1)], [3, 7]);
  await second.close();
});
