/** Our client against our broker over real sockets: produce, consume, groups, every codec. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import {
  type AuthenticationExchange,
  BrokerConnection,
  type Cluster,
  clientSettings,
  Consumer,
  GroupMember,
  type GroupOffset,
  makeCluster,
  Producer,
} from '../../src/client/index.ts';
import { startTestBroker, type TestBroker, WireClient } from '../../src/testing/index.ts';
import { apis } from '../../src/wire/index.ts';
import { BatchHeader, CODEC, type CodecName, RecordCursor } from '../../src/wire/records/index.ts';

async function start(
  t: TestContext,
  options: Record<string, string> = {},
): Promise<{ server: TestBroker; cluster: Cluster }> {
  const server = await startTestBroker({ defaultPartitions: 3 });
  const bootstrap = `${server.address.host}:${server.address.port}`;
  const cluster = makeCluster(
    server.io,
    clientSettings(server.io, new Map(Object.entries({ 'bootstrap.servers': bootstrap, ...options }))),
  );
  t.after(async () => {
    await cluster.close();
    await server.close();
  });
  return { server, cluster };
}

async function readAll(consumer: Consumer, count: number): Promise<string[]> {
  const values: string[] = [];
  const cursor = new RecordCursor();
  while (values.length < count) {
    for (const { batches, fromOffset } of await consumer.poll()) {
      for (const batch of batches) {
        cursor.open(batch);
        while (cursor.advance()) if (cursor.offset >= fromOffset) values.push(Buffer.from(cursor.value!).toString());
      }
    }
  }
  return values;
}

for (const codec of Object.keys(CODEC) as CodecName[]) {
  test(`records written with ${codec} stay compressed in the log and come back in order`, async t => {
    const { cluster, server } = await start(t);
    const producer = new Producer(cluster, { codec });
    await producer.prepare('t');
    const expected = Array.from({ length: 500 }, (_, i) => `value ${i}`);
    for (const value of expected) producer.append('t', 1, { key: null, value: Buffer.from(value) }, () => undefined);
    await producer.close();
    const partition = server.log.topic('', 't')!.partitions[1]!;
    assert.equal(new BatchHeader(server.log.read(partition, 0, 1)[0]!).codec, CODEC[codec]);
    const consumer = new Consumer(cluster);
    consumer.assign([{ topic: 't', partition: 1, offset: -2 }]);
    assert.deepEqual(await readAll(consumer, 500), expected);
  });
}

test('a consumer that begins inside a batch skips to its offset', async t => {
  const { cluster } = await start(t);
  const producer = new Producer(cluster);
  await producer.prepare('t');
  for (let i = 0; i < 10; i++) producer.append('t', 0, { key: null, value: Buffer.from(`${i}`) }, () => undefined);
  await producer.close();
  const consumer = new Consumer(cluster);
  consumer.assign([{ topic: 't', partition: 0, offset: 7 }]);
  assert.deepEqual(await readAll(consumer, 3), ['7', '8', '9']);
});

test('two members share the partitions, and one takes over when the other leaves', async t => {
  const { cluster } = await start(t);
  await new Producer(cluster).prepare('t');
  const owned: GroupOffset[][] = [[], []];
  let onChange: () => void = () => undefined;
  const member = (i: number): GroupMember =>
    new GroupMember(
      cluster,
      {
        groupId: 'g',
        topics: ['t'],
        sessionTimeoutMs: 6_000,
        heartbeatMs: 100,
        rebalanceTimeoutMs: 5_000,
        instanceId: null,
      },
      {
        onAssign: partitions => {
          owned[i] = [...partitions];
          onChange();
        },
        onRevoke: () => {
          owned[i] = [];
        },
        onFailure: error => {
          throw error;
        },
      },
    );
  const until = (check: () => boolean): Promise<void> =>
    new Promise(resolve => {
      onChange = () => {
        if (check()) resolve();
      };
      onChange();
    });
  const [first, second] = [member(0), member(1)];
  await first!.start();
  await first!.commit([{ topic: 't', partition: 2, offset: 5 }]);
  await second!.start();
  await until(() => owned[0]!.length > 0 && owned[1]!.length > 0);
  assert.equal(owned[0]!.length + owned[1]!.length, 3);
  await first!.close();
  owned[0] = [];
  await until(() => owned[1]!.length === 3);
  assert.deepEqual(owned[1]!.map(({ offset }) => offset).sort(), [-1, -1, 5]);
  await second!.close();
});

test('a proof that expires is renewed while requests wait, and those under way are answered', async t => {
  const { server } = await start(t);
  const address = { host: '127.0.0.1', port: server.address.port };
  let proofs = 0;
  let isProving = false;
  const settings = {
    clientId: 'x',
    tls: undefined,
    connectTimeoutMs: 1_000,
    requestTimeoutMs: 5_000,
    answerBytesMax: 1_000_000,
    authenticate: async (exchange: AuthenticationExchange) => {
      isProving = true;
      await exchange.request(apis.metadata, { topics: [] });
      await new Promise(resolve => setTimeout(resolve, 20));
      isProving = false;
      return proofs++ < 3 ? 40 : 0;
    },
  };
  const connection = await BrokerConnection.connect(server.io, address, settings);
  t.after(() => connection.close());
  while (proofs < 4) {
    const [wasProving, before] = [isProving, proofs];
    await connection.request(apis.metadata, { topics: [] });
    assert.ok(!wasProving || proofs > before, 'what is asked for during a proof waits for its end');
    await new Promise(resolve => setTimeout(resolve, 1));
  }
  assert.equal(connection.isOpen, true);
});

test('a connection whose proof cannot be renewed ends with the reason', async t => {
  const { server } = await start(t);
  const address = { host: '127.0.0.1', port: server.address.port };
  let proofs = 0;
  const settings = {
    clientId: 'x',
    tls: undefined,
    connectTimeoutMs: 1_000,
    requestTimeoutMs: 5_000,
    answerBytesMax: 1_000_000,
    authenticate: () => (proofs++ === 0 ? Promise.resolve(20) : Promise.reject(new Error('the token was revoked'))),
  };
  const connection = await BrokerConnection.connect(server.io, address, settings);
  while (connection.isOpen) await new Promise(resolve => setTimeout(resolve, 5));
  await assert.rejects(connection.request(apis.metadata, { topics: [] }), /the token was revoked/);
});

test('an answer that a client reads late is its own, though the memory of others was used again meanwhile', async t => {
  const { cluster, server } = await start(t);
  const producer = new Producer(cluster);
  await producer.prepare('t');
  for (const partition of [0, 1])
    for (let i = 0; i < 8; i++) await producer.send('t', partition, null, Buffer.alloc(900_000, `${partition}${i}`));
  await producer.close();
  const stored = (partition: number): Buffer =>
    Buffer.concat(server.log.read(server.log.topic('', 't')!.partitions[partition]!, 0, 2 ** 30));
  const connection = await server.io.network.connect(server.address, { timeoutMs: 5_000 });
  const late = WireClient.over(connection);
  const other = await WireClient.connect(server.io.network, server.address);
  const fetch = async (client: WireClient, partition: number): Promise<Buffer> => {
    const wish = { partition, fetchOffset: 0, currentLeaderEpoch: -1, logStartOffset: -1, partitionMaxBytes: 2 ** 30 };
    const topics = [{ topic: 't', partitions: [{ ...wish, lastFetchedEpoch: -1 }] }];
    const asked = {
      maxWaitMs: 0,
      minBytes: 2 ** 30,
      maxBytes: 2 ** 30,
      isolationLevel: 0,
      sessionId: 0,
      sessionEpoch: -1,
    };
    const answer = await client.ask(apis.fetch, 11, { ...asked, topics } as never);
    return Buffer.from(answer.responses[0]!.partitions[0]!.records!);
  };
  connection.pause();
  const answers = Array.from({ length: 3 }, () => fetch(late, 0));
  // Small answers first, so that the large one stands at the socket when memory is taken for another.
  for (let i = 0; i < 10; i++) assert.equal((await fetch(other, 2)).length, 0);
  for (let i = 0; i < 10; i++) {
    const bytes = await fetch(other, 1);
    assert.deepEqual([bytes.length, bytes.equals(stored(1))], [stored(1).length, true]);
  }
  connection.resume();
  for (const bytes of await Promise.all(answers))
    assert.deepEqual([bytes.length, bytes.equals(stored(0))], [stored(0).length, true]);
  for (const client of [late, other]) client.destroy();
});
