/** `millrace groups` against a broker: what it shows of groups of both protocols, and resets as people do them. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { clientSettings, commitOffsets, makeCluster } from '../../src/client/index.ts';
import { startTestBroker, WireClient } from '../../src/testing/index.ts';
import { apis } from '../../src/wire/index.ts';
import { RecordBatchBuilder } from '../../src/wire/records/index.ts';
import { startSession } from '../runners/cli-session.ts';
import { directoryOf } from './command.ts';

const TIMES = [1_000, 2_000, 3_000, 4_000];

/** Topic `t` of two partitions with four records each, of which `g` has committed one and three. */
async function start(t: TestContext) {
  const server = await startTestBroker();
  t.after(() => server.close());
  await server.log.createTopic('', 't', 2);
  const brokers = `${server.address.host}:${server.address.port}`;
  const cluster = makeCluster(server.io, clientSettings(server.io, new Map([['bootstrap.servers', brokers]])));
  t.after(() => cluster.close());
  const { partitions } = server.log.topic('', 't')!;
  for (const partition of partitions) {
    const batch = new RecordBatchBuilder();
    for (const time of TIMES) batch.append(time, null, Buffer.from(String(time)));
    await server.log.append(partition, batch.finish({}));
  }
  await commitOffsets(cluster, 'g', [
    { topic: 't', partition: 0, offset: 1 },
    { topic: 't', partition: 1, offset: 3 },
  ]);
  const session = startSession(t);
  const cwd = directoryOf(t);
  const run = async (...args: string[]): Promise<unknown[]> => {
    const command = {
      args: ['groups', ...args, '-b', brokers],
      cwd,
      environment: { LC_ALL: 'C.UTF-8', HOME: cwd },
      input: '',
    };
    const { code, stderr, stdout } = await session(command);
    return [code, stdout, stderr];
  };
  return { server, run };
}

const committed = ({ server }: Awaited<ReturnType<typeof start>>): unknown[] =>
  [0, 1].map(partition => server.coordination.committed('', 'g', 't', partition)?.offset);

test('a group is listed and described with what it has committed, and its lag', async t => {
  const { run } = await start(t);
  assert.deepEqual(await run('list'), [0, 'GROUP  STATE  TYPE     PROTOCOL\ng      Empty  classic\n', '']);
  assert.deepEqual(await run('describe', 'g'), [
    0,
    `TOPIC  PARTITION  COMMITTED  END  LAG  MEMBER
t              0          1    4    3       -
t              1          3    4    1       -
`,
    'g: Empty, classic, 0 members\n',
  ]);
});

test('a reset shows each offset as it is and will be, and does it when that is meant', async t => {
  const stand = await start(t);
  const { run } = stand;
  const plan = `TOPIC  PARTITION  COMMITTED  NEW  CHANGE
t              0          1    0      -1
t              1          3    2      -1
`;
  assert.deepEqual(await run('reset', 'g', '--to=-1', '--dry-run'), [0, plan, '']);
  const [code, stdout, stderr] = await run('reset', 'g', '--to=-1');
  assert.deepEqual([code, stdout], [2, plan]);
  assert.match(String(stderr), /^error\[MR1022\]: this changes 2 offsets of g and cannot be undone/);
  assert.deepEqual(committed(stand), [1, 3], 'nothing has changed');
  assert.deepEqual(await run('reset', 'g', '--to=-1', '--yes'), [0, plan, 'reset 2 offsets of g\n']);
  assert.deepEqual(committed(stand), [0, 2]);
  const to = async (where: string, ...more: string[]): Promise<unknown> => {
    assert.equal((await run('reset', 'g', `--to=${where}`, '--yes', ...more))[0], 0, where);
    return committed(stand);
  };
  assert.deepEqual(await to('latest'), [4, 4]);
  assert.deepEqual(await to('1970-01-01T00:00:03Z'), [2, 2], 'the first record of that time or later');
  assert.deepEqual(await to('-1s'), [4, 4], 'nothing is that new: the end');
  assert.deepEqual(await to('1', '--topic', 't:1'), [4, 1]);
  assert.deepEqual(await to('earliest'), [0, 0]);
  assert.deepEqual(await run('reset', 'g', '--to', 'earliest', '--yes', '-o', 'ndjson'), [
    0,
    '{"topic":"t","partition":0,"committed":0,"new":0,"change":0}\n{"topic":"t","partition":1,"committed":0,"new":0,"change":0}\n',
    'nothing to change\n',
  ]);
});

test('what cannot be meant is refused: places, topics and groups that there are not', async t => {
  const { run } = await start(t);
  for (const [args, code, text] of [
    [['reset', 'g', '--to', 'soon'], 2, /^error\[MR1021\]: --to soon: must be earliest, latest/],
    [['reset', 'g', '--topic', 'u'], 2, /^error\[MR1021\]: --topic u: there is no such topic/],
    [['reset', 'g', '--topic', 't:7'], 2, /^error\[MR1021\]: --topic t:7: there is no such topic or partition/],
    [['reset', 'nobody', '--yes'], 4, /^error\[MR1025\]: there is no group nobody/],
  ] as const) {
    const [found, , stderr] = await run(...args);
    assert.equal(found, code, args.join(' '));
    assert.match(String(stderr), text);
  }
});

test('the offsets of a group with members are theirs, whichever protocol they speak', async t => {
  const { run, server } = await start(t);
  const { address, io } = server;
  const member = await WireClient.connect(io.network, address, 'newer');
  t.after(() => member.destroy());
  const answer = await member.ask(apis.consumerGroupHeartbeat, 1, {
    groupId: 'newer',
    memberId: 'm',
    memberEpoch: 0,
    rebalanceTimeoutMs: 60_000,
    subscribedTopicNames: ['t'],
    topicPartitions: [],
  });
  assert.equal(answer.errorCode, 0);
  const joining = { groupId: 'old', memberId: '', sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 30_000 };
  const protocols = [{ name: 'mine', metadata: Buffer.from('x') }];
  assert.equal((await member.ask(apis.joinGroup, 3, { ...joining, protocolType: 'other', protocols })).errorCode, 0);
  assert.match(String((await run('describe', 'old'))[2]), /^old: CompletingRebalance, classic, 1 member$/m);
  assert.match(String((await run('reset', 'old', '--yes'))[2]), /^error\[MR1029\]: group old is CompletingRebalance/);
  const [code, stdout, stderr] = await run('describe', 'newer');
  assert.deepEqual([code, stderr], [0, 'newer: Stable, consumer, shared out by uniform, 1 member\n']);
  assert.match(String(stdout), /^m +- +newer +\/127\.0\.0\.1 +2$/m);
  assert.match(String(stdout), /^t +0 +- +4 +4 +m$/m);
  const refused = await run('reset', 'newer', '--to', 'latest', '--topic', 't', '--yes');
  assert.equal(refused[0], 1);
  assert.match(String(refused[2]), /^error\[MR1029\]: group newer is Stable, with 1 members: its offsets are theirs/);
  assert.match(String((await run('delete', 'newer', '--yes'))[2]), /NON_EMPTY_GROUP/);
});
