/** Classic groups over the wire: who waits for whom, what each state answers, who is out when. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  GroupClient,
  type GroupClientSettings,
  SimBroker,
  type SimBrokerParts,
  stableGroup,
  syncAll,
} from '../testing/index.ts';
import { apis } from '../wire/index.ts';

const REBALANCE_IN_PROGRESS = 27;
const UNKNOWN_MEMBER_ID = 25;
const FENCED_INSTANCE_ID = 82;
const DAY_MS = 86_400_000;
const SETTINGS: GroupClientSettings = { group: 'g', sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 30_000 };

async function start(parts: SimBrokerParts = {}): Promise<SimBroker> {
  const sim = await SimBroker.start(parts);
  await sim.finish(sim.log.createTopic('', 't', 1));
  return sim;
}

const member = (sim: SimBroker, more: Partial<GroupClientSettings> = {}): Promise<GroupClient> =>
  GroupClient.connect(sim, { ...SETTINGS, ...more });

/** Whether it is settled without more time than messages take. */
async function isSettled(sim: SimBroker, promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  await sim.pass(500);
  return settled;
}

async function describe(sim: SimBroker, group = 'g') {
  const client = await sim.client();
  const answer = await sim.finish(client.ask(apis.describeGroups, 5, { groups: [group] }));
  return answer.groups[0]!;
}

const assignmentOf = ({ assignment }: { readonly assignment: Uint8Array }): string =>
  Buffer.from(assignment).toString();

/** Keeps sessions alive while time passes. */
async function beat(sim: SimBroker, members: readonly GroupClient[], ms: number): Promise<number[]> {
  let codes: number[] = [];
  for (let passed = 0; passed < ms; passed += 3_000) {
    await sim.pass(Math.min(3_000, ms - passed));
    codes = await sim.finish(Promise.all(members.map(each => each.heartbeat())));
  }
  return codes;
}

test('members that join within the delay share one generation; only the leader gets their list', async () => {
  const sim = await start({ coordination: { initialRebalanceDelayMs: 3_000 } });
  const members = [await member(sim), await member(sim), await member(sim)];
  const joins = [];
  for (const each of members) {
    joins.push(each.join());
    await sim.pass(2_500);
  }
  const answers = await sim.finish(Promise.all(joins));
  assert.ok(sim.world.time > 8_000, 'the delay begins anew when somebody comes');
  assert.deepEqual(new Set(answers.map(({ generationId }) => generationId)), new Set([1]));
  assert.deepEqual(answers.map(answer => answer.members.length).sort(), [0, 0, 3]);
  assert.equal(answers.find(answer => answer.members.length > 0)!.memberId, answers[0]!.leader);
  assert.equal((await describe(sim)).groupState, 'CompletingRebalance');
});

test('the delay of an empty group is no longer than a rebalance may take, and may be nothing', async () => {
  const sim = await start({ coordination: { initialRebalanceDelayMs: 3_000 } });
  const first = await member(sim, { rebalanceTimeoutMs: 7_000 });
  const joined = first.join();
  for (let i = 0; i < 5; i++) {
    await sim.pass(2_000);
    const other = await member(sim, { rebalanceTimeoutMs: 7_000 });
    other.join().catch(() => undefined);
  }
  await sim.finish(joined);
  assert.ok(sim.world.time < 12_000);
  const fast = await start({ coordination: { initialRebalanceDelayMs: 0 } });
  const alone = await member(fast);
  await fast.finish(alone.join());
  assert.ok(fast.world.time < 1_500);
});

test('followers wait in SyncGroup for the leader; who asks later gets its share at once', async () => {
  const sim = await start();
  const members = [await member(sim), await member(sim)];
  await sim.finish(Promise.all(members.map(each => each.join())));
  const [leader, follower] = members[0]!.isLeader ? members : members.toReversed();
  const waiting = follower!.sync();
  assert.equal(await isSettled(sim, waiting), false);
  const shares = { [leader!.memberId]: 'L', [follower!.memberId]: 'F', nobody: 'N' };
  assert.equal(assignmentOf(await sim.finish(leader!.sync(shares))), 'L');
  const answer = await sim.finish(waiting);
  assert.deepEqual([assignmentOf(answer), answer.protocolType, answer.protocolName], ['F', 'consumer', 'range']);
  assert.equal(assignmentOf(await sim.finish(follower!.sync())), 'F');
  const described = await describe(sim);
  assert.deepEqual([described.groupState, described.protocolData], ['Stable', 'range']);
  assert.deepEqual(
    new Set(described.members.map(each => Buffer.from(each.memberAssignment).toString())),
    new Set(['L', 'F']),
  );
});

