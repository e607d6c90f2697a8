/**
 * Who may what, over the wire: every API asks the authorizer; a client without rights gets the code of its kind and sees
 * nothing; ACLs and SCRAM users are administered by the APIs for it; projects of the log service stand beside each other.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { nodeIo } from '../../src/base/io/node.ts';
import { type AccessKey, accessKeyIdentity, Security, type SecuritySettings } from '../../src/broker/index.ts';
import { handlers } from '../../src/broker/handlers/index.ts';
import { scramSaltedPassword } from '../../src/sasl/index.ts';
import { startTestBroker, type TestBroker } from '../../src/testing/index.ts';
import { WireClient } from '../../src/testing/wire-client.ts';
import { type Api, apis, type ErrorName, errorCode, errorName } from '../../src/wire/index.ts';
import { RecordBatchBuilder } from '../../src/wire/records/index.ts';

const io = nodeIo();
const KEYS: readonly AccessKey[] = [
  {
    id: 'writer',
    secret: 'w#1',
    rights: [
      {
        actions: ['log:GetLogStore', 'log:ListShards', 'log:PostLogStoreLogs'],
        resources: ['project/shop/logstore/app-*', 'project/nowhere/logstore/*'],
      },
    ],
  },
  { id: 'owner', secret: 'o', rights: [{ actions: ['log:*'], resources: ['project/*/logstore/*'] }] },
];
const SETTINGS: SecuritySettings = {
  users: ['alice', 'root'].map(name => ({ name, password: name })),
  tokens: undefined,
  authorizer: { isOn: true, superUsers: new Set(['User:root']), allowsWithoutAcl: false },
  projects: ['shop', 'web'],
  accessKeys: KEYS,
};

interface Started extends TestBroker {
  /** A client that has proved who it is. */
  login(user: string, password?: string): Promise<WireClient>;
  /** The same before a project. */
  enter(project: string, password: string): Promise<WireClient>;
}

async function start(t: TestContext, settings: SecuritySettings = SETTINGS): Promise<Started> {
  const server = await startTestBroker({}, { security: log => Security.open(io, log, settings) });
  const clients: WireClient[] = [];
  t.after(async () => {
    for (const client of clients) client.destroy();
    await server.close();
  });
  const listener = {
    address: { host: '127.0.0.1', port: 0 },
    protocol: 'SASL_PLAINTEXT',
    mechanisms: ['PLAIN'],
  } as const;
  const users = await server.broker.listen({ ...listener, failureDelayMs: 1 });
  const projects = await server.broker.listen({ ...listener, name: 'agents', failureDelayMs: 1, isLogService: true });
  const prove = async (address: typeof users, user: string, password: string): Promise<WireClient> => {
    const client = await WireClient.connect(io.network, address);
    clients.push(client);
    await client.ask(apis.saslHandshake, 1, { mechanism: 'PLAIN' });
    const answer = await client.ask(apis.saslAuthenticate, 1, { authBytes: Buffer.from(`\0${user}\0${password}`) });
    if (answer.errorCode !== 0) throw new Error(answer.errorMessage ?? errorName(answer.errorCode));
    return client;
  };
  return {
    ...server,
    login: (user, password = user) => prove(users, user, password),
    enter: (project, password) => prove(projects, project, password),
  };
}

function batch(value = 'x'): Uint8Array {
  const builder = new RecordBatchBuilder();
  builder.append(Date.now(), null, Buffer.from(value));
  return builder.finish();
}

const topicWish = (name: string) => ({ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] });
const produce = (name: string, records = batch()) => ({
  transactionalId: null,
  acks: -1,
  timeoutMs: 1_000,
  topicData: [{ name, partitionData: [{ index: 0, records }] }],
});
const fetch = (topic: string) => ({
  replicaId: -1,
  maxWaitMs: 0,
  minBytes: 1,
  maxBytes: 1_000_000,
  isolationLevel: 0,
  topics: [{ topic, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000 }] }],
});
const ANY = {
  resourceTypeFilter: 1,
  resourceNameFilter: null,
  patternTypeFilter: 1,
  principalFilter: null,
  hostFilter: null,
  operation: 1,
  permissionType: 1,
};
const acl = (
  principal: string,
  operation: number,
  resourceType: number,
  resourceName: string,
  resourcePatternType = 3,
) => ({
  resourceType,
  resourceName,
  resourcePatternType,
  principal,
  host: '*',
  operation,
  permissionType: 3,
});

