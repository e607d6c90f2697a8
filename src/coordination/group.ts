/**
 * One classic consumer group: members, generations, rebalances. Rules only: no wire formats, no storage. The states and what
 * is answered in each are tables (`states.ts`).
 *
 *   dynamic member   known by the id that it was given; gone when it leaves, misses its session or a rebalance
 *   static member    known by its instance id: it may come back under a new id, which takes over without a rebalance and
 *                    fences the old one; gone when it leaves or misses its session
 *   promised id      given to a client that joined without one; the join phase waits for it to come back
 *
 * Who waits in JoinGroup or SyncGroup is alive by its open request; its session goes on with the answer.
 *
 * Invariants
 * I1 there is a leader exactly when there are members, and it is one of them.
 * I2 a generation's assignment is given only to members that joined it.
 * I3 every waiting JoinGroup and SyncGroup is answered: by the rebalance, by a deadline, by expiry or by its successor.
 * I4 at any time some protocol is listed by all members.
 */
import { assert, type Clock, type Random, type Timer } from '../base/index.ts';
import {
  failedJoin,
  failedSync,
  type JoinRequest,
  type JoinResult,
  lists,
  type Member,
  type MemberFields,
  memberBytes,
  metadataFor,
  newMemberId,
  NO_BYTES,
  sameProtocols,
  type SyncRequest,
  type SyncResult,
  vote,
} from './member.ts';
import { ANSWERS, type GroupError, type GroupEvent, type GroupState, nextState } from './states.ts';

export interface GroupSettings {
  readonly sessionTimeoutMinMs: number;
  readonly sessionTimeoutMaxMs: number;
  /** How long the first round of an empty group waits for more members, each time that one has come. */
  readonly initialRebalanceDelayMs: number;
  readonly membersMax: number;
  /** What one group keeps of its members' metadata, and of their assignments. */
  readonly groupBytesMax: number;
}

export interface GroupHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: GroupSettings;
  /** A generation is complete, a member has another id, or the group has emptied: keep what must survive. */
  changed(group: Group): void;
}

export interface GroupFields {
  readonly generation: number;
  readonly protocolType: string;
  readonly protocol: string | null;
  readonly leader: string;
  /** When the last member went; undefined when there are members, or never were. */
  readonly emptySinceMs?: number | undefined;
  readonly members: readonly MemberFields[];
}

export class Group {
  readonly type = 'classic';
  readonly namespace: string;
  readonly id: string;
  private readonly host: GroupHost;
  state: GroupState = 'empty';
  generation = 0;
  protocolType = '';
  protocol: string | null = null;
  leader = '';
  emptySinceMs: number | undefined;
  readonly members = new Map<string, Member>();
  private readonly instances = new Map<string, string>();
  /** Ids handed out for a second JoinGroup, with their expiry. */
  private readonly promised = new Map<string, Timer>();
  /** The end of the join phase, or of the wait for the assignment. */
  private deadline: Timer | undefined;
  private gatheringSinceMs = 0;
  private membersAtLastLook = 0;

  constructor(namespace: string, id: string, host: GroupHost) {
    this.namespace = namespace;
    this.id = id;
    this.host = host;
  }

  /** True when nobody is here, nor about to be. */
  get isDeserted(): boolean {
    return this.members.size === 0 && this.promised.size === 0;
  }

  join(request: JoinRequest): Promise<JoinResult> | JoinResult {
    const { instanceId, memberId } = request;
    const refusal = this.joinRefusal(request);
    if (refusal) return failedJoin(refusal, memberId);
    if (memberId === '' && instanceId === null && request.needsMemberId) return this.promiseId(request);
    const current = instanceId === null ? undefined : this.instances.get(instanceId);
    if (current !== undefined && memberId === '') return this.returned(this.members.get(current)!, request);
    const known = this.members.get(memberId);
    if (known) return this.rejoined(known, request);
    this.forgetPromise(memberId);
    const id = memberId === '' ? newMemberId(this.host.random, instanceId ?? request.clientId) : memberId;
    return this.waitForRound(this.addMember(id, request));
  }