test('a follower with nothing new keeps the generation; the leader, or something new, begins another', async () => {
  const sim = await start();
  const members = await stableGroup(sim, 2, SETTINGS);
  const [leader, follower] = (members[0]!.isLeader ? members : members.toReversed()) as [GroupClient, GroupClient];
  const same = await sim.finish(follower.joinOnce());
  assert.deepEqual([same.errorCode, same.generationId, same.members.length], [0, 1, 0]);
  const rebalance = leader.joinOnce();
  assert.equal(await isSettled(sim, rebalance), false);
  assert.equal(await sim.finish(follower.heartbeat()), REBALANCE_IN_PROGRESS);
  const [again] = await sim.finish(Promise.all([follower.joinOnce(), rebalance]));
  assert.equal(again.generationId, 2);
  // A generation that has begun is told again to who missed the answer.
  const repeated = await sim.finish(leader.joinOnce());
  assert.deepEqual([repeated.generationId, repeated.members.length], [2, 2]);
  await sim.finish(syncAll(members));
  follower.settings = { ...SETTINGS, protocols: { range: 'more topics' } };
  const changed = follower.joinOnce();
  await sim.pass(100);
  assert.equal((await sim.finish(Promise.all([leader.joinOnce(), changed])))[0].generationId, 3);
});

test('a rebalance that begins while members wait for the assignment sends them to join again', async () => {
  const sim = await start();
  const members = [await member(sim), await member(sim)];
  await sim.finish(Promise.all(members.map(each => each.join())));
  const follower = members.find(each => !each.isLeader)!;
  const waiting = follower.sync();
  await sim.pass(100);
  const third = await member(sim);
  const joining = third.join();
  assert.equal((await sim.finish(waiting)).errorCode, REBALANCE_IN_PROGRESS);
  await sim.finish(Promise.all([...members.map(each => each.joinOnce()), joining]));
  assert.deepEqual(
    [...members, third].map(({ generation }) => generation),
    [2, 2, 2],
  );
});

test('a member whose session ends is out at once, and the others rebalance', async () => {
  const sim = await start();
  const members = await stableGroup(sim, 3, SETTINGS);
  const alive = members.slice(1);
  assert.deepEqual(await beat(sim, alive, 9_000), [0, 0]);
  assert.deepEqual(await beat(sim, alive, 3_000), [REBALANCE_IN_PROGRESS, REBALANCE_IN_PROGRESS]);
  const answers = await sim.finish(Promise.all(alive.map(each => each.joinOnce())));
  assert.deepEqual(answers.map(answer => answer.members.length).sort(), [0, 2]);
  assert.equal(await sim.finish(members[0]!.heartbeat()), UNKNOWN_MEMBER_ID);
});

test('heartbeats keep a session during a rebalance; who does not join in its time is out', async () => {
  const sim = await start();
  const members = await stableGroup(sim, 2, SETTINGS);
  const [quick, late] = members as [GroupClient, GroupClient];
  quick.settings = { ...SETTINGS, protocols: { range: 'new' } };
  const joined = quick.joinOnce();
  assert.deepEqual(await beat(sim, [late], 27_000), [REBALANCE_IN_PROGRESS]);
  assert.equal(await isSettled(sim, joined), false);
  await sim.pass(4_000);
  const answer = await sim.finish(joined);
  assert.deepEqual([answer.generationId, answer.members.map(({ memberId }) => memberId)], [2, [quick.memberId]]);
  assert.equal(await sim.finish(late.heartbeat()), UNKNOWN_MEMBER_ID);
});

