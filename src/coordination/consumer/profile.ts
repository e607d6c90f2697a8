/** What a member says of itself: taken from its heartbeats, compared, and measured. */
import type { ConsumerHeartbeat } from './heartbeat.ts';
import type { MemberProfile } from './member.ts';

export const NOBODY: MemberProfile = {
  instanceId: null,
  rackId: null,
  clientId: '',
  clientHost: '',
  rebalanceTimeoutMs: 0,
  topics: [],
  regex: '',
  assignor: null,
  classic: undefined,
};

export function profileOf(request: ConsumerHeartbeat, before: MemberProfile): MemberProfile {
  const { assignor, clientHost, clientId, epoch, instanceId, rackId, rebalanceTimeoutMs, regex, topics } = request;
  // Who joins says everything: what it leaves out, it does not have.
  const base = epoch === 0 ? NOBODY : before;
  return {
    instanceId: instanceId ?? before.instanceId,
    rackId: rackId ?? base.rackId,
    clientId,
    clientHost,
    rebalanceTimeoutMs: rebalanceTimeoutMs < 0 ? base.rebalanceTimeoutMs : rebalanceTimeoutMs,
    topics: topics ?? base.topics,
    regex: regex ?? base.regex,
    assignor: assignor ?? base.assignor,
    classic: undefined,
  };
}

export function sameProfile(a: MemberProfile, b: MemberProfile): boolean {
  return (
    JSON.stringify({ ...a, classic: undefined }) === JSON.stringify({ ...b, classic: undefined }) &&
    a.classic === b.classic
  );
}

export function sizeOf({ classic, clientId, instanceId, regex, topics }: MemberProfile): number {
  const words = [clientId, instanceId ?? '', regex, ...topics].reduce((sum, word) => sum + word.length, 0);
  return (classic?.protocols ?? []).reduce((sum, { metadata, name }) => sum + name.length + metadata.length, words);
}
