/**
 * One classic consumer group: members, generations, rebalances. Rules only: no wire formats, no storage.
 *
 *   empty ─join─► preparing ─all joined─► completing ─leader's assignment─► stable
 *     ▲               ▲  ▲────────join, leave, expiry────────┴────────────────┘
 *     └──last member gone──┘                                      any ─deleted─► dead
 *
 * Invariants
 * I1 there is a leader exactly when there are members, and it is one of them.
 * I2 a generation's assignment is given only to members that joined it.
 * I3 every waiting JoinGroup and SyncGroup is answered: by the rebalance, by expiry or by deletion.
 */
import { assert, type Clock, type Random, type Timer } from '../base/index.ts';

export type GroupState = 'empty' | 'preparing' | 'completing' | 'stable' | 'dead';
type GroupEvent = 'joined' | 'all-joined' | 'assigned' | 'left' | 'emptied' | 'deleted';

/** What each event makes of each state. */
const NEXT: Readonly<Record<GroupState, Readonly<Record<GroupEvent, GroupState>>>> = {
  empty: {
    joined: 'preparing',
    'all-joined': 'empty',
    assigned: 'empty',
    left: 'empty',
    emptied: 'empty',
    deleted: 'dead',
  },
  preparing: {
    joined: 'preparing',
    'all-joined': 'completing',
    assigned: 'preparing',
    left: 'preparing',
    emptied: 'empty',
    deleted: 'dead',
  },
  completing: {
    joined: 'preparing',
    'all-joined': 'completing',
    assigned: 'stable',
    left: 'preparing',
    emptied: 'empty',
    deleted: 'dead',
  },
  stable: {
    joined: 'preparing',
    'all-joined': 'stable',
    assigned: 'stable',
    left: 'preparing',
    emptied: 'empty',
    deleted: 'dead',
  },
  dead: { joined: 'dead', 'all-joined': 'dead', assigned: 'dead', left: 'dead', emptied: 'dead', deleted: 'dead' },
};

export type GroupError =
  | 'NONE'
  | 'COORDINATOR_NOT_AVAILABLE'
  | 'ILLEGAL_GENERATION'
  | 'INCONSISTENT_GROUP_PROTOCOL'
  | 'INVALID_GROUP_ID'
  | 'UNKNOWN_MEMBER_ID'
  | 'INVALID_SESSION_TIMEOUT'
  | 'REBALANCE_IN_PROGRESS'
  | 'NON_EMPTY_GROUP'
  | 'GROUP_ID_NOT_FOUND'
  | 'MEMBER_ID_REQUIRED'
  | 'GROUP_MAX_SIZE_REACHED'
  | 'FENCED_INSTANCE_ID'
  | 'OFFSET_METADATA_TOO_LARGE';

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
}

export interface JoinResult {
  readonly error: GroupError;
  readonly generation: number;
  readonly protocolType: string | null;
  readonly protocol: string | null;
  readonly leader: string;
  readonly memberId: string;
  readonly members: readonly {
    readonly memberId: string;
    readonly instanceId: string | null;
    readonly metadata: Uint8Array;
  }[];
}

export interface SyncResult {
  readonly error: GroupError;
  readonly protocolType: string | null;
  readonly protocol: string | null;
  readonly assignment: Uint8Array;
}

export interface Member {
  readonly id: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: readonly Protocol[];
  assignment: Uint8Array;
  joining: ((result: JoinResult) => void) | undefined;
  syncing: ((result: SyncResult) => void) | undefined;
  session: Timer | undefined;
}

export interface GroupSettings {
  readonly sessionTimeoutMinMs: number;
  readonly sessionTimeoutMaxMs: number;
  /** How long the first rebalance of an empty group waits for more members. */
  readonly initialRebalanceDelayMs: number;
  readonly membersMax: number;
}

export interface GroupHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: GroupSettings;
  /** A generation is complete, or the group has emptied: keep what must survive. */
  changed(group: Group): void;
}

const NO_BYTES = new Uint8Array(0);

export class Group {
  readonly namespace: string;
  readonly id: string;
  private readonly host: GroupHost;
  state: GroupState = 'empty';
  generation = 0;
  protocolType = '';
  protocol: string | null = null;
  leader = '';
  readonly members = new Map<string, Member>();
  private readonly instances = new Map<string, string>();
  /** Ids handed out for a second JoinGroup, with their expiry. */
  private readonly promised = new Map<string, Timer>();
  private rebalance: Timer | undefined;

  constructor(namespace: string, id: string, host: GroupHost) {
    this.namespace = namespace;
    this.id = id;
    this.host = host;
  }