test('a leader that never assigns is out after the rebalance timeout; who waited for it goes on', async () => {
  const sim = await start();
  const members = [await member(sim), await member(sim)];
  await sim.finish(Promise.all(members.map(each => each.join())));
  const [leader, follower] = members[0]!.isLeader ? members : members.toReversed();
  const waiting = follower!.sync();
  assert.deepEqual(await beat(sim, [leader!], 27_000), [0], 'alive, but it says nothing');
  assert.equal(await isSettled(sim, waiting), false, 'a waiting member needs no heartbeats');
  await sim.pass(4_000);
  assert.equal((await sim.finish(waiting)).errorCode, REBALANCE_IN_PROGRESS);
  const answer = await sim.finish(follower!.joinOnce());
  assert.deepEqual([answer.errorCode, answer.leader, answer.members.length], [0, follower!.memberId, 1]);
  assert.equal(await sim.finish(leader!.heartbeat()), UNKNOWN_MEMBER_ID);
});

test('leaving rebalances at once; the group that the last has left is empty, and goes on counting', async () => {
  const sim = await start();
  const [first, second] = (await stableGroup(sim, 2, SETTINGS)) as [GroupClient, GroupClient];
  assert.equal(await sim.finish(first.leave()), 0);
  assert.equal(await sim.finish(second.heartbeat()), REBALANCE_IN_PROGRESS);
  assert.equal((await sim.finish(second.joinOnce())).generationId, 2);
  await sim.finish(second.sync({ [second.memberId]: 'all' }));
  assert.equal(await sim.finish(second.leave()), 0);
  const { groupState, members, protocolType } = await describe(sim);
  assert.deepEqual([groupState, protocolType, members], ['Empty', 'consumer', []]);
  const [next] = await stableGroup(sim, 1, SETTINGS);
  assert.equal(next!.generation, 4);
});

test('several members leave in one request, each with its own answer', async () => {
  const sim = await start();
  const members = await stableGroup(sim, 2, SETTINGS, i => ({ instanceId: `i${i}` }));
  const answer = await sim.finish(
    members[0]!.wire.ask(apis.leaveGroup, 4, {
      groupId: 'g',
      members: [
        { memberId: '', groupInstanceId: 'i0' },
        { memberId: 'x', groupInstanceId: 'i1' },
        { memberId: members[1]!.memberId, groupInstanceId: 'i1' },
        { memberId: 'x', groupInstanceId: null },
      ],
    }),
  );
  assert.deepEqual(
    answer.members.map(({ errorCode }) => errorCode),
    [0, FENCED_INSTANCE_ID, 0, UNKNOWN_MEMBER_ID],
  );
  assert.equal((await describe(sim)).groupState, 'Empty');
});

for (const joinVersion of [5, 9]) {
  test(`a static member that comes back keeps the generation and fences its old id (JoinGroup ${joinVersion})`, async () => {
    const sim = await start();
    const settings = { ...SETTINGS, joinVersion };
    const members = await stableGroup(sim, 3, settings, i => ({ instanceId: `i${i}` }));
    for (const old of [members.find(each => each.isLeader)!, members.find(each => !each.isLeader)!]) {
      const share = assignmentOf(await sim.finish(old.sync()));
      const back = await member(sim, { ...settings, instanceId: old.settings.instanceId! });
      const answer = await sim.finish(back.joinOnce());
      assert.deepEqual([answer.errorCode, answer.generationId], [0, 1]);
      assert.notEqual(back.memberId, old.memberId);
      const isTold = old.isLeader && joinVersion >= 9;
      assert.deepEqual([answer.skipAssignment, answer.members.length], [isTold, isTold ? 3 : 0]);
      assert.equal(answer.leader === back.memberId, isTold, 'nobody assigns what is assigned');
      assert.equal(assignmentOf(await sim.finish(back.sync())), share);
      const fenced = [old.heartbeat(), old.commit('t', 1), old.sync(), old.joinOnce(old.memberId), old.leave()];
      for (const found of await sim.finish(Promise.all<number | { errorCode: number }>(fenced)))
        assert.equal(typeof found === 'number' ? found : found.errorCode, FENCED_INSTANCE_ID);
      assert.equal(await sim.finish(back.heartbeat()), 0);
    }
    assert.deepEqual([(await describe(sim)).groupState, (await describe(sim)).members.length], ['Stable', 3]);
  });
}