/** One request of each API about `secret`, and the code that a stranger gets for it. */
interface Question {
  readonly key: number;
  readonly code: ErrorName;
  ask(client: WireClient): Promise<number>;
}

function question<Q, QI, S, SI>(
  api: Api<Q, QI, S, SI>,
  version: number,
  code: ErrorName,
  message: QI,
  pick: (answer: S) => number,
): Question {
  return { key: api.key, code, ask: async client => pick(await client.ask(api, version, message)) };
}

const T = 'TOPIC_AUTHORIZATION_FAILED';
const G = 'GROUP_AUTHORIZATION_FAILED';
const C = 'CLUSTER_AUTHORIZATION_FAILED';
const I = 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED';
const ofSecret = { transactionalId: 'secret', producerId: 1, producerEpoch: 0 };
const member = { groupId: 'secret', memberId: 'm', groupInstanceId: null, generationId: 1 };
const protocols = [{ name: 'range', metadata: new Uint8Array(0) }];
const QUESTIONS: readonly Question[] = [
  question(apis.produce, 9, T, produce('secret'), answer => answer.responses[0]!.partitionResponses[0]!.errorCode),
  question(apis.fetch, 12, T, fetch('secret'), answer => answer.responses[0]!.partitions[0]!.errorCode),
  question(
    apis.listOffsets,
    5,
    T,
    {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: 'secret', partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
    },
    answer => answer.topics[0]!.partitions[0]!.errorCode,
  ),
  question(apis.metadata, 9, T, { topics: [{ name: 'secret' }] }, answer => answer.topics[0]!.errorCode),
  question(
    apis.metadata,
    9,
    T,
    { topics: [{ name: 'unknown' }], allowAutoTopicCreation: true },
    answer => answer.topics[0]!.errorCode,
  ),
  question(
    apis.offsetCommit,
    7,
    G,
    {
      groupId: 'secret',
      generationIdOrMemberEpoch: -1,
      memberId: '',
      groupInstanceId: null,
      topics: [{ name: 'secret', partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }] }],
    },
    answer => answer.topics[0]!.partitions[0]!.errorCode,
  ),
  question(apis.offsetFetch, 5, G, { groupId: 'secret', topics: null }, answer => answer.errorCode),
  question(
    apis.offsetFetch,
    8,
    G,
    { groups: [{ groupId: 'secret', topics: null }] },
    answer => answer.groups[0]!.errorCode,
  ),
  question(apis.findCoordinator, 3, G, { key: 'secret', keyType: 0 }, answer => answer.errorCode),
  question(
    apis.findCoordinator,
    4,
    'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    { keyType: 1, coordinatorKeys: ['secret'] },
    answer => answer.coordinators[0]!.errorCode,
  ),
  question(
    apis.joinGroup,
    5,
    G,
    { ...member, sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000, protocolType: 'consumer', protocols },
    answer => answer.errorCode,
  ),
  question(apis.heartbeat, 3, G, member, answer => answer.errorCode),
  question(apis.leaveGroup, 2, G, member, answer => answer.errorCode),
  question(apis.syncGroup, 3, G, { ...member, assignments: [] }, answer => answer.errorCode),
  question(
    apis.describeGroups,
    3,
    G,
    { groups: ['secret'], includeAuthorizedOperations: false },
    answer => answer.groups[0]!.errorCode,
  ),
  question(
    apis.createTopics,
    4,
    T,
    { topics: [topicWish('made')], timeoutMs: 1_000 },
    answer => answer.topics[0]!.errorCode,
  ),
  question(
    apis.deleteTopics,
    4,
    T,
    { topicNames: ['secret'], timeoutMs: 1_000 },
    answer => answer.responses[0]!.errorCode,
  ),
  question(
    apis.initProducerId,
    4,
    C,
    { transactionalId: null, transactionTimeoutMs: 1_000 },
    answer => answer.errorCode,
  ),
  question(
    apis.initProducerId,
    4,
    'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    { transactionalId: 'secret', transactionTimeoutMs: 1_000 },
    answer => answer.errorCode,
  ),
  question(
    apis.offsetForLeaderEpoch,
    2,
    T,
    { topics: [{ topic: 'secret', partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }] }] },
    answer => answer.topics[0]!.partitions[0]!.errorCode,
  ),
  question(apis.describeAcls, 2, C, ANY, answer => answer.errorCode),
  question(
    apis.createAcls,
    2,
    C,
    { creations: [acl('User:alice', 3, 2, 'secret')] },
    answer => answer.results[0]!.errorCode,
  ),
  question(apis.deleteAcls, 2, C, { filters: [ANY] }, answer => answer.filterResults[0]!.errorCode),
  question(
    apis.describeConfigs,
    3,
    T,
    { resources: [{ resourceType: 2, resourceName: 'secret', configurationKeys: null }], includeSynonyms: false },
    answer => answer.results[0]!.errorCode,
  ),
  question(
    apis.describeConfigs,
    3,
    C,
    { resources: [{ resourceType: 4, resourceName: '', configurationKeys: null }], includeSynonyms: false },
    answer => answer.results[0]!.errorCode,
  ),
  question(
    apis.createPartitions,
    2,
    T,
    { topics: [{ name: 'secret', count: 2, assignments: null }], timeoutMs: 1_000, validateOnly: false },
    answer => answer.results[0]!.errorCode,
  ),
  question(apis.deleteGroups, 1, G, { groupsNames: ['secret'] }, answer => answer.results[0]!.errorCode),
  question(apis.offsetDelete, 0, G, { groupId: 'secret', topics: [] }, answer => answer.errorCode),
  question(
    apis.consumerGroupHeartbeat,
    0,
    G,
    { groupId: 'secret', memberId: 'm', memberEpoch: 1 },
    answer => answer.errorCode,
  ),
  question(
    apis.consumerGroupDescribe,
    0,
    G,
    { groupIds: ['secret'], includeAuthorizedOperations: false },
    answer => answer.groups[0]!.errorCode,
  ),
  question(apis.describeUserScramCredentials, 0, C, { users: null }, answer => answer.errorCode),
  question(
    apis.alterUserScramCredentials,
    0,
    C,
    { deletions: [{ name: 'x', mechanism: 1 }], upsertions: [] },
    answer => answer.results[0]!.errorCode,
  ),
  question(
    apis.deleteRecords,
    2,
    T,
    { topics: [{ name: 'secret', partitions: [{ partitionIndex: 0, offset: 0 }] }], timeoutMs: 1_000 },
    answer => answer.topics[0]!.partitions[0]!.errorCode,
  ),
  question(
    apis.alterConfigs,
    2,
    T,
    { resources: [{ resourceType: 2, resourceName: 'secret', configs: [] }], validateOnly: true },
    answer => answer.responses[0]!.errorCode,
  ),
  question(
    apis.incrementalAlterConfigs,
    1,
    C,
    { resources: [{ resourceType: 4, resourceName: '1', configs: [] }], validateOnly: true },
    answer => answer.responses[0]!.errorCode,
  ),
  question(apis.describeLogDirs, 4, C, { topics: null }, answer => answer.errorCode),
  question(
    apis.initProducerId,
    4,
    I,
    { transactionalId: 'secret', transactionTimeoutMs: 1_000 },
    answer => answer.errorCode,
  ),
  question(
    apis.addPartitionsToTxn,
    3,
    I,
    {
      v3AndBelowTransactionalId: 'secret',
      v3AndBelowProducerId: 1,
      v3AndBelowProducerEpoch: 0,
      v3AndBelowTopics: [{ name: 'secret', partitions: [0] }],
    },
    answer => answer.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode,
  ),
  question(
    apis.addPartitionsToTxn,
    5,
    C,
    { transactions: [{ transactionalId: 'secret', producerId: 1, producerEpoch: 0, verifyOnly: true, topics: [] }] },
    answer => answer.errorCode,
  ),
  question(apis.addOffsetsToTxn, 3, I, { ...ofSecret, groupId: 'secret' }, answer => answer.errorCode),
  question(apis.endTxn, 3, I, { ...ofSecret, committed: true }, answer => answer.errorCode),
  question(
    apis.txnOffsetCommit,
    3,
    I,
    {
      ...{ ...ofSecret, groupId: 'secret', generationId: -1, memberId: '', groupInstanceId: null },
      topics: [{ name: 'secret', partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }] }],
    },
    answer => answer.topics[0]!.partitions[0]!.errorCode,
  ),
  question(
    apis.describeProducers,
    0,
    T,
    { topics: [{ name: 'secret', partitionIndexes: [0] }] },
    answer => answer.topics[0]!.partitions[0]!.errorCode,
  ),
  question(
    apis.describeTransactions,
    0,
    I,
    { transactionalIds: ['secret'] },
    answer => answer.transactionStates[0]!.errorCode,
  ),
];

