/** A member of a group, what it says when it joins, and the vote for the protocol that all members list. */
import { assert, type Random, type Timer } from '../base/index.ts';
import type { GroupError } from './states.ts';

export interface Protocol {
  readonly name: string;
  readonly metadata: Uint8Array;
}

export interface JoinRequest {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  readonly protocols: readonly Protocol[];
  /** JoinGroup from version 4 on: a member without an id is first given one. */
  readonly needsMemberId: boolean;
  /** JoinGroup from version 9 on: a leader can be told that there is nothing to assign. */
  readonly canSkipAssignment: boolean;
}

export interface JoinResult {
  readonly error: GroupError;
  readonly generation: number;
  readonly protocolType: string | null;
  readonly protocol: string | null;
  readonly leader: string;
  readonly memberId: string;
  readonly skipsAssignment: boolean;
  readonly members: readonly {
    readonly memberId: string;
    readonly instanceId: string | null;
    readonly metadata: Uint8Array;
  }[];
}

export interface SyncRequest {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
  /** Null where the version does not carry it. */
  readonly protocolType: string | null;
  readonly protocol: string | null;
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[];
}

export interface SyncResult {
  readonly error: GroupError;
  readonly protocolType: string | null;
  readonly protocol: string | null;
  readonly assignment: Uint8Array;
}

/** What survives a restart. */
export interface MemberFields {
  readonly id: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: readonly Protocol[];
  assignment: Uint8Array;
}

export interface Member extends MemberFields {
  joining: ((result: JoinResult) => void) | undefined;
  syncing: ((result: SyncResult) => void) | undefined;
  session: Timer | undefined;
}

export const NO_BYTES = new Uint8Array(0);

/** What is wrong with a request to join, whatever the group. */
export function joinDefect(
  request: JoinRequest,
  settings: { readonly sessionTimeoutMinMs: number; readonly sessionTimeoutMaxMs: number },
): GroupError | undefined {
  const { protocols, protocolType, sessionTimeoutMs: timeout } = request;
  if (timeout < settings.sessionTimeoutMinMs || timeout > settings.sessionTimeoutMaxMs)
    return 'INVALID_SESSION_TIMEOUT';
  if (protocols.length === 0 || protocolType === '') return 'INCONSISTENT_GROUP_PROTOCOL';
  return undefined;
}

const PREFIX_CHARS = 255;

/** An id for a member that has none: what the client calls itself, and chance. */
export function newMemberId(random: Random, prefix: string): string {
  const hex = Buffer.from(random.bytes(16)).toString('hex');
  const uuid = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  return `${prefix.slice(0, PREFIX_CHARS)}-${uuid}`;
}

export function failedJoin(error: GroupError, memberId: string): JoinResult {
  return {
    error,
    generation: -1,
    protocolType: null,
    protocol: null,
    leader: '',
    memberId,
    skipsAssignment: false,
    members: [],
  };
}

export function failedSync(error: GroupError): SyncResult {
  return { error, protocolType: null, protocol: null, assignment: NO_BYTES };
}

export function lists(member: MemberFields, protocol: string): boolean {
  return member.protocols.some(({ name }) => name === protocol);
}

export function metadataFor(member: MemberFields, protocol: string | null): Uint8Array {
  return member.protocols.find(({ name }) => name === protocol)?.metadata ?? NO_BYTES;
}

export function sameProtocols(a: readonly Protocol[], b: readonly Protocol[]): boolean {
  return (
    a.length === b.length &&
    a.every((protocol, i) => protocol.name === b[i]!.name && Buffer.compare(protocol.metadata, b[i]!.metadata) === 0)
  );
}

/** Of the protocols that all members list, the one that most of them prefer; of equals the first member's favourite. */
export function vote(members: readonly MemberFields[]): string {
  const common = members[0]!.protocols
    .map(({ name }) => name)
    .filter(name => members.every(member => lists(member, name)));
  assert(common.length > 0, 'members without a common protocol were admitted');
  const votes = new Map<string, number>();
  for (const member of members) {
    const favourite = member.protocols.find(({ name }) => common.includes(name))!.name;
    votes.set(favourite, (votes.get(favourite) ?? 0) + 1);
  }
  return common.reduce((best, name) => ((votes.get(name) ?? 0) > (votes.get(best) ?? 0) ? name : best));
}

/** What a group keeps of a member, about. */
export function memberBytes(member: Pick<MemberFields, 'clientId' | 'instanceId' | 'protocols'>): number {
  const { clientId, instanceId, protocols } = member;
  const named = clientId.length + (instanceId?.length ?? 0);
  return protocols.reduce((sum, { metadata, name }) => sum + name.length + metadata.length, named);
}