test('a static member that comes back with something new begins a rebalance', async () => {
  const sim = await start();
  const [first, second] = await stableGroup(sim, 2, SETTINGS, i => ({ instanceId: `i${i}` }));
  const back = await member(sim, { instanceId: 'i1', protocols: { range: 'new' } });
  const joined = back.joinOnce();
  assert.equal(await isSettled(sim, joined), false);
  assert.equal(await sim.finish(first!.heartbeat()), REBALANCE_IN_PROGRESS);
  await sim.finish(Promise.all([first!.joinOnce(), joined]));
  assert.deepEqual([first!.generation, back.generation, second!.generation], [2, 2, 1]);
});

test('a static member that waits in JoinGroup is fenced by the one that comes after it', async () => {
  const sim = await start();
  const old = await member(sim, { instanceId: 'i' });
  const waiting = old.joinOnce();
  await sim.pass(20);
  const back = await member(sim, { instanceId: 'i' });
  const joined = back.joinOnce();
  assert.equal((await sim.finish(waiting)).errorCode, FENCED_INSTANCE_ID);
  assert.equal((await sim.finish(joined)).errorCode, 0);
});

test('a static member that misses a rebalance stays until its session ends', async () => {
  const sim = await start();
  const settings = { ...SETTINGS, sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 20_000 };
  const members = await stableGroup(sim, 2, settings, i => ({ instanceId: `i${i}` }));
  const [here] = members as [GroupClient, GroupClient];
  here.settings = { ...here.settings, protocols: { range: 'new' } };
  const answer = await sim.finish(here.joinOnce());
  assert.equal(answer.members.length, 2, 'the absent one counts');
  await sim.finish(here.sync({ [here.memberId]: 'all' }));
  const codes: number[] = [];
  for (let i = 0; i < 25; i++) codes.push(...(await beat(sim, [here], 3_000)));
  assert.deepEqual([codes[0], codes.at(-1)], [0, REBALANCE_IN_PROGRESS]);
  assert.equal((await sim.finish(here.joinOnce())).members.length, 1);
});

test('the protocol is one that all list, and of these the one that most prefer', async () => {
  const sim = await start();
  const each = [
    { range: 'a', sticky: 'A' },
    { sticky: 'B', other: 'x', range: 'b' },
    { other: 'y', sticky: 'C', range: 'c' },
  ];
  const members = await stableGroup(sim, 3, SETTINGS, i => ({ protocols: each[i]! }));
  assert.deepEqual(new Set(members.map(({ protocol }) => protocol)), new Set(['sticky']));
  const { members: described } = await describe(sim);
  assert.deepEqual(described.map(({ memberMetadata }) => Buffer.from(memberMetadata).toString()).sort(), [
    'A',
    'B',
    'C',
  ]);
});

for (const [how, end] of [
  ['comes', (late: GroupClient) => late.joinOnce()],
  ['leaves', (late: GroupClient) => late.leave()],
  ['is given up', (late: GroupClient) => late.sim.pass(10_000)],
] as const) {
  test(`a rebalance waits for a member that was given an id until it ${how}`, async () => {
    const sim = await start();
    const members = await stableGroup(sim, 1, { ...SETTINGS, sessionTimeoutMs: 30_000 });
    const [here] = members as [GroupClient];
    const late = await member(sim);
    assert.equal((await sim.finish(late.joinOnce())).errorCode, 79);
    const joined = here.joinOnce();
    assert.equal(await isSettled(sim, joined), false);
    void end(late);
    assert.equal((await sim.finish(joined)).generationId, 2);
    assert.ok(sim.world.time < 20_000, 'and not longer');
  });
}