  join(request: JoinRequest): Promise<JoinResult> | JoinResult {
    const refusal = this.joinRefusal(request);
    if (refusal) return refusal;
    if (request.memberId === '' && request.instanceId === null && request.needsMemberId) return this.promiseId(request);
    const isMember = this.members.has(request.memberId);
    const member = this.admit(request);
    if (typeof member === 'string') return failedJoin(member, request.memberId);
    const isLeader = member.id === this.leader;
    const isKnown = this.state === 'stable' || this.state === 'completing';
    const isUnchanged = isMember && isKnown && sameProtocols(member.protocols, request.protocols);
    member.protocols = request.protocols;
    if (isUnchanged && (this.state === 'completing' || !isLeader)) return this.joinResult(member);
    const answer = new Promise<JoinResult>(resolve => {
      member.joining?.(failedJoin('UNKNOWN_MEMBER_ID', member.id));
      member.joining = resolve;
    });
    member.session?.cancel();
    member.session = undefined;
    this.prepare('joined');
    return answer;
  }

  sync(
    memberId: string,
    instanceId: string | null,
    generation: number,
    protocolType: string | null,
    protocol: string | null,
    assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[],
  ): Promise<SyncResult> | SyncResult {
    const failed = (error: GroupError): SyncResult => ({
      error,
      protocolType: null,
      protocol: null,
      assignment: NO_BYTES,
    });
    const error = this.memberError(memberId, instanceId, generation);
    if (error !== 'NONE') return failed(error);
    const isOther =
      (protocolType !== null && protocolType !== this.protocolType) ||
      (protocol !== null && protocol !== this.protocol);
    if (isOther) return failed('INCONSISTENT_GROUP_PROTOCOL');
    if (this.state === 'preparing') return failed('REBALANCE_IN_PROGRESS');
    const member = this.members.get(memberId)!;
    this.keepAlive(member);
    if (this.state === 'stable') return this.syncResult(member);
    const answer = new Promise<SyncResult>(resolve => {
      member.syncing = resolve;
    });
    if (memberId === this.leader) this.assign(assignments);
    return answer;
  }

  heartbeat(memberId: string, instanceId: string | null, generation: number): GroupError {
    if (this.state === 'dead') return 'COORDINATOR_NOT_AVAILABLE';
    const error = this.memberError(memberId, instanceId, generation);
    if (error !== 'NONE') return error;
    const member = this.members.get(memberId)!;
    if (!member.joining) this.keepAlive(member);
    return this.state === 'preparing' ? 'REBALANCE_IN_PROGRESS' : 'NONE';
  }

  leave(memberId: string, instanceId: string | null): GroupError {
    const id = instanceId === null ? memberId : this.instances.get(instanceId);
    if (instanceId !== null && id !== undefined && memberId !== '' && memberId !== id) return 'FENCED_INSTANCE_ID';
    if (id !== undefined && this.promised.has(id)) {
      this.forgetPromise(id);
      return 'NONE';
    }
    const member = id === undefined ? undefined : this.members.get(id);
    if (!member) return 'UNKNOWN_MEMBER_ID';
    this.remove(member, 'UNKNOWN_MEMBER_ID');
    return 'NONE';
  }

  /** Whether this member may commit offsets now; a negative generation is a consumer that manages its own partitions. */
  commitError(memberId: string, instanceId: string | null, generation: number): GroupError {
    if (generation < 0 && memberId === '') return this.members.size === 0 ? 'NONE' : 'UNKNOWN_MEMBER_ID';
    if (this.state === 'empty' || this.state === 'dead') return 'ILLEGAL_GENERATION';
    const error = this.memberError(memberId, instanceId, generation);
    if (error !== 'NONE') return error;
    const member = this.members.get(memberId)!;
    if (!member.joining) this.keepAlive(member);
    return this.state === 'completing' ? 'REBALANCE_IN_PROGRESS' : 'NONE';
  }

  delete(): void {
    for (const member of [...this.members.values()]) this.remove(member, 'UNKNOWN_MEMBER_ID');
    this.step('deleted');
  }

  /** Puts back a stable group as it was before a restart; its members have one session to show up. */
  restore(saved: {
    readonly generation: number;
    readonly protocolType: string;
    readonly protocol: string | null;
    readonly leader: string;
    readonly members: readonly Omit<Member, 'joining' | 'syncing' | 'session'>[];
  }): void {
    this.generation = saved.generation;
    this.protocolType = saved.protocolType;
    this.protocol = saved.protocol;
    this.leader = saved.leader;
    for (const fields of saved.members) {
      const member: Member = { ...fields, joining: undefined, syncing: undefined, session: undefined };
      this.members.set(member.id, member);
      if (member.instanceId !== null) this.instances.set(member.instanceId, member.id);
      this.keepAlive(member);
    }
    this.state = this.members.size > 0 ? 'stable' : 'empty';
  }

