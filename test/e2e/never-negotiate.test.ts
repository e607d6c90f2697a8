/**
 * Clients that never ask which versions there are: Java up to 0.10.1, librdkafka that falls back to 0.8, ruby-kafka with its
 * fixed versions, tools of 0.8 that ask for offsets in the old way. Each test is one client's conversation in the versions
 * that it has built in (spec: what real clients send), put together from the layouts without our codec.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { messageSet, startTestBroker, type TestBroker, wrapper } from '../../src/testing/index.ts';
import { MessageSetCursor, RecordBatchBuilder, RecordCursor } from '../../src/wire/records/index.ts';
import { array, bytes, type Fields, i8, i16, i32, i64, RawClient, str, struct } from './raw-client.ts';

const EMPTY = Buffer.alloc(0);
const SUBSCRIPTION = Buffer.from('any bytes of a subscription');
const ASSIGNMENT = Buffer.from('any bytes of an assignment');

async function start(t: TestContext): Promise<{ server: TestBroker; client: RawClient }> {
  const server = await startTestBroker({ defaultPartitions: 2 });
  const client = await RawClient.connect(server.address.port);
  t.after(async () => {
    client.close();
    await server.close();
  });
  return { server, client };
}

/** The same topic, partition and fields in a request for one partition. */
const onePartition = (topic: string, ...fields: readonly Buffer[]): Buffer =>
  array(struct(str(topic), array(struct(...fields))));

/** What an answer says of its one partition. */
function ofOnePartition<T>(f: Fields, read: () => T): T {
  return f.array(() => {
    f.str();
    return f.array(read)[0]!;
  })[0]!;
}

function values(set: Uint8Array): (string | null)[] {
  const cursor = new MessageSetCursor().open(set);
  const list: (string | null)[] = [];
  while (cursor.advance()) list.push(cursor.value && Buffer.from(cursor.value).toString());
  return list;
}

const metadata = (client: RawClient, version: number, ...topics: readonly string[]) =>
  client.ask(3, version, array(...topics.map(str)), f => {
    const brokers = f.array(() => {
      const broker = { id: f.i32(), host: f.str(), port: f.i32() };
      if (version >= 1) f.str();
      return broker;
    });
    if (version >= 1) f.i32();
    const found = f.array(() => {
      const topic = { error: f.i16(), name: f.str()! };
      if (version >= 1) f.i8();
      const partitions = f.array(() => {
        const partition = { error: f.i16(), index: f.i32(), leader: f.i32() };
        f.array(f.i32);
        f.array(f.i32);
        return partition;
      });
      return { ...topic, partitions };
    });
    return { brokers, topics: found };
  });

const produce = (client: RawClient, version: number, topic: string, set: Uint8Array) => {
  const body = struct(i16(1), i32(10_000), onePartition(topic, i32(0), bytes(set)));
  return client.ask(0, version, version >= 3 ? struct(str(null), body) : body, f => {
    const answer = ofOnePartition(f, () => {
      f.i32();
      const partition = { error: f.i16(), offset: f.i64() };
      if (version >= 2) f.i64();
      return partition;
    });
    if (version >= 1) f.i32();
    return answer;
  });
};

const fetch = (client: RawClient, version: number, topic: string, offset: number) => {
  const limits = version >= 3 ? [i32(1_000_000)] : [];
  const isolation = version >= 4 ? [i8(0)] : [];
  const body = struct(
    i32(-1),
    i32(100),
    i32(1),
    ...limits,
    ...isolation,
    onePartition(topic, i32(0), i64(offset), i32(1_000_000)),
  );
  return client.ask(1, version, body, f => {
    if (version >= 1) f.i32();
    return ofOnePartition(f, () => {
      f.i32();
      const answer = { error: f.i16(), highWatermark: f.i64() };
      if (version >= 4) f.i64();
      if (version >= 4) f.i32();
      return { ...answer, records: f.bytes()! };
    });
  });
};

const listOffsetsOld = (client: RawClient, topic: string, time: number, max: number) =>
  client.ask(2, 0, struct(i32(-1), onePartition(topic, i32(0), i64(time), i32(max))), f =>
    ofOnePartition(f, () => {
      f.i32();
      return { error: f.i16(), offsets: f.array(f.i64) };
    }),
  );

const findCoordinator = (client: RawClient, version: number, group: string) =>
  client.ask(10, version, struct(str(group), version >= 1 ? i8(0) : EMPTY), f => {
    if (version >= 1) f.i32();
    const error = f.i16();
    if (version >= 1) f.str();
    return { error, id: f.i32(), host: f.str(), port: f.i32() };
  });