test('a request on a new connection answers the one that it repeats', async () => {
  const sim = await start();
  const lost = await member(sim, { instanceId: 'i' });
  const other = await member(sim);
  await sim.finish(Promise.all([lost.joinOnce(), other.join()]));
  const follower = lost.isLeader ? other : lost;
  const first = follower.sync();
  await sim.pass(100);
  const again = new GroupClient(sim, await sim.client(), follower.settings);
  Object.assign(again, { memberId: follower.memberId, generation: 1, protocol: 'range' });
  const second = again.sync();
  assert.equal((await sim.finish(first)).errorCode, REBALANCE_IN_PROGRESS);
  const leader = lost.isLeader ? lost : other;
  await sim.finish(leader.sync({ [follower.memberId]: 'F' }));
  assert.equal(assignmentOf(await sim.finish(second)), 'F');
});

test('commits of the current generation are taken in a rebalance, and not between it and the assignment', async () => {
  const sim = await start();
  const [first, second] = (await stableGroup(sim, 2, SETTINGS)) as [GroupClient, GroupClient];
  assert.equal(await sim.finish(first.commit('t', 1)), 0);
  second.settings = { ...SETTINGS, protocols: { range: 'new' } };
  const joined = second.joinOnce();
  await sim.pass(100);
  assert.equal(await sim.finish(first.commit('t', 2)), 0);
  await sim.finish(Promise.all([first.joinOnce(), joined]));
  assert.equal(await sim.finish(first.commit('t', 3)), REBALANCE_IN_PROGRESS);
  assert.equal(sim.coordination.committed('', 'g', 't', 0)?.offset, 2);
});

test('after a restart the members of a stable group go on in their generation, and commits are there', async () => {
  const sim = await start();
  const members = await stableGroup(sim, 2, SETTINGS, i => (i === 0 ? { instanceId: 'i' } : {}));
  await sim.finish(
    members[0]!.commit('t', 7, {
      topics: [
        {
          name: 't',
          partitions: [{ partitionIndex: 0, committedOffset: 7, committedLeaderEpoch: 0, committedMetadata: 'why' }],
        },
      ],
    }),
  );
  await sim.restart();
  for (const old of members) {
    const again = new GroupClient(sim, await sim.client(), old.settings);
    Object.assign(again, { memberId: old.memberId, generation: old.generation, protocol: old.protocol });
    assert.equal(await sim.finish(again.heartbeat()), 0);
    assert.match(assignmentOf(await sim.finish(again.sync())), /^share/);
  }
  const client = await sim.client();
  const topics = [{ name: 't', partitionIndexes: [0] }];
  const answer = await sim.finish(client.ask(apis.offsetFetch, 7, { groupId: 'g', topics, groups: [] }));
  const { committedLeaderEpoch, committedOffset, metadata } = answer.topics[0]!.partitions[0]!;
  assert.deepEqual([committedOffset, committedLeaderEpoch, metadata], [7, 0, 'why']);
  await sim.pass(11_000);
  assert.equal((await describe(sim)).groupState, 'Empty', 'they have one session to show up');
});

test('offsets are kept seven days from when the group emptied, also across a restart; then the group is gone', async () => {
  const sim = await start({ settings: { idleMs: DAY_MS } });
  const [only] = (await stableGroup(sim, 1, { ...SETTINGS, sessionTimeoutMs: 1_800_000 })) as [GroupClient];
  await sim.finish(only.commit('t', 5));
  for (let i = 0; i < 8 * 50; i++) {
    await sim.pass(DAY_MS / 50);
    assert.equal(await sim.finish(only.heartbeat()), 0);
  }
  const kept = (): number | undefined => sim.coordination.committed('', 'g', 't', 0)?.offset;
  assert.equal(kept(), 5, 'while there are members nothing ends');
  await sim.finish(only.leave());
  await sim.pass(6 * DAY_MS);
  await sim.restart();
  assert.equal(kept(), 5);
  await sim.pass(DAY_MS + 1_200_000);
  assert.equal(kept(), undefined);
  assert.deepEqual(sim.coordination.list(''), []);
  await sim.restart();
  assert.deepEqual(sim.coordination.list(''), [], 'nor does it come back');
});