  private joinRefusal(request: JoinRequest): JoinResult | undefined {
    const { settings } = this.host;
    const failed = (error: GroupError): JoinResult => failedJoin(error, request.memberId);
    if (this.state === 'dead') return failed('COORDINATOR_NOT_AVAILABLE');
    const { sessionTimeoutMs: timeout } = request;
    if (timeout < settings.sessionTimeoutMinMs || timeout > settings.sessionTimeoutMaxMs)
      return failed('INVALID_SESSION_TIMEOUT');
    if (request.protocols.length === 0 || request.protocolType === '') return failed('INCONSISTENT_GROUP_PROTOCOL');
    if (this.members.size > 0) {
      const others = [...this.members.values()].filter(member => member.id !== request.memberId);
      const isCommon = request.protocols.some(({ name }) => others.every(member => lists(member, name)));
      if (request.protocolType !== this.protocolType || !isCommon) return failed('INCONSISTENT_GROUP_PROTOCOL');
      const isNew = !this.members.has(request.memberId) && !this.instances.has(request.instanceId ?? '');
      if (isNew && this.members.size >= settings.membersMax) return failed('GROUP_MAX_SIZE_REACHED');
    }
    return undefined;
  }

  private promiseId(request: JoinRequest): JoinResult {
    const id = this.newMemberId(request.clientId);
    const expiry = this.host.clock.after(request.sessionTimeoutMs, () => this.promised.delete(id), {
      background: true,
    });
    this.promised.set(id, expiry);
    return failedJoin('MEMBER_ID_REQUIRED', id);
  }

  private forgetPromise(id: string): void {
    this.promised.get(id)?.cancel();
    this.promised.delete(id);
  }

  /** The member that the request stands for, new or known. */
  private admit(request: JoinRequest): Member | GroupError {
    const { instanceId, memberId } = request;
    if (instanceId !== null) {
      const current = this.instances.get(instanceId);
      if (current !== undefined && memberId !== '' && memberId !== current) return 'FENCED_INSTANCE_ID';
      if (current !== undefined && memberId === '') return this.replaceInstance(current, request);
      if (current === undefined && memberId !== '') return 'UNKNOWN_MEMBER_ID';
    }
    const known = this.members.get(memberId);
    if (known) {
      known.sessionTimeoutMs = request.sessionTimeoutMs;
      known.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
      return known;
    }
    if (memberId !== '' && !this.promised.has(memberId)) return 'UNKNOWN_MEMBER_ID';
    this.forgetPromise(memberId);
    return this.addMember(
      memberId === '' ? this.newMemberId(request.instanceId ?? request.clientId) : memberId,
      request,
    );
  }

  /** A static member came back under a new id: it takes over, and the old id is fenced. */
  private replaceInstance(currentId: string, request: JoinRequest): Member {
    const old = this.members.get(currentId)!;
    old.session?.cancel();
    old.joining?.(failedJoin('FENCED_INSTANCE_ID', currentId));
    old.syncing?.({ error: 'FENCED_INSTANCE_ID', protocolType: null, protocol: null, assignment: NO_BYTES });
    this.members.delete(currentId);
    const member = this.addMember(this.newMemberId(request.instanceId ?? ''), request);
    member.assignment = old.assignment;
    if (this.leader === currentId) this.leader = member.id;
    return member;
  }

  private addMember(id: string, request: JoinRequest): Member {
    const member: Member = {
      id,
      instanceId: request.instanceId,
      clientId: request.clientId,
      clientHost: request.clientHost,
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      protocols: request.protocols,
      assignment: NO_BYTES,
      joining: undefined,
      syncing: undefined,
      session: undefined,
    };
    if (this.members.size === 0) {
      this.protocolType = request.protocolType;
      this.leader = id;
    }
    this.members.set(id, member);
    if (request.instanceId !== null) this.instances.set(request.instanceId, id);
    return member;
  }

  private newMemberId(prefix: string): string {
    const hex = Buffer.from(this.host.random.bytes(16)).toString('hex');
    const uuid = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    return `${prefix}-${uuid}`;
  }

  private memberError(memberId: string, instanceId: string | null, generation: number): GroupError {
    if (this.state === 'dead') return 'COORDINATOR_NOT_AVAILABLE';
    if (instanceId !== null) {
      const current = this.instances.get(instanceId);
      if (current === undefined) return 'UNKNOWN_MEMBER_ID';
      if (current !== memberId) return 'FENCED_INSTANCE_ID';
    }
    if (!this.members.has(memberId)) return 'UNKNOWN_MEMBER_ID';
    return generation === this.generation ? 'NONE' : 'ILLEGAL_GENERATION';
  }