const joinGroup = (client: RawClient, version: number, group: string) => {
  const rebalance = version >= 1 ? i32(30_000) : EMPTY;
  const protocols = array(struct(str('range'), bytes(SUBSCRIPTION)));
  return client.ask(
    11,
    version,
    struct(str(group), i32(10_000), rebalance, str(''), str('consumer'), protocols),
    f => ({
      error: f.i16(),
      generation: f.i32(),
      protocol: f.str(),
      leader: f.str(),
      member: f.str()!,
      members: f.array(() => ({ id: f.str(), metadata: f.bytes() })),
    }),
  );
};

const syncGroup = (client: RawClient, group: string, generation: number, member: string) => {
  const assignments = array(struct(str(member), bytes(ASSIGNMENT)));
  return client.ask(14, 0, struct(str(group), i32(generation), str(member), assignments), f => ({
    error: f.i16(),
    assignment: f.bytes(),
  }));
};

const heartbeat = (client: RawClient, group: string, generation: number, member: string) =>
  client.ask(12, 0, struct(str(group), i32(generation), str(member)), f => f.i16());

const leaveGroup = (client: RawClient, group: string, member: string) =>
  client.ask(13, 0, struct(str(group), str(member)), f => f.i16());

const offsetCommit = (client: RawClient, version: number, group: string, who: [number, string], offset: number) => {
  const [generation, member] = who;
  const body = struct(
    str(group),
    version >= 1 ? struct(i32(generation), str(member)) : EMPTY,
    version >= 2 ? i64(-1) : EMPTY,
    onePartition('t', i32(0), i64(offset), version === 1 ? i64(-1) : EMPTY, str('a note')),
  );
  return client.ask(8, version, body, f =>
    ofOnePartition(f, () => {
      f.i32();
      return f.i16();
    }),
  );
};

const offsetFetch = (client: RawClient, version: number, group: string, topic = 't', partition = 0) =>
  client.ask(9, version, struct(str(group), onePartition(topic, i32(partition))), f => {
    const answer = ofOnePartition(f, () => {
      f.i32();
      return { offset: f.i64(), note: f.str(), error: f.i16() };
    });
    if (version >= 2) f.i16();
    return answer;
  });

/** A consumer's whole life in a group, in the versions of its age. */
async function consumeInGroup(
  client: RawClient,
  versions: { coordinator: number; join: number; commit: number; committed: number },
): Promise<void> {
  const found = await findCoordinator(client, versions.coordinator, 'g');
  assert.deepEqual({ error: found.error, id: found.id }, { error: 0, id: 1 });
  const joined = await joinGroup(client, versions.join, 'g');
  assert.equal(joined.error, 0);
  assert.equal(joined.leader, joined.member);
  assert.equal(joined.protocol, 'range');
  assert.deepEqual(joined.members, [{ id: joined.member, metadata: SUBSCRIPTION }]);
  const { generation, member } = joined;
  assert.deepEqual(await syncGroup(client, 'g', generation, member), { error: 0, assignment: ASSIGNMENT });
  assert.equal(await heartbeat(client, 'g', generation, member), 0);
  assert.deepEqual(await offsetFetch(client, versions.committed, 'g'), { offset: -1, note: '', error: 0 });
  assert.equal(await offsetCommit(client, versions.commit, 'g', [generation, member], 2), 0);
  assert.equal(await offsetCommit(client, versions.commit, 'g', [generation + 1, member], 9), 22);
  assert.deepEqual(await offsetFetch(client, versions.committed, 'g'), { offset: 2, note: 'a note', error: 0 });
  assert.equal(await leaveGroup(client, 'g', member), 0);
}

const plain = (magic: 0 | 1, ...texts: readonly string[]): Buffer =>
  messageSet(texts.map(text => ({ magic, timestamp: magic === 0 ? -1 : 1_450_000_000_000, value: Buffer.from(text) })));

test('Java 0.8.2: Metadata 0 makes the topic, Produce 0 writes, Fetch 0 reads', async t => {
  const { client, server } = await start(t);
  const { brokers, topics } = await metadata(client, 0, 't');
  assert.deepEqual(brokers, [{ id: 1, host: '127.0.0.1', port: server.address.port }]);
  assert.deepEqual(topics, [
    {
      error: 0,
      name: 't',
      partitions: [
        { error: 0, index: 0, leader: 1 },
        { error: 0, index: 1, leader: 1 },
      ],
    },
  ]);
  assert.deepEqual(await produce(client, 0, 't', plain(0, 'one', 'two')), { error: 0, offset: 0 });
  const packed = wrapper('snappy', [{ magic: 0, value: Buffer.from('three') }]);
  assert.deepEqual(await produce(client, 0, 't', packed), { error: 0, offset: 2 });
  const { error, highWatermark, records } = await fetch(client, 0, 't', 0);
  assert.deepEqual({ error, highWatermark }, { error: 0, highWatermark: 3 });
  assert.deepEqual(values(records), ['one', 'two', 'three']);
  // No topics means all in version 0.
  assert.deepEqual(
    (await metadata(client, 0)).topics.map(({ name }) => name),
    ['t'],
  );
});