test('offsets of a topic go with it: a topic of the same name begins anew', async () => {
  const sim = await start();
  const client = await sim.client();
  const [only] = (await stableGroup(sim, 1, SETTINGS)) as [GroupClient];
  await sim.finish(only.commit('t', 5));
  const topics = [{ name: 't', topicId: '0'.repeat(32) }];
  await sim.finish(client.ask(apis.deleteTopics, 6, { topics, topicNames: [], timeoutMs: 0 }));
  await sim.finish(sim.log.createTopic('', 't', 1));
  assert.equal(sim.coordination.committed('', 'g', 't', 0), undefined);
  await sim.finish(only.commit('t', 6));
  // As if the process had ended between the topic and what was committed for it.
  await sim.finish(sim.log.deleteTopic(sim.log.topic('', 't')!));
  await sim.restart();
  await sim.finish(sim.log.createTopic('', 't', 1));
  assert.equal(sim.coordination.committed('', 'g', 't', 0), undefined);
});

test('ListGroups tells state and type, filters by both in any case, and knows groups that only have offsets', async () => {
  const sim = await start();
  const client = await sim.client();
  await stableGroup(sim, 1, { ...SETTINGS, group: 'stable' });
  const preparing = await member(sim, { group: 'preparing', instanceId: 'i' });
  const waiting = preparing.joinOnce();
  while (!sim.coordination.find('', 'preparing')) await sim.pass(5);
  const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }];
  const commit = { groupId: 'simple', memberId: '', topics: [{ name: 't', partitions }] };
  await sim.finish(client.ask(apis.offsetCommit, 2, commit));
  const list = async (statesFilter: string[], typesFilter: string[]): Promise<string[]> => {
    const { groups } = await sim.finish(client.ask(apis.listGroups, 5, { statesFilter, typesFilter }));
    return groups.map(each => `${each.groupId} ${each.groupState} ${each.groupType} ${each.protocolType}`);
  };
  assert.deepEqual(await list([], []), [
    'stable Stable classic consumer',
    'preparing PreparingRebalance classic consumer',
    'simple Empty classic ',
  ]);
  assert.deepEqual(await list(['stable', 'EMPTY'], ['Classic']), [
    'stable Stable classic consumer',
    'simple Empty classic ',
  ]);
  assert.deepEqual(await list(['Dead'], []), []);
  assert.deepEqual(await list([], ['consumer']), []);
  await sim.finish(waiting);
});

test('members that come and go all the time: nobody who keeps its session is unknown, and all end in one generation', async () => {
  const sim = await start({ seed: 7 });
  const { random } = sim.world;
  const members: GroupClient[] = [];
  for (let i = 0; i < 12; i++) members.push(await member(sim, { sessionTimeoutMs: 6_000 }));
  const sleep = (ms: number): Promise<void> => new Promise(resolve => sim.world.after(ms, resolve));
  let isQuiet = false;
  let rounds = 0;
  const live = async (each: GroupClient): Promise<void> => {
    while (!isQuiet || each.generation !== members[0]!.generation) {
      const joined = await each.join();
      assert.equal(joined.errorCode, 0);
      const shares = Object.fromEntries(joined.members.map(({ memberId }) => [memberId, memberId]));
      const { assignment, errorCode } = await each.sync(shares);
      assert.ok(errorCode === 0 || errorCode === REBALANCE_IN_PROGRESS, `sync ${errorCode}`);
      if (errorCode !== 0) continue;
      assert.equal(Buffer.from(assignment).toString(), each.memberId, 'its own share');
      rounds++;
      for (let code = 0; code === 0; ) {
        await sleep(1_000);
        if (!isQuiet && random.float() < 0.05) {
          assert.equal(await each.leave(), 0);
          each.memberId = '';
          await sleep(random.below(4_000));
          break;
        }
        const group = sim.coordination.find('', 'g')!;
        if (isQuiet && group.type === 'classic' && each.generation === group.generation) return;
        code = await each.heartbeat();
        assert.ok(code === 0 || code === REBALANCE_IN_PROGRESS, `heartbeat ${code}`);
      }
    }
  };
  const lives = Promise.all(members.map(live));
  await sim.pass(180_000);
  isQuiet = true;
  await sim.finish(lives);
  assert.ok(rounds > 200, `${rounds}`);
});
