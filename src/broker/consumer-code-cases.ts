/** Error codes of consumer groups (KIP-848): what provokes each, API by API. */
import { ConsumerMember, type ConsumerMemberSettings } from '../testing/index.ts';
import { apis } from '../wire/index.ts';
import { broken, type Case, type Rig, stable, topic } from './rig-cases.ts';

const member = (rig: Rig, more: Partial<ConsumerMemberSettings> = {}): Promise<ConsumerMember> =>
  ConsumerMember.connect(rig.sim, { group: 'g', id: 'm', ...more });

async function joined(rig: Rig, more: Partial<ConsumerMemberSettings> = {}): Promise<ConsumerMember> {
  const made = await member(rig, more);
  await rig.sim.finish(made.send());
  made.obey();
  return made;
}

const beat = async (rig: Rig, from: ConsumerMember, more: object = {}): Promise<number> =>
  (await rig.sim.finish(from.send(more))).errorCode;

/** The code of one heartbeat of a member that has not joined. */
const first =
  (settings: Partial<ConsumerMemberSettings>, more: object = {}) =>
  async (rig: Rig): Promise<number> =>
    beat(rig, await member(rig, settings), more);

const describe = (rig: Rig, groupId: string): Promise<number> =>
  rig
    .ask(apis.consumerGroupDescribe, 1, { groupIds: [groupId], includeAuthorizedOperations: false })
    .then(({ groups }) => groups[0]!.errorCode);

async function fetchOffsets(rig: Rig, memberId: string, memberEpoch: number): Promise<number> {
  const groups = [{ groupId: 'g', memberId, memberEpoch, topics: null }];
  return (await rig.ask(apis.offsetFetch, 9, { groupId: '', topics: null, groups })).groups[0]!.errorCode;
}

export const CONSUMER_CODE_CASES: Readonly<Record<string, readonly Case[]>> = {
  consumerGroupHeartbeat: [
    ['a new member', 0, topic, first({})],
    ['a member', 0, topic, async rig => beat(rig, await joined(rig))],
    ['of a topic that is not there', 0, first({})],
    ['a disk that fails', 15, topic, broken, first({})],
    ['more groups than are allowed', 15, first({ group: 'a' }), first({ group: 'b' }), first({ group: 'c' })],
    ['the empty group', 24, first({ group: '' })],
    ['no group', 25, async rig => beat(rig, await member(rig), { memberEpoch: 3 })],
    ['an unknown member', 25, joined, async rig => beat(rig, await member(rig, { id: 'x' }), { memberEpoch: 1 })],
    [
      'a member that has left',
      25,
      async rig => {
        const left = await joined(rig);
        await rig.sim.finish(left.leave());
        return beat(rig, left, { memberEpoch: 1 });
      },
    ],
    ['no member id', 42, first({ id: '' })],
    ['an empty instance id', 42, first({ instanceId: '' })],
    ['an epoch that there is not', 42, first({}, { memberEpoch: -3 })],
    ['no rebalance timeout', 42, first({}, { rebalanceTimeoutMs: -1 })],
    ['nothing subscribed to', 42, first({}, { subscribedTopicNames: null })],
    ['owned partitions when joining', 42, first({}, { topicPartitions: null })],
    [
      'who leaves for a while without an instance',
      42,
      joined,
      async rig => beat(rig, await member(rig), { memberEpoch: -2 }),
    ],
    ['a member of another instance', 42, joined, first({ instanceId: 'i' })],
    ['a classic group of others', 42, rig => rig.stable(1, { protocolType: 'connect' }), first({})],
    ['a classic group that nobody can read', 42, rig => rig.stable(1, { protocols: { range: 'x' } }), first({})],
    ['more members than are allowed', 81, ...['a', 'b', 'c', 'd'].map(id => first({ id }))],
    ['more words than are allowed', 81, first({ topics: ['x'.repeat(100_001)] })],
    [
      'another member of the instance',
      82,
      async rig => {
        await joined(rig, { instanceId: 'i' });
        return beat(rig, await member(rig, { id: 'x', instanceId: 'i' }), { memberEpoch: 1 });
      },
    ],
    ['an epoch of the future', 110, async rig => beat(rig, await joined(rig), { memberEpoch: 9 })],
    ['an instance that is there', 111, rig => joined(rig, { instanceId: 'i' }), first({ id: 'x', instanceId: 'i' })],
    ['an assignor that there is not', 112, first({ assignor: 'sticky' })],
    ['what RE2 does not know', 128, first({ regex: '(?=a)' })],
    ['an expression that is too long', 128, first({ regex: 'a'.repeat(1_001) })],
  ],
  consumerGroupDescribe: [
    ['a group', 0, topic, joined, rig => describe(rig, 'g')],
    ['an unknown group', 69, rig => describe(rig, 'g')],
    ['a classic group', 69, stable, rig => describe(rig, 'g')],
  ],
  offsetCommit: [
    ['a member of a consumer group', 0, topic, async rig => rig.sim.finish((await joined(rig)).commit('t', 1))],
    ['from outside while there are members', 25, topic, joined, rig => rig.commit(9)],
    ['an epoch of no group', 69, topic, rig => rig.commit(9, { generationIdOrMemberEpoch: 1, memberId: 'x' })],
    [
      'another member of the instance',
      82,
      topic,
      async rig => {
        const own = await joined(rig, { instanceId: 'i' });
        return rig.sim.finish(own.commit('t', 1, { memberId: 'x' }));
      },
    ],
    [
      'another epoch',
      113,
      topic,
      async rig => {
        const own = await joined(rig);
        return rig.sim.finish(own.commit('t', 1, { generationIdOrMemberEpoch: own.epoch - 1 }));
      },
    ],
  ],
  offsetFetch: [
    ['from outside a consumer group', 0, topic, joined, rig => fetchOffsets(rig, '', -1)],
    ['a member of a consumer group', 0, topic, joined, rig => fetchOffsets(rig, 'm', 1)],
    ['who is no member', 25, topic, joined, rig => fetchOffsets(rig, 'x', 1)],
    ['a member in another epoch', 113, topic, joined, rig => fetchOffsets(rig, 'm', 7)],
  ],
  describeGroups: [
    [
      'a consumer group',
      69,
      topic,
      joined,
      async rig => (await rig.ask(apis.describeGroups, 6, { groups: ['g'] })).groups[0]!.errorCode,
    ],
  ],
  deleteGroups: [
    ['a consumer group with members', 68, topic, joined, rig => rig.deleteGroup('g')],
    [
      'a consumer group that emptied',
      0,
      topic,
      async rig => {
        await rig.sim.finish((await joined(rig)).leave());
        return rig.deleteGroup('g');
      },
    ],
  ],
  offsetDelete: [
    ['of a topic that a consumer group reads', 86, topic, joined, rig => rig.offsetDelete('g')],
    [
      'of a topic that its expression matches',
      86,
      topic,
      rig => joined(rig, { regex: 't' }),
      rig => rig.offsetDelete('g'),
    ],
    [
      'of another topic of a consumer group',
      0,
      topic,
      rig => joined(rig, { topics: ['u'] }),
      rig => rig.offsetDelete('g'),
    ],
  ],
};