test('Java 0.9: Produce 1, a group of version 0, ListOffsets 0 and Fetch 1', async t => {
  const { client } = await start(t);
  await metadata(client, 0, 't');
  assert.deepEqual(await produce(client, 1, 't', plain(0, 'one', 'two', 'three')), { error: 0, offset: 0 });
  await consumeInGroup(client, { coordinator: 0, join: 0, commit: 2, committed: 1 });
  assert.deepEqual(await listOffsetsOld(client, 't', -2, 1), { error: 0, offsets: [0] });
  assert.deepEqual(await listOffsetsOld(client, 't', -1, 1), { error: 0, offsets: [3] });
  assert.deepEqual(values((await fetch(client, 1, 't', 2)).records), ['three']);
});

test('Java 0.10.0: Metadata 1, Produce 2, Fetch 2 with timestamps', async t => {
  const { client } = await start(t);
  await metadata(client, 1, 't');
  assert.deepEqual(await produce(client, 2, 't', plain(1, 'one')), { error: 0, offset: 0 });
  await consumeInGroup(client, { coordinator: 0, join: 0, commit: 2, committed: 1 });
  const { records } = await fetch(client, 2, 't', 0);
  const cursor = new MessageSetCursor().open(records);
  assert.ok(cursor.advance());
  assert.equal(cursor.timestamp, 1_450_000_000_000);
});

test('librdkafka that falls back to 0.8: offsets of the oldest kind, with and without ZooKeeper’s version', async t => {
  const { client } = await start(t);
  await metadata(client, 0, 't');
  assert.equal((await produce(client, 0, 't', wrapper('gzip', [{ magic: 0, value: Buffer.from('x') }]))).error, 0);
  for (const version of [0, 1]) {
    const group = `simple ${version}`;
    assert.deepEqual(await offsetFetch(client, version, group), { offset: -1, note: '', error: 0 });
    assert.equal(await offsetCommit(client, version, group, [-1, ''], 1), 0);
    assert.deepEqual(await offsetFetch(client, version, group), { offset: 1, note: 'a note', error: 0 });
  }
  assert.equal((await offsetFetch(client, 0, 'simple 0', 't', 77)).error, 3);
  assert.equal((await offsetFetch(client, 1, 'simple 1', 't', 77)).error, 0);
  assert.deepEqual(values((await fetch(client, 0, 't', 0)).records), ['x']);
});

test('ListOffsets 0 gives several offsets, newest first, and segments by time', async t => {
  const { client, server } = await start(t);
  const topic = await server.log.createTopic('', 't', 1);
  assert.deepEqual(await listOffsetsOld(client, 't', -1, 5), { error: 0, offsets: [0] });
  for (let i = 0; i < 4; i++) await produce(client, 2, 't', plain(1, 'x'));
  await server.log.setLogStart(topic.partitions[0]!, 1);
  assert.deepEqual(await listOffsetsOld(client, 't', -1, 5), { error: 0, offsets: [4, 1] });
  assert.deepEqual(await listOffsetsOld(client, 't', -1, 1), { error: 0, offsets: [4] });
  assert.deepEqual(await listOffsetsOld(client, 't', -1, 0), { error: 0, offsets: [] });
  assert.deepEqual(await listOffsetsOld(client, 't', -2, 5), { error: 0, offsets: [1] });
  assert.deepEqual(await listOffsetsOld(client, 't', 1_449_999_999_999, 5), { error: 0, offsets: [] });
  assert.deepEqual(await listOffsetsOld(client, 't', 1_450_000_000_000, 5), { error: 0, offsets: [1] });
  assert.deepEqual(await listOffsetsOld(client, 't', server.io.clock.now() + 60_000, 5), { error: 0, offsets: [4, 1] });
  assert.equal((await listOffsetsOld(client, 'none', -1, 1)).error, 3);
});

test('ListOffsets 0 by time counts messages without a timestamp by their arrival', async t => {
  const { client, server } = await start(t);
  const before = server.io.clock.now() - 60_000;
  await server.log.createTopic('', 't', 1);
  await produce(client, 0, 't', plain(0, 'one', 'two'));
  assert.deepEqual(await listOffsetsOld(client, 't', before, 5), { error: 0, offsets: [] });
  assert.deepEqual(await listOffsetsOld(client, 't', before + 3_600_000, 5), { error: 0, offsets: [2, 0] });
});