/** APIs that answer everybody: who they are for proves itself with them, or they show only what one may see. */
const OPEN: ReadonlySet<number> = new Set([16, 17, 18, 36, 60, 66]);

test('every API asks: a stranger gets the code of its kind, a super user gets through', async t => {
  const asked = new Set([...QUESTIONS.map(({ key }) => key), ...OPEN]);
  assert.deepEqual(
    handlers.map(({ api }) => api.name).filter((_name, i) => !asked.has(handlers[i]!.api.key)),
    [],
    'every handler has a question',
  );
  const server = await start(t);
  await server.log.createTopic('', 'secret', 1);
  const [alice, root] = [await server.login('alice'), await server.login('root')];
  for (const { ask, code, key } of QUESTIONS) {
    assert.equal(errorName(await ask(alice)), code, `API ${key}`);
  }
  for (const { ask, key } of QUESTIONS) {
    // Joining would wait for the others of the group.
    if (key === apis.joinGroup.key) continue;
    assert.doesNotMatch(errorName(await ask(root)), /AUTHORIZATION/, `API ${key}`);
  }
  const denials = server.broker.refusals().filter(({ code }) => code === 'MR5431');
  assert.match(denials[0]!.reason, /^User:alice may not \w+ \w+ /);
});

test('lists show what one may see, and operations what one may do', async t => {
  const server = await start(t);
  for (const name of ['open', 'secret']) await server.log.createTopic('', name, 1);
  const [alice, root] = [await server.login('alice'), await server.login('root')];
  const commit = { groupId: 'hidden', generationIdOrMemberEpoch: -1, memberId: '', groupInstanceId: null };
  const topics = [{ name: 'open', partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }] }];
  await root.ask(apis.offsetCommit, 7, { ...commit, topics });
  await root.ask(apis.createAcls, 2, {
    creations: [acl('User:alice', 3, 2, 'op', 4), acl('User:alice', 8, 3, 'mine')],
  });
  const all = { topics: null, includeTopicAuthorizedOperations: true, includeClusterAuthorizedOperations: true };
  const seen = await alice.ask(apis.metadata, 9, all);
  assert.deepEqual(
    seen.topics.map(({ name, topicAuthorizedOperations }) => [name, topicAuthorizedOperations]),
    [['open', (1 << 3) | (1 << 8)]],
  );
  assert.equal(seen.clusterAuthorizedOperations, 0);
  assert.deepEqual((await alice.ask(apis.listGroups, 3, {})).groups, []);
  assert.deepEqual((await root.ask(apis.metadata, 9, all)).topics.length, 2);
  assert.deepEqual(
    (await root.ask(apis.listGroups, 3, {})).groups.map(({ groupId }) => groupId),
    ['hidden'],
  );
  const cluster = await root.ask(apis.describeCluster, 0, { includeClusterAuthorizedOperations: true });
  assert.equal(cluster.clusterAuthorizedOperations & (1 << 7), 1 << 7);
  const groups = await alice.ask(apis.describeGroups, 3, { groups: ['mine'], includeAuthorizedOperations: true });
  assert.equal(groups.groups[0]!.authorizedOperations, 1 << 8);
});

