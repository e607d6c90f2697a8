/** Consumer groups (KIP-848) over the wire: who gets what and when, static members, expressions, restarts, migration. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConsumerMember,
  type ConsumerMemberSettings,
  GroupClient,
  SimBroker,
  type SimBrokerParts,
} from '../testing/index.ts';
import { apis, encodeConsumerProtocolSubscription, Writer } from '../wire/index.ts';
import { consumerFormats } from './consumer-formats.ts';
import { subscription } from './rig-cases.ts';

const HEARTBEAT_MS = 5_000;
const SESSION_MS = 45_000;
const REBALANCE_IN_PROGRESS = 27;
const MEMBER_ID_REQUIRED = 79;

async function start(partitions = 6, parts: SimBrokerParts = {}): Promise<SimBroker> {
  const sim = await SimBroker.start(parts);
  await sim.finish(sim.log.createTopic('', 't', partitions));
  return sim;
}

const member = (sim: SimBroker, id: string, more: Partial<ConsumerMemberSettings> = {}): Promise<ConsumerMember> =>
  ConsumerMember.connect(sim, { group: 'g', id, ...more });

/** Heartbeats of all, one after the other, round by round. */
async function beat(sim: SimBroker, members: readonly ConsumerMember[], rounds = 4): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const each of members) await sim.finish(each.beat());
    await sim.pass(HEARTBEAT_MS);
  }
}

async function describe(sim: SimBroker) {
  const client = await sim.client();
  const asked = client.ask(apis.consumerGroupDescribe, 1, { groupIds: ['g'], includeAuthorizedOperations: false });
  return (await sim.finish(asked)).groups[0]!;
}

const counts = (members: readonly ConsumerMember[]): number[] => members.map(({ places }) => places.length);

test('a partition goes to its next owner only when the one before has said that it gave it up', async () => {
  const sim = await start(4);
  const a = await member(sim, 'a');
  await sim.finish(a.beat());
  assert.equal(a.places.length, 4);
  const b = await member(sim, 'b');
  const joined = await sim.finish(b.send());
  assert.deepEqual([joined.errorCode, joined.memberEpoch, joined.heartbeatIntervalMs], [0, 2, HEARTBEAT_MS]);
  assert.deepEqual(b.told, [], 'all is still with the other');
  assert.equal((await describe(sim)).groupState, 'Reconciling');
  await sim.finish(a.send());
  assert.equal(a.epoch, 1, 'in its old epoch until it has given up');
  assert.equal(a.told[0]!.partitions.length, 2);
  await sim.finish(b.send());
  assert.deepEqual(b.told, [], 'it was told, and has not done it yet');
  a.obey();
  await sim.finish(a.send());
  assert.equal(a.epoch, 2);
  await sim.finish(b.send());
  b.obey();
  assert.deepEqual([...a.places, ...b.places].sort(), ['t/0', 't/1', 't/2', 't/3']);
  const group = await describe(sim);
  assert.deepEqual(
    [group.groupState, group.groupEpoch, group.assignmentEpoch, group.assignorName],
    ['Stable', 2, 2, 'uniform'],
  );
  assert.deepEqual(
    group.members.map(({ memberEpoch, memberId, memberType }) => [memberId, memberEpoch, memberType]),
    [
      ['a', 2, 1],
      ['b', 2, 1],
    ],
  );
});

test('an answer says who gets what only where that is new, or where all is said', async () => {
  const sim = await start();
  const a = await member(sim, 'a');
  assert.equal((await sim.finish(a.send())).assignment!.topicPartitions[0]!.partitions.length, 6);
  a.obey();
  assert.equal((await sim.finish(a.send())).assignment, null);
  const everything = { rebalanceTimeoutMs: 60_000, subscribedTopicNames: ['t'] };
  assert.equal((await sim.finish(a.send(everything))).assignment!.topicPartitions[0]!.partitions.length, 6);
});