test('ruby-kafka: its fixed versions, from CreateTopics 0 to DeleteTopics 0', async t => {
  const { client } = await start(t);
  const create = (version: number): Buffer =>
    struct(
      array(struct(str('t'), i32(2), i16(1), array(), array(struct(str('retention.ms'), str('60000'))))),
      i32(5_000),
      version >= 1 ? i8(0) : EMPTY,
    );
  const errors = (f: Fields): [string | null, number][] => f.array(() => [f.str(), f.i16()]);
  assert.deepEqual(await client.ask(19, 0, create(0), errors), [['t', 0]]);
  assert.deepEqual(await client.ask(19, 0, create(0), errors), [['t', 36]]);
  const again = await client.ask(19, 1, create(1), f => f.array(() => [f.str(), f.i16(), f.str()]));
  assert.deepEqual(again[0]!.slice(0, 2), ['t', 36]);
  assert.match(String(again[0]![2]), /exists already/);

  const producerId = await client.ask(22, 0, struct(str(null), i32(60_000)), f => {
    f.i32();
    return { error: f.i16(), id: f.i64(), epoch: f.i16() };
  });
  assert.deepEqual({ error: producerId.error, epoch: producerId.epoch }, { error: 0, epoch: 0 });
  const builder = new RecordBatchBuilder();
  for (const value of ['one', 'two', 'three']) builder.append(1_450_000_000_000, null, Buffer.from(value));
  const batch = builder.finish({ codec: 'none', producerId: producerId.id, producerEpoch: 0, baseSequence: 0 });
  assert.deepEqual(await produce(client, 3, 't', batch), { error: 0, offset: 0 });
  await consumeInGroup(client, { coordinator: 1, join: 1, commit: 2, committed: 1 });
  assert.equal((await offsetFetch(client, 2, 'g')).offset, 2);

  const listed = await client.ask(2, 2, struct(i32(-1), i8(0), onePartition('t', i32(0), i64(-1))), f => {
    f.i32();
    return ofOnePartition(f, () => {
      f.i32();
      return { error: f.i16(), time: f.i64(), offset: f.i64() };
    });
  });
  assert.deepEqual(listed, { error: 0, time: -1, offset: 3 });
  const cursor = new RecordCursor().open((await fetch(client, 4, 't', 2)).records);
  let count = 0;
  while (cursor.advance()) count++;
  assert.equal(count, 3);

  const grown = await client.ask(37, 0, struct(array(struct(str('t'), i32(4), i32(-1))), i32(5_000), i8(0)), f => {
    f.i32();
    return f.array(() => [f.str(), f.i16(), f.str()]);
  });
  assert.deepEqual(grown, [['t', 0, null]]);
  assert.equal((await metadata(client, 1, 't')).topics[0]?.partitions.length, 4);

  const described = await client.ask(32, 0, array(struct(i8(2), str('t'), array(str('retention.ms')))), f => {
    f.i32();
    return f.array(() => ({
      error: f.i16(),
      text: f.str(),
      kind: f.i8(),
      name: f.str(),
      configs: f.array(() => [f.str(), f.str(), f.i8(), f.i8(), f.i8()]),
    }));
  });
  assert.deepEqual(described, [
    { error: 0, text: null, kind: 2, name: 't', configs: [['retention.ms', '60000', 0, 0, 0]] },
  ]);

  const remove = struct(array(str('t')), i32(5_000));
  assert.deepEqual(await client.ask(20, 0, remove, errors), [['t', 0]]);
  assert.deepEqual(await client.ask(20, 0, remove, errors), [['t', 3]]);
});

test('OffsetForLeaderEpoch 0 and 1 find the end of the one epoch, and none other', async t => {
  const { client } = await start(t);
  await metadata(client, 0, 't');
  await produce(client, 0, 't', plain(0, 'one', 'two'));
  const ask = (version: number, partition: number, epoch: number) =>
    client.ask(23, version, onePartition('t', i32(partition), i32(epoch)), f =>
      ofOnePartition(f, () => ({
        error: f.i16(),
        partition: f.i32(),
        epoch: version >= 1 ? f.i32() : undefined,
        end: f.i64(),
      })),
    );
  assert.deepEqual(await ask(0, 0, 0), { error: 0, partition: 0, epoch: undefined, end: 2 });
  assert.deepEqual(await ask(1, 0, 0), { error: 0, partition: 0, epoch: 0, end: 2 });
  assert.deepEqual(await ask(1, 0, 1), { error: 0, partition: 0, epoch: -1, end: -1 });
  assert.deepEqual(await ask(1, 9, 0), { error: 3, partition: 9, epoch: -1, end: -1 });
});

test('every API that is listed is listed from version 0', async t => {
  const { client } = await start(t);
  const listed = await client.ask(18, 0, EMPTY, f => {
    f.i16();
    return f.array(() => ({ key: f.i16(), min: f.i16(), max: f.i16() }));
  });
  assert.ok(listed.length > 20);
  assert.deepEqual(
    listed.filter(({ min }) => min !== 0),
    [],
  );
});