test('ACLs are made, found and taken away over the wire, and bind at once', async t => {
  const server = await start(t);
  await server.log.createTopic('', 'orders', 1);
  const [alice, root] = [await server.login('alice'), await server.login('root')];
  const write = async (): Promise<string> => {
    const answer = await alice.ask(apis.produce, 9, produce('orders'));
    return errorName(answer.responses[0]!.partitionResponses[0]!.errorCode);
  };
  assert.equal(await write(), T);
  const made = await root.ask(apis.createAcls, 2, {
    creations: [acl('User:alice', 4, 2, 'ord', 4), acl('User:alice', 9, 2, 'orders'), acl('alice', 4, 2, 'orders')],
  });
  assert.deepEqual(
    made.results.map(result => errorName(result.errorCode)),
    ['NONE', 'INVALID_REQUEST', 'INVALID_REQUEST'],
  );
  assert.equal(await write(), 'NONE');
  const found = await root.ask(apis.describeAcls, 2, {
    ...ANY,
    resourceTypeFilter: 2,
    resourceNameFilter: 'orders',
    patternTypeFilter: 2,
  });
  assert.deepEqual(
    found.resources.map(({ acls, patternType, resourceName }) => [resourceName, patternType, acls[0]!.principal]),
    [['ord', 4, 'User:alice']],
  );
  const gone = await root.ask(apis.deleteAcls, 2, { filters: [{ ...ANY, principalFilter: 'User:alice' }] });
  assert.equal(gone.filterResults[0]!.matchingAcls.length, 1);
  assert.equal(await write(), T);
});

