/** Error codes of groups and their offsets: what provokes each, API by API. */
import assert from 'node:assert/strict';
import { apis } from '../wire/index.ts';
import { broken, type Case, committed, NOWHERE, type Rig, stable, subscription, topic } from './rig-cases.ts';

export const GROUP_CODE_CASES: Readonly<Record<string, readonly Case[]>> = {
  offsetCommit: [
    ['outside the group protocol', 0, topic, committed],
    ['the empty group', 0, topic, rig => rig.commit(2, { groupId: '' })],
    ['an unknown topic', 3, rig => rig.commit(9)],
    ['metadata that is too long', 12, topic, rig => rig.commit(9, {}, { text: 'x'.repeat(4_097) })],
    ['a disk that fails', 15, topic, broken, committed],
    ['a generation of no group', 22, topic, rig => rig.commit(8, { generationIdOrMemberEpoch: 1, memberId: 'x' })],
    [
      'another generation',
      22,
      async rig => {
        await rig.topic();
        const [member] = await rig.stable();
        return rig.sim.finish(member!.commit('t', 1, { generationIdOrMemberEpoch: member!.generation + 1 }));
      },
    ],
    ['a generation of the empty group', 24, topic, rig => rig.commit(9, { groupId: '', generationIdOrMemberEpoch: 1 })],
    [
      'an unknown member',
      25,
      async rig => {
        await rig.topic();
        const [member] = await rig.stable();
        return rig.sim.finish(member!.commit('t', 1, { memberId: 'x' }));
      },
    ],
    ['from outside while there are members', 25, topic, stable, committed],
    [
      'before the assignment',
      27,
      async rig => {
        await rig.topic();
        const member = await rig.completing();
        return rig.sim.finish(member.commit('t', 1));
      },
    ],
    [
      'another member of the instance',
      82,
      async rig => {
        await rig.topic();
        const [member] = await rig.stable(1, { instanceId: 'i' });
        return rig.sim.finish(member!.commit('t', 1, { memberId: 'x' }));
      },
    ],
    ['an unknown id', 100, rig => rig.commit(10, {}, { topicId: NOWHERE })],
  ],
  offsetFetch: [
    ['an unknown group', 0, rig => offsetFetch(rig, 7)],
    ['an unknown partition in 0', 3, rig => offsetFetch(rig, 0)],
    ['an unknown id', 100, rig => offsetFetch(rig, 10)],
  ],
  findCoordinator: [
    ['a group', 0, rig => findCoordinator(rig, 'g', 0)],
    ['a transaction', 0, rig => findCoordinator(rig, 'x', 1)],
    ['the empty group', 24, rig => findCoordinator(rig, '', 0)],
    ['a kind that there is not', 42, rig => findCoordinator(rig, 'x', 2)],
  ],
  joinGroup: [
    ['a static member', 0, rig => rig.join({ instanceId: 'i' })],
    [
      'more groups than are allowed',
      15,
      async rig => {
        await rig.join({ group: 'a' });
        await rig.join({ group: 'b' });
        return rig.join({ group: 'c' });
      },
    ],
    ['no protocols', 23, rig => rig.join({ protocols: {} })],
    ['no protocol type', 23, rig => rig.join({ protocolType: '' })],
    ['another protocol type', 23, stable, rig => rig.join({ protocolType: 'connect' })],
    ['no common protocol', 23, stable, rig => rig.join({ protocols: { sticky: '' } })],
    ['the empty group', 24, rig => rig.join({ group: '' })],
    ['a name that is too long', 24, rig => rig.join({ group: 'g'.repeat(1_001) })],
    ['an unknown member', 25, stable, rig => rig.join({}, 'x')],
    ['an unknown member of no group', 25, rig => rig.join({}, 'x')],
    ['an unknown member of an unknown instance', 25, stable, rig => rig.join({ instanceId: 'i' }, 'x')],
    ['a session that is too short', 26, rig => rig.join({ sessionTimeoutMs: 5_999 })],
    ['a session that is too long', 26, rig => rig.join({ sessionTimeoutMs: 1_800_001 })],
    ['no member id yet', 79, rig => rig.join({})],
    ['more members than are allowed', 81, rig => rig.stable(3), rig => rig.join({})],
    ['metadata that is too long', 81, rig => rig.join({ instanceId: 'i', protocols: { range: 'x'.repeat(100_001) } })],
    [
      'another member of the instance',
      82,
      rig => rig.stable(1, { instanceId: 'i' }),
      rig => rig.join({ instanceId: 'i' }, 'x'),
    ],
  ],
  syncGroup: [
    [
      'the leader',
      0,
      async rig => {
        const member = await rig.completing();
        return code(rig, member.sync({ [member.memberId]: 'all' }));
      },
    ],
    [
      'an assignment that is too long',
      -1,
      async rig => {
        const member = await rig.completing();
        return code(rig, member.sync({ [member.memberId]: 'x'.repeat(100_001) }));
      },
    ],
    [
      'another generation',
      22,
      async rig => {
        const member = await rig.completing();
        return code(rig, member.sync({}, { generationId: 7 }));
      },
    ],
    [
      'another protocol',
      23,
      async rig => {
        const member = await rig.completing();
        return code(rig, member.sync({}, { protocolName: 'sticky' }));
      },
    ],
    [
      'another protocol type',
      23,
      async rig => {
        const member = await rig.completing();
        return code(rig, member.sync({}, { protocolType: 'connect' }));
      },
    ],
    ['no group', 25, async rig => code(rig, (await rig.group()).sync())],
    [
      'an unknown member',
      25,
      async rig => {
        const member = await rig.completing();
        return code(rig, member.sync({}, { memberId: 'x' }));
      },
    ],
    ['during a rebalance', 27, async rig => code(rig, (await rig.rebalancing()).behind.sync())],
    [
      'another member of the instance',
      82,
      async rig => {
        const [member] = await rig.stable(1, { instanceId: 'i' });
        return code(rig, member!.sync({}, { memberId: 'x' }));
      },
    ],
  ],
  heartbeat: [
    ['a member', 0, async rig => rig.sim.finish((await rig.stable())[0]!.heartbeat())],
    ['before the assignment', 0, async rig => rig.sim.finish((await rig.completing()).heartbeat())],
    ['another generation', 22, async rig => rig.sim.finish((await rig.stable())[0]!.heartbeat({ generationId: 9 }))],
    ['no group', 25, async rig => rig.sim.finish((await rig.group()).heartbeat())],
    ['an unknown member', 25, async rig => rig.sim.finish((await rig.stable())[0]!.heartbeat({ memberId: 'x' }))],
    [
      'who has left',
      25,
      async rig => {
        const [member] = await rig.stable();
        await rig.sim.finish(member!.leave());
        return rig.sim.finish(member!.heartbeat());
      },
    ],
    ['during a rebalance', 27, async rig => rig.sim.finish((await rig.rebalancing()).behind.heartbeat())],
    [
      'another member of the instance',
      82,
      async rig => rig.sim.finish((await rig.stable(1, { instanceId: 'i' }))[0]!.heartbeat({ memberId: 'x' })),
    ],
  ],
  leaveGroup: [
    ['a member', 0, async rig => rig.sim.finish((await rig.stable())[0]!.leave())],
    [
      'an instance, by an administrator',
      0,
      async rig => rig.sim.finish((await rig.stable(1, { instanceId: 'i' }))[0]!.leave('', 'i')),
    ],
    [
      'an id that was promised',
      0,
      async rig => {
        const member = await rig.group();
        await rig.sim.finish(member.joinOnce());
        return rig.sim.finish(member.leave());
      },
    ],
    ['the empty group', 24, async rig => rig.sim.finish((await rig.group({ group: '' })).leave('x', null))],
    ['no group', 25, async rig => rig.sim.finish((await rig.group()).leave('x', null))],
    ['an unknown member', 25, stable, async rig => rig.sim.finish((await rig.group()).leave('x', null))],
    ['an unknown instance', 25, stable, async rig => rig.sim.finish((await rig.group()).leave('', 'i'))],
    [
      'another member of the instance',
      82,
      async rig => rig.sim.finish((await rig.stable(1, { instanceId: 'i' }))[0]!.leave('x', 'i')),
    ],
  ],
  describeGroups: [
    [
      'an unknown group before 6',
      0,
      async rig => (await rig.ask(apis.describeGroups, 5, { groups: ['g'] })).groups[0]!.errorCode,
    ],
    [
      'an unknown group',
      69,
      async rig => (await rig.ask(apis.describeGroups, 6, { groups: ['g'] })).groups[0]!.errorCode,
    ],
  ],
  listGroups: [
    ['all', 0, async rig => (await rig.ask(apis.listGroups, 5, { statesFilter: [], typesFilter: [] })).errorCode],
  ],
  deleteGroups: [
    [
      'a group that emptied',
      0,
      async rig => {
        const [member] = await rig.stable();
        await rig.sim.finish(member!.leave());
        return rig.deleteGroup('g');
      },
    ],
    ['a disk that fails', 15, topic, committed, broken, rig => rig.deleteGroup('g')],
    ['a group with members', 68, stable, rig => rig.deleteGroup('g')],
    ['an unknown group', 69, rig => rig.deleteGroup('g')],
  ],
  offsetDelete: [
    ['of a group without members', 0, topic, committed, rig => rig.offsetDelete('g')],
    [
      'of a topic that nobody subscribes to',
      0,
      topic,
      rig => rig.stable(1, { protocols: { range: subscription(['other']) } }),
      rig => rig.offsetDelete('g'),
    ],
    ['an unknown topic', 3, stable, rig => rig.offsetDelete('g')],
    ['a disk that fails', 15, topic, committed, broken, rig => rig.offsetDelete('g')],
    ['the empty group', 24, rig => rig.offsetDelete('')],
    [
      'of a group of another kind with members',
      68,
      topic,
      rig => rig.stable(1, { protocolType: 'connect' }),
      rig => rig.offsetDelete('g'),
    ],
    ['an unknown group', 69, rig => rig.offsetDelete('g')],
    [
      'of a topic that is subscribed to',
      86,
      topic,
      rig => rig.stable(1, { protocols: { range: subscription(['t']) } }),
      rig => rig.offsetDelete('g'),
    ],
    [
      'of a member that says what nobody can read',
      86,
      topic,
      rig => rig.stable(1, { protocols: { range: 'x' } }),
      rig => rig.offsetDelete('g'),
    ],
  ],
};

async function offsetFetch(rig: Rig, version: number): Promise<number> {
  const topics = [{ name: 't', topicId: NOWHERE, partitionIndexes: [0] }];
  const answer = await rig.ask(apis.offsetFetch, version, { groupId: 'g', topics, groups: [{ groupId: 'g', topics }] });
  const [topic] = version < 8 ? answer.topics : answer.groups[0]!.topics;
  assert.equal(topic!.partitions[0]!.committedOffset, -1);
  return topic!.partitions[0]!.errorCode;
}

async function findCoordinator(rig: Rig, key: string, keyType: number): Promise<number> {
  const answer = await rig.ask(apis.findCoordinator, 3, { key, keyType, coordinatorKeys: [] });
  const batched = await rig.ask(apis.findCoordinator, 6, { key: '', keyType, coordinatorKeys: [key] });
  assert.equal(batched.coordinators[0]!.errorCode, answer.errorCode);
  return answer.errorCode;
}

async function code(rig: Rig, answer: Promise<{ readonly errorCode: number }>): Promise<number> {
  return (await rig.sim.finish(answer)).errorCode;
}