test('a member whose answer was lost comes with the epoch before and is taken; any other is fenced and joins again', async () => {
  const sim = await start();
  const [a, b] = [await member(sim, 'a'), await member(sim, 'b')];
  await beat(sim, [a, b]);
  const before = a.epoch;
  await sim.finish((await member(sim, 'c')).send());
  await beat(sim, [a, b], 3);
  assert.ok(a.epoch > before);
  a.epoch = before;
  assert.equal((await sim.finish(a.send())).errorCode, 0);
  a.epoch = before - 1;
  await sim.finish(a.beat());
  assert.deepEqual(a.errors, [110]);
  assert.ok(a.epoch > before, 'it joined again under its id');
});

test('who misses its session, or holds on to what it was to give up, is out, and others get what it had', async () => {
  const sim = await start();
  const [a, b] = [await member(sim, 'a'), await member(sim, 'b')];
  await beat(sim, [a, b]);
  assert.deepEqual(counts([a, b]), [3, 3]);
  await beat(sim, [b], SESSION_MS / HEARTBEAT_MS + 2);
  assert.deepEqual(b.places.length, 6);
  const c = await member(sim, 'c');
  await sim.finish(c.beat());
  // It speaks, and does not let go.
  for (let passed = 0; passed <= 60_000; passed += HEARTBEAT_MS) {
    await sim.finish(Promise.all([b.send(), c.beat()]));
    await sim.pass(HEARTBEAT_MS);
  }
  assert.ok(b.errors.includes(25), 'out after its rebalance timeout');
  await sim.finish(c.beat());
  assert.equal(c.places.length, 6);
});

test('a static member that is away keeps its partitions for a session, and finds them again under another id', async () => {
  const sim = await start();
  const [a, b] = [await member(sim, 'a', { instanceId: 'i' }), await member(sim, 'b')];
  await beat(sim, [a, b]);
  const had = a.places;
  const { epoch } = b;
  assert.equal((await sim.finish(a.leave(-2))).memberEpoch, -2);
  await beat(sim, [b], 2);
  assert.equal(b.places.length, 3, 'nobody takes over');
  const back = await member(sim, 'a2', { instanceId: 'i' });
  await sim.finish(back.beat());
  assert.deepEqual(back.places, had);
  await beat(sim, [back, b], 2);
  assert.equal(b.epoch, epoch, 'without a new epoch');
  assert.equal((await sim.finish(a.send({ memberEpoch: 1 }))).errorCode, 82);
  await sim.finish(back.leave(-2));
  await beat(sim, [b], SESSION_MS / HEARTBEAT_MS + 2);
  assert.equal(b.places.length, 6, 'who stays away is out');
});

test('an expression takes new topics in and lets deleted ones go; internal ones it never sees', async () => {
  const sim = await start(2);
  const a = await member(sim, 'a', { regex: 't|logs-[0-9]+|__millrace.*' });
  await sim.finish(sim.log.createTopic('', '__millrace_x', 1));
  await sim.finish(a.beat());
  assert.deepEqual(a.places, ['t/0', 't/1']);
  const made = await sim.finish(sim.log.createTopic('', 'logs-7', 1));
  await sim.finish(sim.log.createTopic('', 'other-logs-7', 1));
  await beat(sim, [a]);
  assert.deepEqual(a.places, ['logs-7/0', 't/0', 't/1']);
  await sim.finish(sim.log.addPartitions(made, 3));
  await beat(sim, [a]);
  assert.deepEqual(a.places, ['logs-7/0', 'logs-7/1', 'logs-7/2', 't/0', 't/1']);
  await sim.finish(sim.log.deleteTopic(made));
  await beat(sim, [a]);
  assert.deepEqual(a.places, ['t/0', 't/1']);
});

