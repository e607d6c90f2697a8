/**
 * Members of a consumer group that speak the classic protocol. Each is led like the others: its JoinGroup says what it owns,
 * its generation is the member epoch that it has reached, SyncGroup tells it what it holds, and a heartbeat is answered with
 * a rebalance when it has a step to take. Nobody waits for anybody, and nobody leads.
 */
import {
  failedJoin,
  failedSync,
  type JoinRequest,
  type JoinResult,
  newMemberId,
  type SyncRequest,
  type SyncResult,
} from '../member.ts';
import type { GroupError } from '../states.ts';
import type { ConsumerGroup } from './group.ts';
import type { ConsumerMember } from './member.ts';
import { eachPartition, type PartitionSet, partitionSet } from './partition-set.ts';

export function joinClassic(group: ConsumerGroup, request: JoinRequest): JoinResult {
  const { instanceId, memberId } = request;
  const refusal = joinRefusal(group, request);
  if (refusal) return failedJoin(refusal, memberId);
  if (memberId === '' && instanceId === null && request.needsMemberId)
    return failedJoin('MEMBER_ID_REQUIRED', newMemberId(group.host.random, request.clientId));
  const id = memberId === '' ? newMemberId(group.host.random, instanceId ?? request.clientId) : memberId;
  const said = subscriptionOf(group, request)!;
  const member = group.members.get(id) ?? group.admit(id, instanceId);
  group.describe(member, {
    instanceId,
    rackId: said.rackId,
    clientId: request.clientId,
    clientHost: request.clientHost,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    topics: said.topics,
    regex: '',
    assignor: null,
    classic: { sessionTimeoutMs: request.sessionTimeoutMs, protocols: request.protocols },
  });
  // Its topics are spelled out: no expression is read for it.
  group.refresh(() => true);
  group.advance(member, idsOf(group, said.owned));
  group.keepAlive(member);
  group.expectProgress(member);
  return {
    error: 'NONE',
    generation: member.holding.epoch,
    protocolType: group.protocolType,
    protocol: request.protocols[0]!.name,
    leader: '',
    memberId: id,
    skipsAssignment: false,
    members: [],
  };
}

export function syncClassic(group: ConsumerGroup, request: SyncRequest): SyncResult {
  const { generation, instanceId, memberId, protocol, protocolType } = request;
  const error = memberError(group, memberId, instanceId, generation);
  if (error !== 'NONE') return failedSync(error);
  const member = group.members.get(memberId)!;
  const own = member.profile.classic!.protocols[0]!.name;
  const isOther =
    (protocolType !== null && protocolType !== group.protocolType) || (protocol !== null && protocol !== own);
  if (isOther) return failedSync('INCONSISTENT_GROUP_PROTOCOL');
  group.keepAlive(member);
  if (group.epoch > member.holding.epoch && member.holding.state !== 'unrevoked')
    return failedSync('REBALANCE_IN_PROGRESS');
  group.hasProgressed(member);
  const assignment = group.host.formats!.writeAssignment(namesOf(group, member.holding.assigned));
  return { error: 'NONE', protocolType: group.protocolType, protocol: own, assignment };
}

export function heartbeatClassic(
  group: ConsumerGroup,
  memberId: string,
  instanceId: string | null,
  generation: number,
): GroupError {
  const error = memberError(group, memberId, instanceId, generation);
  if (error !== 'NONE') return error;
  const member = group.members.get(memberId)!;
  group.keepAlive(member);
  if (!hasStepToTake(group, member)) return 'NONE';
  // From the first time that it is told.
  if (!member.progress) group.expectProgress(member);
  return 'REBALANCE_IN_PROGRESS';
}

/** A classic member leaves; an administrator may name any static one by its instance. */
export function leaveClassic(group: ConsumerGroup, memberId: string, instanceId: string | null): GroupError {
  const id = instanceId === null ? memberId : group.instances.get(instanceId);
  if (instanceId !== null && id !== undefined && memberId !== '' && memberId !== id) return 'FENCED_INSTANCE_ID';
  const member = group.members.get(id ?? '');
  if (!member || (instanceId === null && !member.profile.classic)) return 'UNKNOWN_MEMBER_ID';
  group.remove(member);
  return 'NONE';
}

export function idsOf(
  group: ConsumerGroup,
  owned: readonly (readonly [topic: string, partition: number])[],
): PartitionSet {
  return partitionSet(
    owned.flatMap(([name, partition]) => {
      const topic = group.host.log.topic(group.namespace, name);
      return topic ? [[topic.id, partition] as const] : [];
    }),
  );
}

function namesOf(group: ConsumerGroup, set: PartitionSet): (readonly [topic: string, partition: number])[] {
  return [...eachPartition(set)].flatMap(([topicId, partition]) => {
    const topic = group.host.log.topicById(topicId);
    return topic ? [[topic.name, partition] as const] : [];
  });
}

/** The group has a newer epoch, the member has something to give up, or what it waits for has become free. */
function hasStepToTake(group: ConsumerGroup, { holding, ...member }: ConsumerMember): boolean {
  return (
    holding.epoch < group.epoch ||
    holding.state === 'unrevoked' ||
    (holding.state === 'unreleased' && !group.isWaiting({ holding, ...member }))
  );
}

function joinRefusal(group: ConsumerGroup, request: JoinRequest): GroupError | undefined {
  const { instanceId, memberId, protocols } = request;
  const current = instanceId === null ? undefined : group.instances.get(instanceId);
  if (current !== undefined && memberId !== '' && memberId !== current) return 'FENCED_INSTANCE_ID';
  const self = current ?? memberId;
  if (!group.members.has(self) && group.members.size >= group.host.settings.membersMax) return 'GROUP_MAX_SIZE_REACHED';
  if (request.protocolType !== group.protocolType || !subscriptionOf(group, request))
    return 'INCONSISTENT_GROUP_PROTOCOL';
  const others = [...group.members.values()].filter(({ id, profile }) => id !== self && profile.classic);
  const lists = (member: ConsumerMember, name: string): boolean =>
    member.profile.classic!.protocols.some(protocol => protocol.name === name);
  const isCommon = protocols.some(({ name }) => others.every(member => lists(member, name)));
  if (!isCommon) return 'INCONSISTENT_GROUP_PROTOCOL';
  const bytes = protocols.reduce((sum, { metadata, name }) => sum + metadata.length + name.length, 0);
  return bytes * (others.length + 1) > group.host.settings.groupBytesMax ? 'GROUP_MAX_SIZE_REACHED' : undefined;
}

function subscriptionOf(group: ConsumerGroup, { protocols }: JoinRequest) {
  return group.host.formats?.subscription(protocols[0]!.metadata);
}

function memberError(
  group: ConsumerGroup,
  memberId: string,
  instanceId: string | null,
  generation: number,
): GroupError {
  if (instanceId !== null) {
    const current = group.instances.get(instanceId);
    if (current === undefined) return 'UNKNOWN_MEMBER_ID';
    if (current !== memberId) return 'FENCED_INSTANCE_ID';
  }
  const member = group.members.get(memberId);
  if (!member?.profile.classic) return 'UNKNOWN_MEMBER_ID';
  return member.holding.epoch === generation ? 'NONE' : 'ILLEGAL_GENERATION';
}