  sync(request: SyncRequest): Promise<SyncResult> | SyncResult {
    const { assignments, generation, instanceId, memberId, protocol, protocolType } = request;
    const error = this.memberError(memberId, instanceId, generation);
    if (error !== 'NONE') return failedSync(error);
    const isOther =
      (protocolType !== null && protocolType !== this.protocolType) ||
      (protocol !== null && protocol !== this.protocol);
    if (isOther) return failedSync('INCONSISTENT_GROUP_PROTOCOL');
    const member = this.members.get(memberId)!;
    const answer = ANSWERS[this.state].sync;
    if (answer !== 'wait') {
      this.keepAlive(member);
      return answer === 'NONE' ? this.syncResult(member) : failedSync(answer);
    }
    const bytes = assignments.reduce((sum, { assignment }) => sum + assignment.length, 0);
    if (bytes > this.host.settings.groupBytesMax) return failedSync('UNKNOWN_SERVER_ERROR');
    return new Promise<SyncResult>(resolve => {
      member.syncing?.(failedSync('REBALANCE_IN_PROGRESS'));
      member.syncing = resolve;
      member.session?.cancel();
      if (memberId === this.leader) this.assign(assignments);
    });
  }

  heartbeat(memberId: string, instanceId: string | null, generation: number): GroupError {
    const error = this.memberError(memberId, instanceId, generation);
    if (error !== 'NONE') return error;
    this.keepAlive(this.members.get(memberId)!);
    return ANSWERS[this.state].heartbeat;
  }

  leave(memberId: string, instanceId: string | null): GroupError {
    const id = instanceId === null ? memberId : this.instances.get(instanceId);
    if (instanceId !== null && id !== undefined && memberId !== '' && memberId !== id) return 'FENCED_INSTANCE_ID';
    if (id !== undefined && this.promised.has(id)) {
      this.forgetPromise(id);
      this.endJoiningIfAll();
      return 'NONE';
    }
    const member = id === undefined ? undefined : this.members.get(id);
    if (!member) return 'UNKNOWN_MEMBER_ID';
    this.remove(member);
    return 'NONE';
  }

  /** Whether this member may commit offsets now; a negative generation is a consumer that manages its own partitions. */
  commitError(memberId: string, instanceId: string | null, generation: number): GroupError {
    if (generation < 0 && this.members.size === 0 && this.state !== 'dead') return 'NONE';
    const error = this.memberError(memberId, instanceId, generation);
    if (error !== 'NONE') return error;
    this.keepAlive(this.members.get(memberId)!);
    return ANSWERS[this.state].commit;
  }

  /** Nobody can use it any more. Only a group without members can be deleted. */
  delete(): void {
    for (const id of [...this.promised.keys()]) this.forgetPromise(id);
    this.step('deleted');
  }

  /**
   * The group goes on as a consumer group: nobody is left here. Who waits to join looks for the coordinator and finds it;
   * who waits for its share joins again.
   */
  handOver(): void {
    for (const id of [...this.promised.keys()]) this.forgetPromise(id);
    this.deadline?.cancel();
    for (const member of this.members.values()) {
      member.session?.cancel();
      member.joining?.(failedJoin('COORDINATOR_NOT_AVAILABLE', member.id));
      member.syncing?.(failedSync('REBALANCE_IN_PROGRESS'));
    }
    this.members.clear();
    this.leader = '';
    this.step('migrated');
  }

  /** Puts in the members that are left of a consumer group, which share themselves out anew. */
  takeOver(fields: GroupFields): void {
    this.restore(fields);
    this.rebalance('left');
  }

  /** Puts back a group as it was before a restart; its members have one session to show up. */
  restore(saved: GroupFields): void {
    this.generation = saved.generation;
    this.protocolType = saved.protocolType;
    this.protocol = saved.protocol;
    this.leader = saved.leader;
    this.emptySinceMs = saved.emptySinceMs;
    for (const fields of saved.members) {
      const member: Member = { ...fields, joining: undefined, syncing: undefined, session: undefined };
      this.members.set(member.id, member);
      if (member.instanceId !== null) this.instances.set(member.instanceId, member.id);
      this.keepAlive(member);
    }
    if (this.members.size > 0) this.step('restored');
  }

  private joinRefusal(request: JoinRequest): GroupError | undefined {
    const { instanceId, memberId } = request;
    const { groupBytesMax, membersMax } = this.host.settings;
    if (this.state === 'dead') return 'COORDINATOR_NOT_AVAILABLE';
    const current = instanceId === null ? undefined : this.instances.get(instanceId);
    if (current !== undefined && memberId !== '' && memberId !== current) return 'FENCED_INSTANCE_ID';
    const self = current ?? memberId;
    const isKnown = this.members.has(self) || this.promised.has(self);
    if (memberId !== '' && !isKnown) return 'UNKNOWN_MEMBER_ID';
    if (!isKnown && this.members.size + this.promised.size >= membersMax) return 'GROUP_MAX_SIZE_REACHED';
    const others = [...this.members.values()].filter(({ id }) => id !== self);
    if (others.length > 0) {
      const isCommon = request.protocols.some(({ name }) => others.every(member => lists(member, name)));
      if (request.protocolType !== this.protocolType || !isCommon) return 'INCONSISTENT_GROUP_PROTOCOL';
    }
    const bytes = others.reduce((sum, other) => sum + memberBytes(other), memberBytes(request));
    return bytes > groupBytesMax ? 'GROUP_MAX_SIZE_REACHED' : undefined;
  }

