/** Error codes of records, topics and the cluster: what provokes each, API by API. */
import assert from 'node:assert/strict';
import { apis } from '../wire/index.ts';
import { ATTRIBUTE } from '../wire/records/index.ts';
import { batch, broken, type Case, changed, corrupt, from, NOWHERE, type Rig, topic } from './rig-cases.ts';

/** A fetch session's id. */
async function begun(rig: Rig): Promise<number> {
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000 }];
  const wish = { maxWaitMs: 0, minBytes: 1, sessionId: 0, sessionEpoch: 0, forgottenTopicsData: [], rackId: '' };
  return (await rig.ask(apis.fetch, 12, { ...wish, topics: [{ topic: 't', partitions }] })).sessionId;
}

export const CODE_CASES: Readonly<Record<string, readonly Case[]>> = {
  produce: [
    ['a batch', 0, topic, rig => rig.produce(9, batch())],
    ['a crc that is wrong', 2, topic, rig => rig.produce(9, corrupt())],
    ['a batch cut short', 2, topic, rig => rig.produce(9, batch().subarray(0, -1))],
    [
      'a magic of the future',
      2,
      topic,
      rig =>
        rig.produce(
          9,
          changed(view => view.setInt8(16, 3)),
        ),
    ],
    ['an unknown topic', 3, rig => rig.produce(9, batch())],
    ['an unknown partition', 3, topic, rig => rig.produce(9, batch(), { index: 2 })],
    [
      'a batch that is too large',
      10,
      rig => rig.topic('t', 1, { 'max.message.bytes': '60' }),
      rig => rig.produce(9, batch()),
    ],
    ['acks=2', 21, topic, rig => rig.produce(9, batch(), { acks: 2 })],
    [
      'an internal topic',
      29,
      rig => rig.topic('__millrace_x'),
      rig => rig.produce(9, batch(), { topic: '__millrace_x' }),
    ],
    [
      'log append time set by the client',
      32,
      topic,
      rig =>
        rig.produce(
          9,
          changed(view => view.setInt16(21, ATTRIBUTE.logAppendTime)),
        ),
    ],
    [
      'a time too long ago',
      32,
      rig => rig.topic('t', 1, { 'message.timestamp.before.max.ms': '1000' }),
      rig => rig.produce(9, batch()),
    ],
    [
      'a time too far ahead',
      32,
      rig => rig.topic('t', 1, { 'message.timestamp.after.max.ms': '1000' }),
      rig => rig.produce(9, batch(['a'], {}, rig.sim.io.clock.now() + 2_000)),
    ],
    [
      'format 1 in a version of format 2',
      43,
      topic,
      rig =>
        rig.produce(
          9,
          changed(view => view.setInt8(16, 1)),
        ),
    ],
    ['a gap in the sequence', 45, topic, rig => rig.produce(9, from(7, 0, 0)), rig => rig.produce(9, from(7, 0, 4))],
    [
      'a new epoch that does not begin at 0',
      45,
      topic,
      rig => rig.produce(9, from(7, 0, 0)),
      rig => rig.produce(9, from(7, 1, 2)),
    ],
    ['an epoch that is over', 47, topic, rig => rig.produce(9, from(7, 1, 0)), rig => rig.produce(9, from(7, 0, 2))],
    [
      'a transactional batch',
      48,
      topic,
      rig => rig.produce(9, batch(['a'], { isTransactional: true, producerId: 7, producerEpoch: 0, baseSequence: 0 })),
    ],
    ['a transactional id', 48, topic, rig => rig.produce(9, batch(), { transactionalId: 'x' })],
    ['a disk that fails', 56, topic, broken, rig => rig.produce(9, batch())],
    ['a disk that fails, before 4', 6, topic, broken, rig => rig.produce(3, batch())],
    ['zstd before 7', 76, topic, rig => rig.produce(6, batch(['a'.repeat(500)], { codec: 'zstd' }))],
    [
      'a codec that there is not',
      76,
      topic,
      rig =>
        rig.produce(
          9,
          changed(view => view.setInt16(21, 5)),
        ),
    ],
    ['nothing', 87, topic, rig => rig.produce(9, null)],
    ['two batches', 87, topic, rig => rig.produce(9, Buffer.concat([batch(), batch()]))],
    ['a control batch', 87, topic, rig => rig.produce(9, batch(['a'], { isControl: true }))],
    [
      'a count that does not fit the offsets',
      87,
      topic,
      rig =>
        rig.produce(
          9,
          changed(view => view.setInt32(57, 3)),
        ),
    ],
    [
      'a batch of no records',
      87,
      topic,
      rig =>
        rig.produce(
          9,
          changed(view => view.setInt32(57, 0)),
        ),
    ],
    [
      'a producer without a sequence',
      87,
      topic,
      rig => rig.produce(9, batch(['a'], { producerId: 7, producerEpoch: 0 })),
    ],
    ['an unknown id', 100, rig => rig.produce(13, batch(), { topicId: NOWHERE })],
  ],
  fetch: [
    ['the end', 0, topic, rig => rig.fetch(12, 0)],
    ['beyond the end', 1, topic, rig => rig.fetch(12, 1)],
    ['before all', 1, topic, rig => rig.fetch(12, -1)],
    ['a damaged batch', 2, damaged, rig => rig.fetch(12, 0)],
    ['a damaged batch, as messages', 2, damaged, rig => rig.fetch(0, 0)],
    ['an unknown topic', 3, rig => rig.fetch(12, 0)],
    ['an unknown partition', 3, topic, rig => rig.fetch(12, 0, { index: 2 })],
    ['an unknown partition by id', 3, async rig => rig.fetch(13, 0, { topicId: await rig.topic(), index: 2 })],
    ['a disk that cannot be read', 56, rig => unreadable(rig, 12)],
    ['a disk that cannot be read, before 6', 6, rig => unreadable(rig, 5)],
    ['a session that there is not', 70, topic, rig => rig.fetch(12, 0, { session: [5, 3] })],
    [
      'a request of a session that is not its next',
      71,
      topic,
      async rig => rig.fetch(12, 0, { session: [await begun(rig), 2] }),
    ],
    [
      'a session of names in a version of ids',
      106,
      topic,
      async rig => rig.fetch(13, 0, { session: [await begun(rig), 1] }),
    ],
    ['a leader epoch that is over', 74, topic, raiseEpoch, rig => rig.fetch(12, 0, { epoch: 1 })],
    ['a leader epoch to come', 75, topic, rig => rig.fetch(12, 0, { epoch: 1 })],
    [
      'zstd before 10',
      76,
      topic,
      rig => rig.produce(9, batch(['a'.repeat(500)], { codec: 'zstd' })),
      rig => rig.fetch(9, 0),
    ],
    ['an unknown id', 100, rig => rig.fetch(13, 0, { topicId: NOWHERE })],
  ],
  listOffsets: [
    ['the end', 0, topic, rig => rig.listOffsets(7, -1)],
    ['an unknown topic', 3, rig => rig.listOffsets(7, -1)],
    ['a time in a damaged batch', -1, damaged, rig => rig.listOffsets(7, 900)],
    ['the newest before 7', 35, topic, rig => rig.listOffsets(6, -3)],
    ['the local earliest before 8', 35, topic, rig => rig.listOffsets(7, -4)],
    ['the last tiered before 9', 35, topic, rig => rig.listOffsets(8, -5)],
    ['the earliest pending before 11', 35, topic, rig => rig.listOffsets(10, -6)],
    ['a special time that there is not', 35, topic, rig => rig.listOffsets(11, -7)],
    ['a leader epoch that is over', 74, topic, raiseEpoch, rig => rig.listOffsets(7, -1, 't', 1)],
    ['a leader epoch to come', 75, topic, rig => rig.listOffsets(7, -1, 't', 1)],
  ],
  metadata: [
    ['a topic', 0, topic, rig => rig.metadata(12, { name: 't' })],
    ['an internal topic that there is not', 3, rig => rig.metadata(12, { name: '__millrace_x' })],
    ['a topic that cannot be made now', 5, broken, rig => rig.metadata(12, { name: 'new' })],
    ['an illegal name', 17, rig => rig.metadata(12, { name: 'a b' })],
    ['a name that collides', 17, rig => rig.topic('a.b'), rig => rig.metadata(12, { name: 'a_b' })],
    ['an id before 12', 42, async rig => rig.metadata(11, { name: 'x', topicId: await rig.topic() })],
    ['no name before 12', 42, rig => rig.metadata(11, {})],
    ['an unknown id', 100, rig => rig.metadata(12, { topicId: NOWHERE })],
  ],
  apiVersions: [
    ['a client', 0, rig => apiVersions(rig, 4, 'librdkafka')],
    ['a name that is none', 42, rig => apiVersions(rig, 3, 'a name')],
    ['an empty name', 42, rig => apiVersions(rig, 4, '')],
  ],
  createTopics: [
    ['a topic', 0, rig => rig.create({})],
    ['defaults', 0, rig => rig.create({ numPartitions: -1, replicationFactor: -1 })],
    [
      'an assignment',
      0,
      rig =>
        rig.create({
          numPartitions: -1,
          replicationFactor: -1,
          assignments: [
            { partitionIndex: 1, brokerIds: [1] },
            { partitionIndex: 0, brokerIds: [1] },
          ],
        }),
    ],
    ['an illegal name', 17, rig => rig.create({ name: '..' })],
    ['an internal name', 17, rig => rig.create({ name: '__millrace_x' })],
    ['a name that is taken', 36, topic, rig => rig.create({ name: 't' })],
    ['a name that collides', 36, rig => rig.topic('a.b'), rig => rig.create({ name: 'a_b' })],
    ['a name that is taken, as a trial', 36, topic, rig => rig.create({ name: 't' }, true)],
    ['no partitions', 37, rig => rig.create({ numPartitions: 0 })],
    ['too many partitions', 37, rig => rig.create({ numPartitions: 10_001 })],
    ['two replicas', 38, rig => rig.create({ replicationFactor: 2 })],
    ['no replicas', 38, rig => rig.create({ replicationFactor: 0 })],
    [
      'an assignment to another node',
      39,
      rig =>
        rig.create({ numPartitions: -1, replicationFactor: -1, assignments: [{ partitionIndex: 0, brokerIds: [2] }] }),
    ],
    [
      'an assignment with a gap',
      39,
      rig =>
        rig.create({ numPartitions: -1, replicationFactor: -1, assignments: [{ partitionIndex: 1, brokerIds: [1] }] }),
    ],
    ['a config that there is not', 40, rig => rig.create({ configs: [{ name: 'retention', value: '1' }] })],
    ['a value that is none', 40, rig => rig.create({ configs: [{ name: 'retention.ms', value: 'long' }] })],
    ['no value', 40, rig => rig.create({ configs: [{ name: 'retention.ms', value: null }] })],
    [
      'an assignment and a count',
      42,
      rig => rig.create({ numPartitions: 1, assignments: [{ partitionIndex: 0, brokerIds: [1] }] }),
    ],
    [
      'a topic twice',
      42,
      async rig => {
        const topic = { name: 'x', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
        const answer = await rig.ask(apis.createTopics, 7, { topics: [topic, topic], timeoutMs: 0 });
        assert.equal(answer.topics.length, 1);
        return answer.topics[0]!.errorCode;
      },
    ],
    ['more partitions than all topics may have', 44, rig => rig.create({ numPartitions: 1_001 })],
    ['a disk that fails', -1, broken, rig => rig.create({})],
  ],
  deleteTopics: [
    ['a topic', 0, topic, rig => rig.deleteTopic({ name: 't' })],
    ['a topic by id', 0, async rig => rig.deleteTopic({ name: null, topicId: await rig.topic() })],
    ['an unknown topic', 3, rig => rig.deleteTopic({ name: 't' })],
    ['an internal topic', 29, rig => rig.topic('__millrace_x'), rig => rig.deleteTopic({ name: '__millrace_x' })],
    ['an unknown id', 100, rig => rig.deleteTopic({ name: null, topicId: NOWHERE })],
    ['a disk that fails', -1, topic, broken, rig => rig.deleteTopic({ name: 't' })],
  ],
  createPartitions: [
    ['more', 0, topic, rig => rig.grow({})],
    ['with an assignment', 0, topic, rig => rig.grow({ assignments: [{ brokerIds: [1] }] })],
    ['an unknown topic', 3, rig => rig.grow({})],
    ['as many as there are', 37, topic, rig => rig.grow({ count: 2 })],
    ['too many', 37, topic, rig => rig.grow({ count: 10_001 })],
    ['more than all topics may have', 37, topic, rig => rig.grow({ count: 1_001 })],
    ['an assignment to another node', 39, topic, rig => rig.grow({ assignments: [{ brokerIds: [2] }] })],
    ['an assignment of the wrong length', 39, topic, rig => rig.grow({ assignments: [] })],
    [
      'a topic twice',
      42,
      async rig => {
        const topic = { name: 't', count: 3, assignments: null };
        const answer = await rig.ask(apis.createPartitions, 3, {
          topics: [topic, topic],
          timeoutMs: 0,
          validateOnly: false,
        });
        return answer.results[0]!.errorCode;
      },
    ],
  ],
  initProducerId: [
    ['a producer', 0, rig => rig.initProducer({})],
    ['a producer that had an id', 0, rig => rig.initProducer({ producerId: 5, producerEpoch: 3 })],
    ['a disk that fails', 15, broken, rig => rig.initProducer({})],
    ['an id without an epoch', 42, rig => rig.initProducer({ producerId: 5 })],
  ],
  offsetForLeaderEpoch: [
    ['a partition', 0, topic, rig => rig.leaderEpoch('t', 0)],
    ['an unknown topic', 3, rig => rig.leaderEpoch('t', 0)],
    ['a leader epoch that is over', 74, topic, raiseEpoch, rig => rig.leaderEpoch('t', 1)],
    ['a leader epoch to come', 75, topic, rig => rig.leaderEpoch('t', 1)],
  ],
  deleteRecords: [
    ['everything', 0, topic, rig => rig.deleteRecords(-1).then(([code]) => code)],
    ['beyond the end', 1, topic, rig => rig.deleteRecords(9).then(([code]) => code)],
    ['below zero', 1, topic, rig => rig.deleteRecords(-2).then(([code]) => code)],
    ['an unknown topic', 3, rig => rig.deleteRecords(0).then(([code]) => code)],
    ['an unknown partition', 3, topic, rig => rig.deleteRecords(0, 't', 7).then(([code]) => code)],
    [
      'an internal topic',
      29,
      rig => rig.topic('__millrace_x'),
      rig => rig.deleteRecords(0, '__millrace_x').then(([code]) => code),
    ],
    [
      'a disk that fails',
      56,
      topic,
      rig => rig.produce(9, batch()),
      broken,
      rig => rig.deleteRecords(1).then(([code]) => code),
    ],
  ],
  alterConfigs: [
    ['a config', 0, topic, rig => rig.alter({ 'retention.ms': '5' })],
    ['an unknown topic', 3, rig => rig.alter({})],
    ['an internal topic', 29, rig => rig.topic('__millrace_x'), rig => rig.alter({}, 2, '__millrace_x')],
    ['a value that cannot be', 40, topic, rig => rig.alter({ 'retention.ms': 'soon' })],
    ['a name that there is not', 40, topic, rig => rig.alter({ color: 'blue' })],
    ['no value', 42, topic, rig => rig.alter({ 'retention.ms': null })],
    ['the broker', 42, rig => rig.alter({}, 4, '1')],
    ['what has no configs', 42, rig => rig.alter({}, 3, 'x')],
  ],
  incrementalAlterConfigs: [
    ['a config', 0, topic, rig => rig.alterBy([['retention.ms', 0, '5']])],
    ['its default', 0, topic, rig => rig.alterBy([['retention.ms', 1, null]])],
    ['an unknown topic', 3, rig => rig.alterBy([])],
    [
      'an internal topic',
      29,
      rig => rig.topic('__millrace_x'),
      rig => rig.alterBy([], { resourceName: '__millrace_x' }),
    ],
    ['a value that cannot be', 40, topic, rig => rig.alterBy([['retention.ms', 0, 'soon']])],
    ['an entry for what is no list', 40, topic, rig => rig.alterBy([['retention.ms', 2, '5']])],
    ['an entry that cannot be', 40, topic, rig => rig.alterBy([['cleanup.policy', 2, 'compact']])],
    [
      'a name twice',
      42,
      topic,
      rig =>
        rig.alterBy([
          ['retention.ms', 0, '5'],
          ['retention.ms', 1, null],
        ]),
    ],
    ['no value', 42, topic, rig => rig.alterBy([['retention.ms', 0, null]])],
    ['an operation that there is not', 42, topic, rig => rig.alterBy([['retention.ms', 7, '5']])],
    ['the broker', 42, rig => rig.alterBy([], { resourceType: 4, resourceName: '1' })],
  ],
  describeConfigs: [
    ['a topic', 0, topic, rig => rig.describeConfigs(2, 't')],
    ['the broker', 0, rig => rig.describeConfigs(4, '1')],
    ['all brokers', 0, rig => rig.describeConfigs(4, '')],
    ['an unknown topic', 3, rig => rig.describeConfigs(2, 't')],
    ['another broker', 42, rig => rig.describeConfigs(4, '2')],
    ['a kind that has none', 42, rig => rig.describeConfigs(8, '1')],
  ],
  describeCluster: [
    ['brokers', 0, rig => describeCluster(rig, 1)],
    ['controllers', 114, rig => describeCluster(rig, 2)],
    ['an endpoint that there is not', 115, rig => describeCluster(rig, 3)],
  ],
};

/** A topic whose only batch has a bit that is wrong. */
async function damaged(rig: Rig): Promise<void> {
  await rig.topic();
  await rig.produce(9, batch(['needle']));
  const [path] = rig.sim.disk.list('/data').filter(name => name.endsWith('.mrj'));
  const bytes = Buffer.from(rig.sim.disk.readFile(`/data/${path}`));
  rig.sim.disk.flipBit(`/data/${path}`, bytes.indexOf('needle'));
}

async function unreadable(rig: Rig, version: number): Promise<number> {
  await rig.topic();
  await rig.produce(9, batch());
  rig.sim.log.read = () => {
    throw Object.assign(new Error('EIO: input/output error'), { code: 'EIO' });
  };
  return rig.fetch(version, 0);
}

/** As after a repair. */
function raiseEpoch({ sim }: Rig): void {
  Object.assign(sim.log.topic('', 't')!.partitions[0]!, { leaderEpoch: 2 });
}

async function apiVersions(rig: Rig, version: number, clientSoftwareName: string): Promise<number> {
  return (await rig.ask(apis.apiVersions, version, { clientSoftwareName, clientSoftwareVersion: '1.0' })).errorCode;
}

async function describeCluster(rig: Rig, endpointType: number): Promise<number> {
  const message = { includeClusterAuthorizedOperations: false, endpointType, includeFencedBrokers: false };
  return (await rig.ask(apis.describeCluster, 2, message)).errorCode;
}