test('the assignor is the one that most members wish for', async () => {
  const sim = await start(4);
  const members = [
    await member(sim, 'a', { assignor: 'range' }),
    await member(sim, 'b', { assignor: 'range' }),
    await member(sim, 'c', { assignor: 'uniform' }),
  ];
  await beat(sim, members);
  assert.equal((await describe(sim)).assignorName, 'range');
  assert.deepEqual(
    members.map(({ places }) => places),
    [['t/0', 't/1'], ['t/2'], ['t/3']],
  );
});

test('after a restart members go on in their epochs with what they hold', async () => {
  const sim = await start();
  const settled = [await member(sim, 'a'), await member(sim, 'b', { regex: 't' })];
  await beat(sim, settled);
  const before = settled.map(({ epoch, places }) => [epoch, places]);
  await sim.restart();
  const again: ConsumerMember[] = [];
  for (const old of settled) {
    const next = await member(sim, old.settings.id, old.settings);
    next.epoch = old.epoch;
    next.owned = old.owned;
    next.told = old.told;
    again.push(next);
  }
  await beat(sim, again, 2);
  assert.deepEqual(
    again.map(({ epoch, places }) => [epoch, places]),
    before,
  );
  assert.deepEqual(
    again.flatMap(({ errors }) => errors),
    [],
  );
  await sim.restart();
  await sim.pass(SESSION_MS + 1_000);
  assert.equal((await describe(sim)).groupState, 'Empty', 'who does not show up is out');
});

test('a group is listed as what it is, and an empty one becomes what its next member speaks', async () => {
  const sim = await start();
  const list = async (types: readonly string[]) => {
    const client = await sim.client();
    const asked = client.ask(apis.listGroups, 5, { statesFilter: [], typesFilter: [...types] });
    return (await sim.finish(asked)).groups.map(({ groupState, groupType, protocolType }) => [
      groupType,
      groupState,
      protocolType,
    ]);
  };
  const a = await member(sim, 'a');
  await sim.finish(a.beat());
  assert.deepEqual(await list(['Consumer']), [['consumer', 'Stable', 'consumer']]);
  assert.deepEqual(await list(['classic']), []);
  assert.equal(await sim.finish(a.commit('t', 5)), 0);
  await sim.finish(a.leave());
  assert.deepEqual(await list([]), [['consumer', 'Empty', 'consumer']]);
  const classic = await GroupClient.connect(sim, { group: 'g', protocols: { range: subscription(['t']) } });
  await sim.finish(classic.join());
  await sim.finish(classic.sync({ [classic.memberId]: '' }));
  assert.deepEqual(await list([]), [['classic', 'Stable', 'consumer']]);
  assert.equal(sim.coordination.committed('', 'g', 't', 0)?.offset, 5, 'with its offsets');
  assert.equal(await sim.finish(classic.leave()), 0);
  await sim.finish(a.beat());
  await sim.finish(a.beat());
  assert.deepEqual(await list([]), [['consumer', 'Stable', 'consumer']]);
  await sim.restart();
  assert.deepEqual(
    (await list([])).map(([type]) => type),
    ['consumer'],
    'also after a restart',
  );
});

/** What a classic member says that owns something: the layout of a cooperative client. */
function owning(topics: readonly string[], partitions: readonly number[]): Uint8Array {
  const writer = new Writer();
  writer.int16(1);
  const ownedPartitions = partitions.length === 0 ? [] : [{ topic: 't', partitions: [...partitions] }];
  encodeConsumerProtocolSubscription(writer, { topics: [...topics], userData: null, ownedPartitions }, 1);
  return Buffer.concat(writer.finish());
}

const shares = (bytes: Uint8Array): number[] => consumerFormats.assignment(bytes)!.map(([, partition]) => partition);