  private promiseId(request: JoinRequest): JoinResult {
    const id = newMemberId(this.host.random, request.clientId);
    const expired = (): void => {
      this.promised.delete(id);
      this.endJoiningIfAll();
    };
    this.promised.set(id, this.host.clock.after(request.sessionTimeoutMs, expired, { background: true }));
    return failedJoin('MEMBER_ID_REQUIRED', id);
  }

  private forgetPromise(id: string): void {
    this.promised.get(id)?.cancel();
    this.promised.delete(id);
  }

  /** A member joins again. When nothing is new, only the leader of a stable group means to start a rebalance. */
  private rejoined(member: Member, request: JoinRequest): Promise<JoinResult> | JoinResult {
    const isSame = sameProtocols(member.protocols, request.protocols);
    const isOnly = this.members.size === 1;
    if (isOnly) this.protocolType = request.protocolType;
    member.sessionTimeoutMs = request.sessionTimeoutMs;
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    member.protocols = request.protocols;
    const isAnswered = this.state === 'completing' || (this.state === 'stable' && member.id !== this.leader);
    if (!isSame || !isAnswered) return this.waitForRound(member);
    this.keepAlive(member);
    return this.joinResult(member);
  }

  /** A static member came back under a new id: it takes over, and the old id is fenced. */
  private returned(old: Member, request: JoinRequest): Promise<JoinResult> | JoinResult {
    old.session?.cancel();
    old.joining?.(failedJoin('FENCED_INSTANCE_ID', old.id));
    old.syncing?.(failedSync('FENCED_INSTANCE_ID'));
    this.members.delete(old.id);
    const isLeader = this.leader === old.id;
    const member = this.addMember(newMemberId(this.host.random, request.instanceId ?? ''), request);
    member.assignment = old.assignment;
    if (isLeader) this.leader = member.id;
    const isSame =
      this.state === 'stable' &&
      vote([...this.members.values()]) === this.protocol &&
      Buffer.compare(metadataFor(old, this.protocol), metadataFor(member, this.protocol)) === 0;
    if (!isSame) return this.waitForRound(member);
    this.keepAlive(member);
    this.host.changed(this);
    const result = this.joinResult(member);
    if (!isLeader) return result;
    // It has nothing to assign. Who cannot be told so is told that another one leads.
    return request.canSkipAssignment
      ? { ...result, skipsAssignment: true }
      : { ...result, leader: old.id, members: [] };
  }

