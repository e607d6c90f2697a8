/** Topics over the wire: Metadata, making and growing them, their configs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimBroker, type WireClient } from '../testing/index.ts';
import { apis, type MetadataResponse, ZERO_UUID } from '../wire/index.ts';
import { TOPIC_CONFIGS } from './topic-configs.ts';

const NOT_ASKED = -(2 ** 31);
const wish = (name: string): { name: string; topicId: string } => ({ name, topicId: ZERO_UUID });

function metadata(
  client: WireClient,
  version: number,
  names: readonly string[] | null,
  more: object = {},
): Promise<MetadataResponse> {
  return client.ask(apis.metadata, version, { topics: names?.map(wish) ?? null, ...more });
}

const named = ({ topics }: MetadataResponse): string[] =>
  topics.map(({ errorCode, name }) => (errorCode === 0 ? name! : `${name} ${errorCode}`)).sort();

function create(client: WireClient, topic: object, more: object = {}) {
  const base = { name: 'new', numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] };
  return client.ask(apis.createTopics, 7, { topics: [{ ...base, ...topic }], timeoutMs: 0, ...more });
}

function describeConfigs(client: WireClient, name: string, more: object = {}, keys: readonly string[] | null = null) {
  const resources = [{ resourceType: 2, resourceName: name, configurationKeys: keys }];
  return client.ask(apis.describeConfigs, 4, { resources, ...more });
}

test('no topics mean all in version 0 and none from 1 on, where null means all; internal ones come by name', async () => {
  const sim = await SimBroker.start();
  const client = await sim.client();
  for (const name of ['a', 'b', '__millrace_x']) await sim.finish(sim.log.createTopic('', name, 1));
  await sim.finish(sim.log.createTopic('other', 'elsewhere', 1));
  assert.deepEqual(named(await sim.finish(metadata(client, 0, []))), ['a', 'b']);
  for (let version = 1; version <= 13; version++) {
    assert.deepEqual(named(await sim.finish(metadata(client, version, []))), []);
    assert.deepEqual(named(await sim.finish(metadata(client, version, null))), ['a', 'b']);
    const one = await sim.finish(metadata(client, version, ['__millrace_x']));
    assert.deepEqual([named(one), one.topics[0]!.isInternal], [['__millrace_x'], true]);
  }
});

test('it tells one broker, its controller, the cluster, partitions and their leader; topics by id, too', async () => {
  const sim = await SimBroker.start({ settings: { nodeId: 5 } });
  const client = await sim.client();
  const topic = await sim.finish(sim.log.createTopic('', 't', 2));
  const answer = await sim.finish(metadata(client, 12, ['t']));
  assert.deepEqual(answer.brokers, [{ nodeId: 5, host: '127.0.0.1', port: 9_092, rack: null }]);
  assert.deepEqual([answer.clusterId, answer.controllerId], [sim.log.clusterId, 5]);
  const { partitions, topicId } = answer.topics[0]!;
  assert.deepEqual([topicId, partitions.map(({ partitionIndex }) => partitionIndex)], [topic.id, [0, 1]]);
  const { isrNodes, leaderEpoch, leaderId, offlineReplicas, replicaNodes } = partitions[1]!;
  assert.deepEqual([leaderId, leaderEpoch, replicaNodes, isrNodes, offlineReplicas], [5, 0, [5], [5], []]);
  const byId = await sim.finish(client.ask(apis.metadata, 12, { topics: [{ name: null, topicId: topic.id }] }));
  assert.deepEqual(named(byId), ['t']);
  await sim.restart();
  const again = await sim.finish(metadata(await sim.client(), 12, ['t']));
  assert.deepEqual([again.clusterId, again.topics[0]!.topicId], [answer.clusterId, topic.id]);
});

test('a listener advertises another address', async () => {
  const sim = await SimBroker.start();
  const address = { host: '127.0.0.1', port: 9_093 };
  await sim.broker.listen({ address, advertised: { host: 'kafka.example.org', port: 19_093 } });
  const client = await sim.client('other', address);
  const advertised = { host: 'kafka.example.org', port: 19_093 };
  const [broker] = (await sim.finish(metadata(client, 1, []))).brokers;
  assert.deepEqual({ host: broker!.host, port: broker!.port }, advertised);
  const found = await sim.finish(client.ask(apis.findCoordinator, 3, { key: 'g', keyType: 0, coordinatorKeys: [] }));
  assert.deepEqual({ host: found.host, port: found.port }, advertised);
  const cluster = { includeClusterAuthorizedOperations: false, endpointType: 1, includeFencedBrokers: false };
  const [node] = (await sim.finish(client.ask(apis.describeCluster, 0, cluster))).brokers;
  assert.deepEqual({ host: node!.host, port: node!.port }, advertised);
});

test('a topic is made by asking for it, where client and setting allow it, and is durable before it is told of', async () => {
  const sim = await SimBroker.start({ settings: { defaultPartitions: 3 } });
  const [client, other] = [await sim.client(), await sim.client()];
  assert.deepEqual(named(await sim.finish(metadata(client, 4, ['no'], { allowAutoTopicCreation: false }))), ['no 3']);
  const both = [metadata(client, 9, ['x', 'y', 'x']), metadata(other, 1, ['x'])];
  const answers = await sim.finish(Promise.all(both));
  assert.deepEqual(answers.map(named), [['x', 'y'], ['x']]);
  assert.ok(answers.every(({ topics }) => topics.every(({ partitions }) => partitions.length === 3)));
  await sim.restart();
  assert.deepEqual(named(await sim.finish(metadata(await sim.client(), 1, null))), ['x', 'y']);
  const strict = await SimBroker.start({ settings: { autoCreateTopics: false } });
  const asking = await strict.client();
  for (const version of [0, 3, 4, 12])
    assert.deepEqual(named(await strict.finish(metadata(asking, version, ['no']))), ['no 3']);
  assert.equal(strict.log.partitionCount, 0);
});

test('names that collide are not made at the same time either, and not more partitions than are allowed', async () => {
  const sim = await SimBroker.start({ settings: { defaultPartitions: 4, partitionsMax: 10 } });
  const client = await sim.client();
  const answer = await sim.finish(metadata(client, 9, ['a.b', 'a_b', 'c', 'd']));
  assert.deepEqual(named(answer), ['a.b', 'a_b 17', 'c', 'd 3']);
  assert.equal(sim.broker.refusals()[0]?.code, 'MR5413');
});

test('operations are told when they are asked for: all of them, without access control', async () => {
  const sim = await SimBroker.start();
  const client = await sim.client();
  await sim.finish(sim.log.createTopic('', 't', 1));
  const silent = await sim.finish(metadata(client, 8, ['t']));
  assert.deepEqual(
    [silent.clusterAuthorizedOperations, silent.topics[0]!.topicAuthorizedOperations],
    [NOT_ASKED, NOT_ASKED],
  );
  const more = { includeClusterAuthorizedOperations: true, includeTopicAuthorizedOperations: true };
  const asked = await sim.finish(metadata(client, 8, ['t'], more));
  // Read 3, write 4, create 5, delete 6, alter 7, describe 8, describe configs 10, alter configs 11.
  assert.equal(asked.topics[0]!.topicAuthorizedOperations, 0b1101_1111_1000);
  // Create, alter, describe, cluster action 9, describe and alter configs, idempotent write 12.
  assert.equal(asked.clusterAuthorizedOperations, 0b1_1111_1010_0000);
  const cluster = { includeClusterAuthorizedOperations: true, endpointType: 1, includeFencedBrokers: false };
  const described = await sim.finish(client.ask(apis.describeCluster, 1, cluster));
  assert.equal(described.clusterAuthorizedOperations, asked.clusterAuthorizedOperations);
});

test('CreateTopics gives id, size and all configs; a trial makes nothing', async () => {
  const sim = await SimBroker.start({ settings: { defaultPartitions: 7 } });
  const client = await sim.client();
  const configs = [{ name: 'retention.ms', value: '5' }];
  const trial = (await sim.finish(create(client, { configs, numPartitions: -1 }, { validateOnly: true }))).topics[0]!;
  assert.deepEqual([trial.errorCode, trial.numPartitions, trial.topicId], [0, 7, ZERO_UUID]);
  assert.equal(sim.log.topic('', 'new'), undefined);
  const made = (await sim.finish(create(client, { configs, replicationFactor: -1 }))).topics[0]!;
  const topic = sim.log.topic('', 'new')!;
  assert.deepEqual([made.topicId, made.numPartitions, made.replicationFactor], [topic.id, 2, 1]);
  assert.deepEqual(
    made.configs!.map(({ configSource, name, value }) => [name, value, configSource]),
    TOPIC_CONFIGS.map(config =>
      config.name === 'retention.ms' ? [config.name, '5', 1] : [config.name, config.default, 5],
    ),
  );
  const refused = (await sim.finish(create(client, { name: 'r', replicationFactor: 3 }))).topics[0]!;
  assert.match(refused.errorMessage!, /replication factor of 3: a single node holds one replica, ask for 1 or -1/);
  const unknown = (await sim.finish(create(client, { name: 'r', configs: [{ name: 'x', value: '' }] }))).topics[0]!;
  assert.match(unknown.errorMessage!, /unknown topic config x/);
});

test('partitions are added to those that there are; a trial adds none', async () => {
  const sim = await SimBroker.start();
  const client = await sim.client();
  await sim.finish(sim.log.createTopic('', 't', 2));
  const grow = (validateOnly: boolean) =>
    sim.finish(
      client.ask(apis.createPartitions, 3, {
        topics: [{ name: 't', count: 5, assignments: null }],
        timeoutMs: 0,
        validateOnly,
      }),
    );
  assert.equal((await grow(true)).results[0]!.errorCode, 0);
  assert.equal(sim.log.topic('', 't')!.partitions.length, 2);
  assert.equal((await grow(false)).results[0]!.errorCode, 0);
  await sim.restart();
  assert.equal(sim.log.topic('', 't')!.partitions.length, 5);
});

test('configs are described with their source, and when asked with synonyms and documentation', async () => {
  const sim = await SimBroker.start();
  const client = await sim.client();
  await sim.finish(sim.log.createTopic('', 't', 1, new Map([['retention.ms', '60000']])));
  const plain = (await sim.finish(describeConfigs(client, 't'))).results[0]!;
  assert.deepEqual(
    plain.configs.map(({ name }) => name),
    TOPIC_CONFIGS.map(({ name }) => name),
  );
  assert.ok(plain.configs.every(({ documentation, synonyms }) => documentation === null && synonyms.length === 0));
  const more = { includeSynonyms: true, includeDocumentation: true };
  const [own, inherited] = (
    await sim.finish(describeConfigs(client, 't', more, ['retention.bytes', 'retention.ms']))
  ).results[0]!.configs.toReversed().toSorted((a, b) => b.name.localeCompare(a.name));
  assert.deepEqual([own!.value, own!.configSource, own!.configType], ['60000', 1, 5]);
  assert.deepEqual(own!.synonyms, [
    { name: 'retention.ms', value: '60000', source: 1 },
    { name: 'log.retention.ms', value: '604800000', source: 5 },
  ]);
  assert.match(own!.documentation!, /How long/);
  assert.deepEqual(inherited!.synonyms, [{ name: 'log.retention.bytes', value: '-1', source: 5 }]);
  const resources = [{ resourceType: 2, resourceName: 't', configurationKeys: ['retention.ms', 'max.message.bytes'] }];
  const old = (await sim.finish(client.ask(apis.describeConfigs, 0, { resources }))).results[0]!;
  assert.deepEqual(
    old.configs.map(({ isDefault, name }) => [name, isDefault]),
    [
      ['retention.ms', false],
      ['max.message.bytes', true],
    ],
  );
});

test('a deleted topic is gone for good, and one of its name has another id', async () => {
  const sim = await SimBroker.start();
  const client = await sim.client();
  const first = await sim.finish(sim.log.createTopic('', 't', 1));
  const answer = await sim.finish(
    client.ask(apis.deleteTopics, 5, { topics: [], topicNames: ['t', 'x'], timeoutMs: 0 }),
  );
  assert.deepEqual(
    answer.responses.map(({ errorCode, name }) => [name, errorCode]),
    [
      ['t', 0],
      ['x', 3],
    ],
  );
  await sim.restart();
  assert.equal(sim.log.topic('', 't'), undefined);
  assert.notEqual((await sim.finish(sim.log.createTopic('', 't', 1))).id, first.id);
});

test('what is asked for many times in one request is answered once', async () => {
  const sim = await SimBroker.start();
  const client = await sim.client();
  await sim.finish(sim.log.createTopic('', 't', 500));
  const found = await sim.finish(metadata(client, 9, Array(5_000).fill('t')));
  assert.equal(found.topics.length, 1);
  const resource = { resourceType: 2, resourceName: 't', configurationKeys: null };
  const configs = await sim.finish(client.ask(apis.describeConfigs, 4, { resources: Array(5_000).fill(resource) }));
  assert.equal(configs.results.length, 1);
  const groups = await sim.finish(client.ask(apis.describeGroups, 5, { groups: Array(5_000).fill('g') }));
  assert.equal(groups.groups.length, 1);
  const many = Array.from({ length: 10_001 }, (_, i) => ({
    ...wish(`n${i}`),
    numPartitions: 1,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  }));
  const made = await sim.finish(client.ask(apis.createTopics, 7, { topics: many, timeoutMs: 0, validateOnly: true }));
  assert.ok(made.topics.every(({ errorCode }) => errorCode === 44));
});

test('settings of Kafka’s files are taken, checked and shown, as programs that make topics give them', async () => {
  const sim = await SimBroker.start();
  const client = await sim.client();
  const create = (name: string, configs: Readonly<Record<string, string>>) =>
    sim.finish(
      client.ask(apis.createTopics, 7, {
        topics: [
          {
            ...{ name, numPartitions: 1, replicationFactor: -1, assignments: [] },
            configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
          },
        ],
        timeoutMs: 0,
        validateOnly: false,
      }),
    );
  const repartition = { 'cleanup.policy': 'delete', 'segment.bytes': '52428800', 'retention.ms': '-1' };
  const made = (await create('streams', repartition)).topics[0]!;
  assert.equal(made.errorCode, 0, made.errorMessage ?? '');
  assert.equal(made.configs!.find(({ name }) => name === 'segment.bytes')!.value, '52428800');
  for (const [name, value] of [
    ['segment.bytes', '13'],
    ['segment.ms', 'x'],
    ['preallocate', 'maybe'],
    ['min.cleanable.dirty.ratio', '1.5'],
    ['cleanup.policy', 'compact'],
  ] as const)
    assert.equal((await create('bad', { [name]: value })).topics[0]!.errorCode, 40, `${name}=${value}`);
});