  private prepare(event: 'joined' | 'left'): void {
    const before = this.state;
    this.step(event);
    if (before === 'completing') {
      for (const member of this.members.values()) {
        member.syncing?.({ error: 'REBALANCE_IN_PROGRESS', protocolType: null, protocol: null, assignment: NO_BYTES });
        member.syncing = undefined;
      }
    }
    if (before === 'empty') {
      this.waitFor(this.host.settings.initialRebalanceDelayMs);
      return;
    }
    if (before !== 'preparing') {
      const timeout = Math.max(...[...this.members.values()].map(member => member.rebalanceTimeoutMs), 0);
      this.waitFor(timeout);
    }
    // The first round of an empty group waits its delay out; every other ends when all have joined.
    if (this.generation > 0 && this.isComplete()) this.complete();
  }

  private waitFor(ms: number): void {
    this.rebalance?.cancel();
    this.rebalance = this.host.clock.after(ms, () => this.complete(), { background: true });
  }

  private isComplete(): boolean {
    for (const member of this.members.values()) if (!member.joining) return false;
    return this.promised.size === 0;
  }

  /** Ends the join phase: who did not join in time is out, the others get the next generation. */
  private complete(): void {
    if (this.state !== 'preparing') return;
    this.rebalance?.cancel();
    this.rebalance = undefined;
    for (const member of [...this.members.values()]) {
      if (!member.joining && member.instanceId === null) this.drop(member);
    }
    if (this.members.size === 0) {
      this.empty();
      return;
    }
    this.step('all-joined');
    this.generation++;
    if (!this.members.get(this.leader)?.joining) {
      const next = [...this.members.values()].find(member => member.joining);
      this.leader = (next ?? this.members.values().next().value!).id;
    }
    this.protocol = this.vote();
    for (const member of this.members.values()) {
      const answer = member.joining;
      member.joining = undefined;
      this.keepAlive(member);
      answer?.(this.joinResult(member));
    }
  }

  /** The protocol that all list and most prefer. */
  private vote(): string {
    const members = [...this.members.values()];
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

  private assign(assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[]): void {
    for (const member of this.members.values()) member.assignment = NO_BYTES;
    for (const { memberId, assignment } of assignments) {
      const member = this.members.get(memberId);
      if (member) member.assignment = Uint8Array.from(assignment);
    }
    this.step('assigned');
    this.host.changed(this);
    for (const member of this.members.values()) {
      member.syncing?.(this.syncResult(member));
      member.syncing = undefined;
    }
  }

  private joinResult(member: Member): JoinResult {
    const isLeader = member.id === this.leader;
    const metadata = (of: Member): Uint8Array =>
      of.protocols.find(({ name }) => name === this.protocol)?.metadata ?? NO_BYTES;
    return {
      error: 'NONE',
      generation: this.generation,
      protocolType: this.protocolType,
      protocol: this.protocol,
      leader: this.leader,
      memberId: member.id,
      members: isLeader
        ? [...this.members.values()].map(other => ({
            memberId: other.id,
            instanceId: other.instanceId,
            metadata: metadata(other),
          }))
        : [],
    };
  }

  private syncResult(member: Member): SyncResult {
    return { error: 'NONE', protocolType: this.protocolType, protocol: this.protocol, assignment: member.assignment };
  }

  private keepAlive(member: Member): void {
    member.session?.cancel();
    member.session = this.host.clock.after(
      member.sessionTimeoutMs,
      () => {
        // A member that waits in JoinGroup is alive by its open request.
        if (!member.joining) this.remove(member, 'UNKNOWN_MEMBER_ID');
      },
      { background: true },
    );
  }

  private remove(member: Member, error: GroupError): void {
    member.joining?.(failedJoin(error, member.id));
    member.syncing?.({ error, protocolType: null, protocol: null, assignment: NO_BYTES });
    this.drop(member);
    if (this.members.size === 0) {
      this.rebalance?.cancel();
      this.empty();
      return;
    }
    if (this.leader === member.id) this.leader = this.members.keys().next().value!;
    this.prepare('left');
  }

  private drop(member: Member): void {
    member.session?.cancel();
    this.members.delete(member.id);
    if (member.instanceId !== null && this.instances.get(member.instanceId) === member.id)
      this.instances.delete(member.instanceId);
  }

  private empty(): void {
    this.step('emptied');
    this.leader = '';
    this.protocol = null;
    this.generation++;
    this.host.changed(this);
  }

  private step(event: GroupEvent): void {
    this.state = NEXT[this.state][event];
  }
}

function failedJoin(error: GroupError, memberId: string): JoinResult {
  return { error, generation: -1, protocolType: null, protocol: null, leader: '', memberId, members: [] };
}

function lists(member: Member, protocol: string): boolean {
  return member.protocols.some(({ name }) => name === protocol);
}

function sameProtocols(a: readonly Protocol[], b: readonly Protocol[]): boolean {
  return (
    a.length === b.length &&
    a.every((protocol, i) => protocol.name === b[i]!.name && Buffer.compare(protocol.metadata, b[i]!.metadata) === 0)
  );
}