  private addMember(id: string, request: JoinRequest): Member {
    const { clientHost, clientId, instanceId, protocols, rebalanceTimeoutMs, sessionTimeoutMs } = request;
    const member: Member = {
      id,
      instanceId,
      clientId,
      clientHost,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      protocols,
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
    if (instanceId !== null) this.instances.set(instanceId, id);
    return member;
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

  private waitForRound(member: Member): Promise<JoinResult> {
    return new Promise<JoinResult>(resolve => {
      member.joining?.(failedJoin('UNKNOWN_MEMBER_ID', member.id));
      member.joining = resolve;
      member.session?.cancel();
      this.rebalance('joined');
    });
  }

  private rebalance(event: 'joined' | 'left'): void {
    const before = this.state;
    this.step(event);
    if (before === 'empty') this.gather();
    else if (before === 'completing' || before === 'stable') {
      for (const member of this.members.values()) this.answerSync(member, failedSync('REBALANCE_IN_PROGRESS'));
      this.waitUntil(this.rebalanceTimeoutMs, () => this.endJoining());
    }
    this.endJoiningIfAll();
  }

  /** Waits for more members, again as long as some come, but no longer than a rebalance may take. */
  private gather(): void {
    const { clock, settings } = this.host;
    this.gatheringSinceMs = clock.monotonic();
    const look = (): void => {
      const left = this.gatheringSinceMs + this.rebalanceTimeoutMs - clock.monotonic();
      const isGrowing = this.members.size > this.membersAtLastLook;
      this.membersAtLastLook = this.members.size;
      if (isGrowing && left > 0) this.waitUntil(Math.min(left, settings.initialRebalanceDelayMs), look);
      else this.endJoining();
    };
    this.membersAtLastLook = this.members.size;
    this.waitUntil(settings.initialRebalanceDelayMs, look);
  }

  private get rebalanceTimeoutMs(): number {
    let longest = 0;
    for (const member of this.members.values()) longest = Math.max(longest, member.rebalanceTimeoutMs);
    return longest;
  }

  private waitUntil(ms: number, run: () => void): void {
    this.deadline?.cancel();
    this.deadline = this.host.clock.after(ms, run, { background: true });
  }

  private endJoiningIfAll(): void {
    if (this.state !== 'preparing' || this.promised.size > 0) return;
    for (const member of this.members.values()) if (!member.joining) return;
    this.endJoining();
  }

  /** Ends the join phase: dynamic members that did not join in time are out, the others get the next generation. */
  private endJoining(): void {
    for (const member of [...this.members.values()]) {
      if (!member.joining && member.instanceId === null) this.drop(member);
    }
    const members = [...this.members.values()];
    if (members.length === 0) {
      this.empty();
      return;
    }
    const firstHere = members.find(member => member.joining);
    if (!this.members.get(this.leader)?.joining) this.leader = (firstHere ?? members[0]!).id;
    if (!firstHere) {
      // Static members only, and none came: their sessions decide.
      this.waitUntil(this.rebalanceTimeoutMs, () => this.endJoining());
      return;
    }
    this.step('all-joined');
    this.generation++;
    this.emptySinceMs = undefined;
    this.protocol = vote(members);
    for (const member of members) {
      const answer = member.joining;
      member.joining = undefined;
      this.keepAlive(member);
      answer?.(this.joinResult(member));
    }
    this.waitUntil(this.rebalanceTimeoutMs, () => this.endSyncing());
  }

  /** The assignment is overdue: who has not asked for it holds the others up, and is out. */
  private endSyncing(): void {
    for (const member of [...this.members.values()]) if (!member.syncing) this.drop(member);
    if (this.members.size === 0) this.empty();
    else this.lost();
  }

  private assign(assignments: SyncRequest['assignments']): void {
    for (const member of this.members.values()) member.assignment = NO_BYTES;
    for (const { assignment, memberId } of assignments) {
      const member = this.members.get(memberId);
      if (member) member.assignment = Uint8Array.from(assignment);
    }
    this.deadline?.cancel();
    this.step('assigned');
    this.host.changed(this);
    for (const member of this.members.values()) this.answerSync(member, this.syncResult(member));
  }

  private answerSync(member: Member, result: SyncResult): void {
    const answer = member.syncing;
    if (!answer) return;
    member.syncing = undefined;
    this.keepAlive(member);
    answer(result);
  }

  private joinResult(member: Member): JoinResult {
    const members = [...this.members.values()].map(other => ({
      memberId: other.id,
      instanceId: other.instanceId,
      metadata: metadataFor(other, this.protocol),
    }));
    return {
      error: 'NONE',
      generation: this.generation,
      protocolType: this.protocolType,
      protocol: this.protocol,
      leader: this.leader,
      memberId: member.id,
      skipsAssignment: false,
      members: member.id === this.leader ? members : [],
    };
  }

  private syncResult(member: Member): SyncResult {
    return { error: 'NONE', protocolType: this.protocolType, protocol: this.protocol, assignment: member.assignment };
  }

  /** Begins a member's session anew; who waits for an answer has none. */
  private keepAlive(member: Member): void {
    member.session?.cancel();
    if (member.joining || member.syncing) return;
    const { clock } = this.host;
    member.session = clock.after(member.sessionTimeoutMs, () => this.remove(member), { background: true });
  }

  private remove(member: Member): void {
    member.joining?.(failedJoin('UNKNOWN_MEMBER_ID', member.id));
    member.syncing?.(failedSync('UNKNOWN_MEMBER_ID'));
    this.drop(member);
    if (this.members.size === 0) this.empty();
    else this.lost();
  }

  /** Members are gone, others are left. */
  private lost(): void {
    if (!this.members.has(this.leader)) this.leader = this.members.keys().next().value!;
    this.rebalance('left');
  }

  private drop(member: Member): void {
    member.session?.cancel();
    this.members.delete(member.id);
    if (member.instanceId !== null) this.instances.delete(member.instanceId);
  }

  private empty(): void {
    this.deadline?.cancel();
    this.step('emptied');
    this.leader = '';
    this.protocol = null;
    this.generation++;
    this.emptySinceMs = this.host.clock.now();
    this.host.changed(this);
  }

  private step(event: GroupEvent): void {
    this.state = nextState(this.state, event);
    assert(
      this.state === 'dead' || this.members.has(this.leader) === this.members.size > 0,
      'I1: a leader that is a member',
    );
  }
}