test('without authorization the ACL APIs say so', async t => {
  const server = await start(t, { ...SETTINGS, authorizer: { ...SETTINGS.authorizer, isOn: false } });
  const alice = await server.login('alice');
  const answers = [
    (await alice.ask(apis.describeAcls, 2, ANY)).errorCode,
    (await alice.ask(apis.createAcls, 2, { creations: [acl('User:a', 3, 2, 'x')] })).results[0]!.errorCode,
    (await alice.ask(apis.deleteAcls, 2, { filters: [ANY] })).filterResults[0]!.errorCode,
  ];
  assert.deepEqual(
    answers,
    answers.map(() => errorCode('SECURITY_DISABLED')),
  );
});

test('SCRAM users are made, described and deleted over the wire', async t => {
  const server = await start(t);
  const root = await server.login('root');
  const salt = Buffer.from('salt-salt');
  const saltedPassword = await scramSaltedPassword('SCRAM-SHA-512', 'secret', salt, 4_096);
  const made = await root.ask(apis.alterUserScramCredentials, 0, {
    deletions: [{ name: 'nobody', mechanism: 1 }],
    upsertions: [
      { name: 'carol', mechanism: 2, iterations: 4_096, salt, saltedPassword },
      { name: 'weak', mechanism: 2, iterations: 10, salt, saltedPassword },
      { name: 'odd', mechanism: 9, iterations: 4_096, salt, saltedPassword },
    ],
  });
  assert.deepEqual(Object.fromEntries(made.results.map(({ errorCode: code, user }) => [user, errorName(code)])), {
    nobody: 'RESOURCE_NOT_FOUND',
    carol: 'NONE',
    weak: 'UNACCEPTABLE_CREDENTIAL',
    odd: 'UNSUPPORTED_SASL_MECHANISM',
  });
  const described = await root.ask(apis.describeUserScramCredentials, 0, {
    users: ['carol', 'nobody', 'twice', 'twice'].map(name => ({ name })),
  });
  assert.deepEqual(
    described.results.map(({ credentialInfos, errorCode: code, user }) => [
      user,
      errorName(code),
      credentialInfos.map(({ mechanism }) => mechanism),
    ]),
    [
      ['carol', 'NONE', [2]],
      ['nobody', 'RESOURCE_NOT_FOUND', []],
      ['twice', 'DUPLICATE_RESOURCE', []],
    ],
  );
  const all = await root.ask(apis.describeUserScramCredentials, 0, { users: null });
  assert.deepEqual(
    all.results.map(({ user }) => user),
    ['alice', 'carol', 'root'],
  );
});

const describe = async (client: WireClient, name: string, version = 9) => {
  const { topics } = await client.ask(apis.metadata, version, { topics: [{ name }], allowAutoTopicCreation: true });
  return topics[0]!;
};

