/** What a client believes of its cluster when brokers are dead, lag behind or disagree. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError } from '../base/index.ts';
import { CLOSE, HANG, ScriptedCluster } from '../testing/index.ts';
import { apis, errorCode } from '../wire/index.ts';
import type { ClusterSettings } from './cluster.ts';

function code(expected: string, text = /./): (error: unknown) => boolean {
  return error => error instanceof MillraceError && error.code === expected && text.test(error.message);
}

const of = (host: string): Pick<ClusterSettings, 'bootstrap'> => ({ bootstrap: [{ host, port: 9092 }] });

test('all bootstrap brokers are dead while a learned one lives: nothing is noticed', async () => {
  const scripted = new ScriptedCluster(['a', 'b']);
  scripted.topic('t', [2]);
  const cluster = scripted.client({}, of('a'));
  await scripted.settle(cluster.topic('t'));
  scripted.brokers[0]!.stop();
  cluster.forget('t');
  assert.deepEqual((await scripted.settle(cluster.topic('t'))).leaders, [2]);
  assert.equal(scripted.requests.at(-1)!.node, 2);
});

test('all learned brokers are dead while a bootstrap one lives: it is asked again', async () => {
  const scripted = new ScriptedCluster(['a', 'b', 'c']);
  scripted.topic('t', [2]);
  const cluster = scripted.client({}, of('a'));
  scripted.brokers[0]!.on(apis.metadata, message => {
    const answer = scripted.handlerOf(scripted.brokers[0]!, 3)(message as never, undefined as never) as {
      brokers: { nodeId: number }[];
    };
    return { ...answer, brokers: answer.brokers.filter(({ nodeId }) => nodeId > 1) } as never;
  });
  await scripted.settle(cluster.topic('t'));
  for (const broker of scripted.brokers.slice(1)) broker.stop();
  cluster.forget('t');
  assert.equal((await scripted.settle(cluster.topic('t'))).name, 't');
});

test('a broker that hangs is asked last from then on', async () => {
  const scripted = new ScriptedCluster(['a', 'b']);
  scripted.brokers[0]!.on(apis.apiVersions, () => HANG);
  const cluster = scripted.client({}, { connectTimeoutMs: 5_000 });
  const timeOf = async (): Promise<number> => {
    const started = scripted.world.time;
    assert.equal((await scripted.settle(cluster.any())).address.host, 'b');
    scripted.brokers[1]!.cut();
    await scripted.pass(1_000);
    return scripted.world.time - started;
  };
  const times = [await timeOf(), await timeOf(), await timeOf()];
  assert.ok(
    times.slice(1).every(ms => ms < 2_000),
    `${times}`,
  );
});

test('no broker answers: every reason is told, and the same one as what it is', async () => {
  const scripted = new ScriptedCluster(['a', 'b']);
  const cluster = scripted.client();
  for (const broker of scripted.brokers) broker.on(apis.apiVersions, () => CLOSE);
  await assert.rejects(scripted.settle(cluster.any()), code('MR4210'));
  scripted.brokers[1]!.stop();
  await assert.rejects(
    scripted.settle(cluster.any()),
    code(
      'MR4201',
      /no broker of a:9092,b:9092 can be reached: .*(asked for its versions.*ECONNREFUSED|ECONNREFUSED.*versions)/,
    ),
  );
});

test('a stale broker’s metadata does not undo what is known: leaders, partitions, the topic itself', async () => {
  const scripted = new ScriptedCluster(['a', 'b']);
  scripted.topic('t', [1, 2], [5, 7]);
  const cluster = scripted.client();
  await scripted.settle(cluster.topic('t'));
  const topic = scripted.topics.get('t')!;
  const ask = (): Promise<unknown> => {
    cluster.forget('t');
    return scripted.settle(cluster.topic('t'));
  };
  // Partition 0 as it was two elections ago, partition 1 not there yet.
  scripted.topics.set('t', { ...topic, leaders: [2], epochs: [3] });
  await ask();
  assert.deepEqual(cluster.known('t'), { name: 't', id: topic.id, leaders: [1, 2], leaderEpochs: [5, 7] });
  scripted.topics.set('t', { ...topic, leaders: [2, 2], epochs: [6, 7] });
  await ask();
  assert.deepEqual(cluster.known('t')!.leaders, [2, 2]);
  // A broker that has just started knows nothing; one that does is asked in the end.
  scripted.topics.delete('t');
  cluster.forget('t');
  const found = cluster.topic('t');
  await scripted.pass(5_000);
  scripted.topics.set('t', topic);
  assert.equal((await scripted.settle(found)).id, topic.id);
});

test('a topic that is deleted is believed to be gone after a while, one that never was after some tries', async () => {
  const scripted = new ScriptedCluster();
  scripted.topic('t', [1]);
  const cluster = scripted.client({}, { requestTimeoutMs: 10_000 });
  await scripted.settle(cluster.topic('t'));
  scripted.topics.delete('t');
  cluster.forget('t');
  const started = scripted.world.time;
  await assert.rejects(scripted.settle(cluster.topic('t')), code('MR4209', /topic t does not exist/));
  assert.ok(scripted.world.time - started >= 10_000);
  const before = scripted.requests.length;
  await assert.rejects(scripted.settle(cluster.topic('never')), code('MR4209'));
  assert.equal(scripted.requests.length - before, 3);
});

test('a topic that was created again is another topic', async () => {
  const scripted = new ScriptedCluster();
  scripted.topic('t', [1, 1], [9, 9]);
  const cluster = scripted.client();
  const old = await scripted.settle(cluster.topic('t'));
  scripted.topic('t', [1]);
  cluster.forget('t');
  const made = await scripted.settle(cluster.topic('t'));
  assert.deepEqual([made.leaders, made.leaderEpochs], [[1], [0]]);
  assert.equal(cluster.topicName(made.id), 't');
  assert.equal(cluster.topicName(old.id), undefined);
});

test('metadata is asked for anew when it is old, and once for all who wait', async () => {
  const scripted = new ScriptedCluster();
  scripted.topic('t', [1]);
  const cluster = scripted.client({ 'metadata.max.age.ms': '1000' });
  await scripted.settle(Promise.all([cluster.topic('t'), cluster.topic('t'), cluster.topic('t')]));
  assert.equal(scripted.seen(apis.metadata).length, 1);
  await scripted.settle(cluster.topic('t'));
  assert.equal(scripted.seen(apis.metadata).length, 1);
  await scripted.pass(1_100);
  assert.equal(cluster.known('t'), undefined);
  await scripted.settle(cluster.topic('t'));
  assert.equal(scripted.seen(apis.metadata).length, 2);
});

test('a topic that cannot be had is refused at once, a leader that is not there yet is waited for', async () => {
  const scripted = new ScriptedCluster();
  const cluster = scripted.client();
  let answers = [
    'LEADER_NOT_AVAILABLE',
    'LEADER_NOT_AVAILABLE',
    'TOPIC_AUTHORIZATION_FAILED',
  ] as const as readonly string[];
  scripted.brokers[0]!.on(apis.metadata, () => {
    const [name, ...rest] = answers;
    answers = rest;
    const topics = [{ errorCode: errorCode(name as never), name: 't', topicId: '0'.repeat(32), partitions: [] }];
    return {
      throttleTimeMs: 0,
      brokers: [{ nodeId: 1, host: 'a', port: 9092 }],
      clusterId: '',
      controllerId: 1,
      topics,
    };
  });
  await assert.rejects(
    scripted.settle(cluster.topic('t')),
    error =>
      code('MR4230', /TOPIC_AUTHORIZATION_FAILED/)(error) && /right to the topic/.test((error as MillraceError).help),
  );
  assert.equal(scripted.seen(apis.metadata).length, 3);
});

test('a cluster that asks to begin anew is asked by the bootstrap list', async () => {
  const scripted = new ScriptedCluster(['a', 'b']);
  scripted.topic('t', [2]);
  const cluster = scripted.client({}, of('a'));
  await scripted.settle(cluster.topic('t'));
  scripted.brokers[0]!.cut();
  await scripted.pass(100);
  await scripted.settle(cluster.node(2));
  scripted.brokers[1]!.on(apis.metadata, () => ({
    throttleTimeMs: 0,
    brokers: [],
    clusterId: null,
    controllerId: -1,
    topics: [],
    errorCode: errorCode('REBOOTSTRAP_REQUIRED'),
  }));
  cluster.forget('t');
  await assert.rejects(scripted.settle(cluster.topic('t')));
  assert.equal((await scripted.settle(cluster.topic('t'))).name, 't');
  assert.equal(scripted.requests.at(-1)!.node, 1);
});

test('a coordinator is asked for once, and again when it is no longer the one', async () => {
  const scripted = new ScriptedCluster();
  const cluster = scripted.client();
  let isLoading = true;
  scripted.brokers[0]!.on(apis.findCoordinator, () => {
    const found = { nodeId: 1, host: 'a', port: 9092, errorCode: isLoading ? 14 : 0, errorMessage: null };
    isLoading = false;
    return { throttleTimeMs: 0, ...found, coordinators: [{ key: 'g', ...found }] };
  });
  assert.equal(await scripted.settle(cluster.coordinator('g')), 1);
  assert.equal(await scripted.settle(cluster.coordinator('g')), 1);
  assert.equal(scripted.seen(apis.findCoordinator).length, 2);
  cluster.forgetCoordinator('g');
  await scripted.settle(cluster.coordinator('g'));
  assert.equal(scripted.seen(apis.findCoordinator).length, 3);
});

test('closing does not wait for a broker that hangs, and fails what is under way', async () => {
  const scripted = new ScriptedCluster();
  const cluster = scripted.client();
  scripted.brokers[0]!.on(apis.apiVersions, () => HANG);
  const waiting = assert.rejects(scripted.settle(cluster.any()), MillraceError);
  const started = scripted.world.time;
  await cluster.close();
  assert.equal(scripted.world.time, started);
  await waiting;
  await assert.rejects(scripted.settle(cluster.any()), code('MR4208'));
});

test('a failure that is tried again is reported once, until what failed has succeeded', () => {
  const reports: string[] = [];
  const scripted = new ScriptedCluster();
  const cluster = scripted.client({}, { report: error => reports.push(error.message) });
  for (const text of ['first', 'second']) cluster.troubled('reading', new Error(text));
  cluster.troubled('writing', new Error('other'));
  cluster.calmed('reading');
  cluster.troubled('reading', new Error('third'));
  assert.deepEqual(reports, ['first', 'other', 'third']);
});