test('members of both protocols share a group, one after the other, until the classic ones are alone again', async () => {
  const sim = await start(4);
  const settings = { group: 'g', sessionTimeoutMs: 30_000, protocols: { cooperative: owning(['t'], []) } };
  const classic = await GroupClient.connect(sim, settings);
  await sim.finish(classic.join());
  const all = [0, 1, 2, 3].map(partition => ['t', partition] as const);
  const whole = Buffer.from(consumerFormats.writeAssignment(all)).toString('latin1');
  const assignments = [{ memberId: classic.memberId, assignment: Buffer.from(whole, 'latin1') }];
  assert.deepEqual(shares((await sim.finish(classic.sync({}, { assignments }))).assignment), [0, 1, 2, 3]);
  const generation = classic.generation;

  const newer = await member(sim, 'n');
  await sim.finish(newer.beat());
  assert.deepEqual(newer.places, [], 'the classic member holds all of it');
  const group = await describe(sim);
  assert.deepEqual(group.members.map(({ memberType }) => memberType).sort(), [0, 1]);
  assert.equal(await sim.finish(classic.commit('t', 3)), 0, 'it may still commit');
  assert.equal(await sim.finish(classic.heartbeat()), REBALANCE_IN_PROGRESS);

  classic.settings = { ...settings, protocols: { cooperative: owning(['t'], [0, 1, 2, 3]) } };
  assert.equal((await sim.finish(classic.joinOnce())).errorCode, 0);
  assert.equal(classic.generation, generation, 'its generation ends when it has given up');
  const kept = shares((await sim.finish(classic.sync())).assignment);
  assert.equal(kept.length, 2);
  assert.equal(await sim.finish(classic.heartbeat()), REBALANCE_IN_PROGRESS, 'it has something to give up');
  classic.settings = { ...settings, protocols: { cooperative: owning(['t'], kept) } };
  await sim.finish(classic.joinOnce());
  assert.ok(classic.generation > generation);
  assert.deepEqual(shares((await sim.finish(classic.sync())).assignment), kept);
  assert.equal(await sim.finish(classic.heartbeat()), 0);
  await sim.finish(newer.beat());
  assert.deepEqual([...newer.places, ...kept.map(partition => `t/${partition}`)].sort(), ['t/0', 't/1', 't/2', 't/3']);

  const late = await GroupClient.connect(sim, settings);
  assert.equal((await sim.finish(late.joinOnce())).errorCode, MEMBER_ID_REQUIRED);
  assert.equal((await sim.finish(late.joinOnce())).errorCode, 0);
  assert.equal(await sim.finish(late.leave()), 0);
  await sim.finish(newer.beat());
  assert.equal(await sim.finish(classic.heartbeat()), REBALANCE_IN_PROGRESS);
  await sim.finish(classic.joinOnce());
  assert.deepEqual(shares((await sim.finish(classic.sync())).assignment), kept);

  await sim.finish(newer.leave());
  assert.equal(await sim.finish(classic.heartbeat()), REBALANCE_IN_PROGRESS, 'a classic group again');
  await sim.finish(classic.join());
  assert.ok(classic.isLeader);
  assert.equal(sim.coordination.find('', 'g')!.type, 'classic');
  assert.equal(sim.coordination.committed('', 'g', 't', 0)?.offset, 3);
  await sim.restart();
  assert.equal(sim.coordination.find('', 'g')!.type, 'classic');
});

test('a classic member that does not take its step in time is out', async () => {
  const sim = await start(4);
  const newer = await member(sim, 'n');
  await beat(sim, [newer], 1);
  const protocols = { range: owning(['t'], []) };
  const classic = await GroupClient.connect(sim, {
    group: 'g',
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 20_000,
    protocols,
  });
  await sim.finish(classic.join());
  await sim.finish(classic.sync());
  await beat(sim, [newer], 2);
  assert.equal(await sim.finish(classic.heartbeat()), REBALANCE_IN_PROGRESS, 'what it waits for is free');
  for (let i = 0; i < 5; i++) {
    await beat(sim, [newer], 1);
    await sim.finish(classic.heartbeat());
  }
  assert.equal(await sim.finish(classic.heartbeat()), 25);
  await beat(sim, [newer], 2);
  assert.equal(newer.places.length, 4);
});