test('a project is a namespace: its Logstores must exist, are seen by those with rights, and by no other project', async t => {
  const server = await start(t);
  const owner = await server.enter('shop', 'owner#o');
  const made = await owner.ask(apis.createTopics, 4, {
    topics: ['app-web', 'other', 'Bad', 'a.b'].map(topicWish),
    timeoutMs: 1_000,
  });
  assert.deepEqual(
    made.topics.map(({ errorCode: code }) => errorName(code)),
    ['NONE', 'NONE', 'INVALID_TOPIC_EXCEPTION', 'INVALID_TOPIC_EXCEPTION'],
  );

  const writer = await server.enter('shop', 'writer#w#1');
  assert.equal(errorName((await describe(writer, 'app-web')).errorCode), 'NONE');
  assert.equal(errorName((await describe(writer, 'other')).errorCode), T);
  assert.equal(errorName((await describe(writer, 'app-wep')).errorCode), 'UNKNOWN_TOPIC_OR_PARTITION');
  const put = async (name: string): Promise<string> =>
    errorName((await writer.ask(apis.produce, 9, produce(name))).responses[0]!.partitionResponses[0]!.errorCode);
  assert.deepEqual([await put('app-web'), await put('other')], ['NONE', T]);
  const idempotent = { transactionalId: null, transactionTimeoutMs: 1_000 };
  assert.equal(errorName((await writer.ask(apis.initProducerId, 4, idempotent)).errorCode), 'NONE');
  assert.equal(
    errorName((await owner.ask(apis.fetch, 12, fetch('app-web'))).responses[0]!.partitions[0]!.errorCode),
    'NONE',
  );

  const web = await server.enter('web', 'owner#o');
  assert.equal(errorName((await describe(web, 'app-web')).errorCode), 'UNKNOWN_TOPIC_OR_PARTITION');
  assert.deepEqual((await web.ask(apis.metadata, 9, { topics: null })).topics, []);
  const nowhere = await server.enter('nowhere', 'writer#w#1');
  assert.equal(errorName((await describe(nowhere, 'app-web')).errorCode), 'UNKNOWN_TOPIC_OR_PARTITION');
  const reasons = server.broker
    .refusals()
    .map(({ reason }) => reason)
    .join('\n');
  assert.match(reasons, /Logstore app-web does not exist in project web/);
  assert.match(reasons, /project nowhere is not served here; there are shop, web/);
});

test('an unknown Logstore is named with the nearest one', async t => {
  const server = await start(t);
  await server.log.createTopic('shop', 'app-web', 1);
  const writer = await server.enter('shop', 'writer#w#1');
  await describe(writer, 'app-wep');
  assert.match(server.broker.refusals()[0]!.reason, /did you mean app-web\?/);
});

