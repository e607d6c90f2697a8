/**
 * From a classic group to a consumer group and back, while its members go on.
 *
 *   up      the first member of the newer protocol comes to a classic group of consumers: its members stay with what they
 *           hold; the generation becomes the epoch
 *   down    the last member of the newer protocol is gone: those that are left begin a rebalance of their own
 */
import type { Group, GroupFields } from '../group.ts';
import { metadataFor } from '../member.ts';
import { idsOf } from './classic-members.ts';
import type { ConsumerGroup } from './group.ts';
import type { ConsumerMember } from './member.ts';
import { eachPartition, partitionSet } from './partition-set.ts';

/** Fills `group` with the classic one's members; what keeps it from it as a text. The classic group is not touched. */
export function upgrade(classic: Group, group: ConsumerGroup): string | undefined {
  const { formats } = group.host;
  if (classic.protocolType !== group.protocolType)
    return `it is a group of ${classic.protocolType || 'no'} members, not of consumers`;
  if (!formats) return 'members of the classic protocol cannot be read here';
  const members: ConsumerMember[] = [];
  const taken = new Set<string>();
  for (const fields of classic.members.values()) {
    const protocol = classic.protocol ?? fields.protocols[0]!.name;
    const said = formats.subscription(metadataFor(fields, protocol));
    const told = fields.assignment.length === 0 ? [] : formats.assignment(fields.assignment);
    if (!said || !told) return `what member ${fields.id} says of itself cannot be read`;
    // Assignors of clients may give a partition twice: the first has it.
    const assigned = partitionSet(
      [...eachPartition(idsOf(group, told))].filter(([topicId, partition]) => {
        const place = `${topicId} ${partition}`;
        return !taken.has(place) && taken.add(place);
      }),
    );
    members.push({
      id: fields.id,
      profile: {
        instanceId: fields.instanceId,
        rackId: said.rackId,
        clientId: fields.clientId,
        clientHost: fields.clientHost,
        rebalanceTimeoutMs: fields.rebalanceTimeoutMs,
        topics: said.topics,
        regex: '',
        assignor: null,
        classic: {
          sessionTimeoutMs: fields.sessionTimeoutMs,
          // The chosen one first: it is the one that they go on with.
          protocols: [...fields.protocols].sort((a, b) => Number(b.name === protocol) - Number(a.name === protocol)),
        },
      },
      holding: { state: 'stable', epoch: classic.generation, assigned, revoking: new Map() },
      previousEpoch: classic.generation,
      target: assigned,
      session: undefined,
      progress: undefined,
    });
  }
  group.restore({ epoch: classic.generation }, members);
  return undefined;
}

/** What a classic group goes on with. */
export function downgraded(group: ConsumerGroup): GroupFields {
  const members = [...group.members.values()].map(({ id, profile }) => ({
    id,
    instanceId: profile.instanceId,
    clientId: profile.clientId,
    clientHost: profile.clientHost,
    sessionTimeoutMs: profile.classic!.sessionTimeoutMs,
    rebalanceTimeoutMs: profile.rebalanceTimeoutMs,
    protocols: profile.classic!.protocols,
    assignment: new Uint8Array(0),
  }));
  return {
    // The one that they have reached: they are told to join again, not that they are strangers.
    generation: group.targetEpoch,
    protocolType: group.protocolType,
    protocol: members[0]!.protocols[0]!.name,
    leader: members[0]!.id,
    members,
  };
}