test('a wrong secret is 58 with project and key, and nothing of the secret', async t => {
  const server = await start(t);
  await assert.rejects(server.enter('shop', 'writer#hush'), /project shop: access key writer /);
  await assert.rejects(server.enter('shop', 'hush'), /<access key id>#<access key secret>/);
  assert.doesNotMatch(JSON.stringify(server.broker.refusals()), /hush/);
});

test('NAME.json is the same Logstore under another name and id, by name and by id', async t => {
  const server = await start(t);
  await server.log.createTopic('shop', 'app-web', 1);
  const owner = await server.enter('shop', 'owner#o');
  const [plain, alias] = [await describe(owner, 'app-web', 12), await describe(owner, 'app-web.json', 12)];
  assert.deepEqual([alias.name, alias.errorCode], ['app-web.json', 0]);
  assert.notEqual(alias.topicId, plain.topicId);
  const byId = await owner.ask(apis.metadata, 12, { topics: [{ name: null, topicId: alias.topicId }] });
  assert.equal(byId.topics[0]!.name, 'app-web.json');
  await owner.ask(apis.produce, 9, produce('app-web.json', batch('{"a":1}')));
  const wish = { topicId: alias.topicId, partitionData: [{ index: 0, records: batch('{"a":2}') }] };
  const second = await owner.ask(apis.produce, 13, { ...produce(''), topicData: [wish] });
  assert.equal(second.responses[0]!.partitionResponses[0]!.baseOffset, 1);
  await owner.ask(apis.produce, 9, produce('app-web', batch('text')));
  const read = await owner.ask(apis.fetch, 12, fetch('app-web.json'));
  assert.equal(read.responses[0]!.partitions[0]!.highWatermark, 3);
  const marks = [...server.log.states.entries('parse-formats')].map(([key, value]) => [
    JSON.parse(key)[1],
    Buffer.from(value).toString(),
  ]);
  assert.deepEqual(marks, [
    [0, 'json'],
    [2, 'text'],
  ]);
  assert.equal((await owner.ask(apis.metadata, 9, { topics: null })).topics.length, 1);
});

test('access keys show as bindings of their project, which cannot be taken away over the wire', async t => {
  const server = await start(t);
  const owner = await server.enter('shop', 'owner#o');
  const { resources } = await owner.ask(apis.describeAcls, 2, {
    ...ANY,
    principalFilter: 'AccessKey:writer',
    resourceTypeFilter: 2,
  });
  assert.deepEqual(
    resources.map(({ patternType, resourceName }) => [resourceName, patternType]),
    [['app-', 4]],
  );
  const gone = await owner.ask(apis.deleteAcls, 2, {
    filters: [{ ...ANY, principalFilter: 'AccessKey:writer', resourceTypeFilter: 2 }],
  });
  assert.ok(gone.filterResults[0]!.matchingAcls.every(match => errorName(match.errorCode) === 'POLICY_VIOLATION'));
  const users = await owner.ask(apis.describeUserScramCredentials, 0, { users: null });
  assert.equal(errorName(users.errorCode), C, 'users are no business of projects');
});

test('a listener without SASL can be bound to a project: everybody has the rights of one key there', async t => {
  const server = await start(t);
  for (const name of ['app-web', 'other']) await server.log.createTopic('shop', name, 1);
  const address = await server.broker.listen({
    address: { host: '127.0.0.1', port: 0 },
    isLogService: true,
    identity: accessKeyIdentity('writer', 'shop'),
  });
  const client = await WireClient.connect(io.network, address);
  t.after(() => client.destroy());
  const put = async (name: string): Promise<string> =>
    errorName((await client.ask(apis.produce, 9, produce(name))).responses[0]!.partitionResponses[0]!.errorCode);
  assert.deepEqual([await put('app-web'), await put('other')], ['NONE', T]);
});

test('who may create topics but not describe their configs is told neither them nor the counts', async t => {
  const server = await start(t);
  const [alice, root] = [await server.login('alice'), await server.login('root')];
  await root.ask(apis.createAcls, 2, { creations: [acl('User:alice', 5, 2, 'mine')] });
  const made = await alice.ask(apis.createTopics, 7, { topics: [topicWish('mine')], timeoutMs: 1_000 });
  const { configs, errorCode: code, numPartitions, topicConfigErrorCode } = made.topics[0]!;
  assert.deepEqual([code, numPartitions, configs, errorName(topicConfigErrorCode)], [0, -1, null, T]);
});

test('a member of a consumer group may name, and its expression finds, only topics that it may describe', async t => {
  const server = await start(t);
  for (const name of ['open', 'secret']) await server.log.createTopic('', name, 1);
  const [alice, root] = [await server.login('alice'), await server.login('root')];
  const creations = [acl('User:alice', 3, 2, 'open'), acl('User:alice', 3, 3, 'mine')];
  await root.ask(apis.createAcls, 2, { creations });
  const joining = { groupId: 'mine', memberEpoch: 0, rebalanceTimeoutMs: 10_000, topicPartitions: [] };
  const named = { ...joining, memberId: 'a', subscribedTopicNames: ['open', 'secret'] };
  const denied = await alice.ask(apis.consumerGroupHeartbeat, 1, named);
  assert.equal(errorName(denied.errorCode), 'TOPIC_AUTHORIZATION_FAILED');
  const matched = { ...joining, memberId: 'a', subscribedTopicRegex: 'open|secret' };
  const { assignment, errorCode } = await alice.ask(apis.consumerGroupHeartbeat, 1, matched);
  assert.equal(errorCode, 0);
  const names = assignment!.topicPartitions.map(({ topicId }) => server.log.topicById(topicId)!.name);
  assert.deepEqual(names, ['open']);
});
