/**
 * One consumer group of the newer protocol (KIP-848): the server decides who gets what, and each member is led there by its
 * own heartbeats. Rules only; how a member moves is a table (`member.ts`), who gets what the assignors' matter.
 *
 *   epoch         of the group: one more whenever members, their subscriptions, or the topics behind them change
 *   target        what each member is to have; computed for an epoch as soon as that begins
 *   member epoch  the target's epoch that the member has reached: it has given up what it had to
 *
 * Members that speak the classic protocol live in the same group (`classic-members.ts`).
 *
 * Invariants
 * G1 a partition is held by one member at most: who had it must have said, or be out, before another gets it.
 * G2 no member's epoch is beyond the target's, and the target's is the group's whenever a member is answered.
 * G3 what changed since the last save is known (`unsaved`), also when a save fails.
 */
import { createHash } from 'node:crypto';
import { type Clock, type Random, wholePattern } from '../../base/index.ts';
import type { Log, StateChange } from '../../log/index.ts';
import type { MemberFormats } from '../formats.ts';
import type { GroupError } from '../states.ts';
import { preferredAssignor } from './assignors/index.ts';
import { type ConsumerHeartbeat, type HeartbeatAnswer, refusedHeartbeat } from './heartbeat.ts';
import {
  AWAY,
  type ConsumerMember,
  type Holding,
  LEFT,
  type MemberProfile,
  NEW_HOLDING,
  reconcile,
  restoredMember,
  type StoredMember,
  storedMember,
} from './member.ts';
import { Owners } from './owners.ts';
import { eachPartition, includes, NO_PARTITIONS, type PartitionSet, sameSet } from './partition-set.ts';
import { NOBODY, profileOf, sameProfile, sizeOf } from './profile.ts';

export interface ConsumerGroupSettings {
  readonly consumerSessionTimeoutMs: number;
  /** What members are told to keep to. */
  readonly consumerHeartbeatIntervalMs: number;
  readonly membersMax: number;
  /** What one group keeps of its members' words. */
  readonly groupBytesMax: number;
}

export interface ConsumerGroupHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: ConsumerGroupSettings;
  readonly log: Pick<Log, 'topic' | 'topicById' | 'topics' | 'topicsVersion'>;
  /** Without them no classic member can be read. */
  readonly formats: MemberFormats | undefined;
  /** Something changed without a member asking. */
  changed(group: ConsumerGroup): void;
  /** All that are left speak the classic protocol: the group becomes a classic one. */
  onlyClassicLeft(group: ConsumerGroup): void;
}

export type ConsumerGroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable' | 'Dead';

export interface StoredConsumerGroup {
  readonly type: 'consumer';
  readonly epoch: number;
  readonly targetEpoch: number;
  readonly assignor: string;
  readonly subscribed: string;
  readonly emptySinceMs?: number;
}

export const GROUPS = 'groups';
export const CONSUMER_MEMBERS = 'consumer-members';

export class ConsumerGroup {
  readonly type = 'consumer';
  readonly protocolType = 'consumer';
  readonly namespace: string;
  readonly id: string;
  /** @internal */
  readonly host: ConsumerGroupHost;
  epoch = 0;
  targetEpoch = 0;
  assignor = preferredAssignor([]).name;
  emptySinceMs: number | undefined;
  readonly members = new Map<string, ConsumerMember>();
  /** @internal member by instance id */
  readonly instances = new Map<string, string>();
  private readonly owners = new Owners();
  /** Topics that an expression matches, as far as its first member may know of them. */
  private readonly matches = new Map<string, ReadonlySet<string>>();
  /** Which topics the members subscribe to, with their partitions, when the target was computed: a digest. */
  private subscribed = '';
  private topicsVersion = -1;
  private isDead = false;
  private readonly unsaved = new Set<string>();
  private isHeaderUnsaved = false;

  constructor(namespace: string, id: string, host: ConsumerGroupHost) {
    this.namespace = namespace;
    this.id = id;
    this.host = host;
  }

  get isDeserted(): boolean {
    return this.members.size === 0;
  }

  get state(): ConsumerGroupState {
    if (this.isDead) return 'Dead';
    if (this.members.size === 0) return 'Empty';
    if (this.epoch > this.targetEpoch) return 'Assigning';
    for (const { holding } of this.members.values())
      if (holding.state !== 'stable' || holding.epoch !== this.targetEpoch) return 'Reconciling';
    return 'Stable';
  }

  heartbeat(request: ConsumerHeartbeat): HeartbeatAnswer {
    const refusal = this.refusal(request);
    if (refusal) return refusal;
    if (request.epoch < 0) return this.leaving(request);
    const member = request.epoch === 0 ? this.admit(request.memberId, request.instanceId) : undefined;
    const self = member ?? this.members.get(request.memberId)!;
    const told = self.holding.assigned;
    this.describe(self, profileOf(request, self.profile));
    this.refresh(name => request.mayDescribe(name));
    this.advance(self, request.owned);
    this.keepAlive(self);
    const isWhole =
      request.rebalanceTimeoutMs >= 0 && (request.topics ?? request.regex) !== null && request.owned !== null;
    const { assigned, epoch } = self.holding;
    const assignment = member || isWhole || !sameSet(told, assigned) ? assigned : null;
    return { error: 'NONE', message: null, memberId: self.id, epoch, assignment };
  }

  /** Whether this member may commit offsets now; a negative epoch is a consumer that manages its own partitions. */
  commitError(memberId: string, instanceId: string | null, epoch: number): GroupError {
    if (epoch < 0 && this.members.size === 0) return 'NONE';
    const member = this.members.get(memberId);
    if (instanceId !== null && this.instances.has(instanceId) && this.instances.get(instanceId) !== memberId)
      return 'FENCED_INSTANCE_ID';
    if (!member) return 'UNKNOWN_MEMBER_ID';
    if (member.holding.epoch === epoch) return 'NONE';
    return member.profile.classic ? 'ILLEGAL_GENERATION' : 'STALE_MEMBER_EPOCH';
  }

  /** Whether who asks for offsets is what it says it is. */
  fetchError(memberId: string | null, epoch: number): GroupError {
    if ((memberId ?? '') === '' && epoch < 0) return 'NONE';
    const member = this.members.get(memberId ?? '');
    if (!member) return 'UNKNOWN_MEMBER_ID';
    return member.holding.epoch === epoch ? 'NONE' : 'STALE_MEMBER_EPOCH';
  }

  /** Whether some member reads the topic. */
  subscribes(topic: string): boolean {
    for (const { profile } of this.members.values())
      if (profile.topics.includes(topic) || this.matches.get(profile.regex)?.has(topic)) return true;
    return false;
  }

  delete(): void {
    this.isDead = true;
  }

  /** @internal the member of this id, made when there is none; a static one that was away goes on under its new id */
  admit(memberId: string, instanceId: string | null): ConsumerMember {
    const known = this.members.get(memberId);
    const old = instanceId === null ? undefined : this.members.get(this.instances.get(instanceId) ?? '');
    const member: ConsumerMember = known ?? {
      id: memberId,
      profile: { ...NOBODY, instanceId },
      holding: NEW_HOLDING,
      previousEpoch: 0,
      target: NO_PARTITIONS,
      session: undefined,
      progress: undefined,
    };
    if (old && old !== member) {
      member.profile = old.profile;
      member.target = old.target;
      this.drop(old);
    }
    // Who joins owns nothing, whatever it was told before.
    this.hold(member, NEW_HOLDING);
    member.previousEpoch = 0;
    this.members.set(memberId, member);
    if (instanceId !== null) this.instances.set(instanceId, memberId);
    if (!known && !old) this.bump();
    this.unsaved.add(memberId);
    return member;
  }

  /** @internal what a member says of itself; another subscription is another epoch */
  describe(member: ConsumerMember, profile: MemberProfile): void {
    const before = member.profile;
    if (sameProfile(before, profile)) return;
    member.profile = profile;
    this.unsaved.add(member.id);
    const isSame =
      before.regex === profile.regex &&
      before.assignor === profile.assignor &&
      before.topics.length === profile.topics.length &&
      new Set([...before.topics, ...profile.topics]).size === new Set(before.topics).size;
    if (!isSame) this.bump();
  }

  /** @internal brings the target up to date with members and topics */
  refresh(mayDescribe: (topic: string) => boolean): void {
    const { topicsVersion } = this.host.log;
    if (this.topicsVersion === topicsVersion && this.epoch === this.targetEpoch) return;
    if (this.topicsVersion !== topicsVersion) {
      this.topicsVersion = topicsVersion;
      this.matches.clear();
    }
    const wanted = new Set(Array.from(this.members.values(), ({ profile }) => profile.regex).filter(Boolean));
    for (const regex of this.matches.keys()) if (!wanted.has(regex)) this.matches.delete(regex);
    for (const regex of wanted)
      if (!this.matches.has(regex)) this.matches.set(regex, this.matching(regex, mayDescribe));
    const subscribed = this.digest();
    if (subscribed !== this.subscribed) {
      this.subscribed = subscribed;
      if (this.epoch === this.targetEpoch) this.bump();
    }
    if (this.epoch > this.targetEpoch) this.assign();
  }

  /** @internal */
  advance(member: ConsumerMember, owned: PartitionSet | null): void {
    const isFree = (topicId: string, partition: number): boolean => this.owners.isFree(member.id, topicId, partition);
    const next = reconcile(member, this.targetEpoch, owned, isFree);
    if (next === member.holding) return;
    this.hold(member, next);
    if (member.profile.classic) return;
    if (next.state === 'unrevoked') this.expectProgress(member);
    else this.hasProgressed(member);
  }

  /** @internal a member that does not take its next step within its rebalance timeout is out */
  expectProgress(member: ConsumerMember): void {
    member.progress?.cancel();
    const out = (): void => this.expel(member);
    member.progress = this.host.clock.after(member.profile.rebalanceTimeoutMs, out, { background: true });
  }

  /** @internal */
  hasProgressed(member: ConsumerMember): void {
    member.progress?.cancel();
    member.progress = undefined;
  }

  /** @internal whether anything that the member waits for is still held by others */
  isWaiting(member: ConsumerMember): boolean {
    for (const [topicId, partition] of eachPartition(member.target))
      if (!this.owners.isFree(member.id, topicId, partition)) return true;
    return false;
  }

  /** @internal */
  keepAlive(member: ConsumerMember): void {
    member.session?.cancel();
    const ms = member.profile.classic?.sessionTimeoutMs ?? this.host.settings.consumerSessionTimeoutMs;
    member.session = this.host.clock.after(ms, () => this.expel(member), { background: true });
  }

  /** @internal a member goes, by its own word or an administrator's */
  remove(member: ConsumerMember): void {
    this.drop(member);
    this.bump();
    if (this.members.size === 0) {
      this.emptySinceMs = this.host.clock.now();
      return;
    }
    const isClassic = [...this.members.values()].every(({ profile }) => profile.classic);
    if (isClassic) this.host.onlyClassicLeft(this);
  }

  /** @internal all timers end: the group is another object from now on */
  stop(): void {
    for (const member of this.members.values()) {
      member.session?.cancel();
      member.progress?.cancel();
    }
  }

  /** @internal puts in members as they were: after a restart, or of a classic group */
  restore(
    fields: { readonly epoch: number; readonly emptySinceMs?: number | undefined; readonly subscribed?: string },
    members: Iterable<ConsumerMember>,
  ): void {
    this.epoch = fields.epoch;
    this.targetEpoch = fields.epoch;
    this.subscribed = fields.subscribed ?? '';
    this.emptySinceMs = fields.emptySinceMs;
    for (const member of members) {
      this.members.set(member.id, member);
      if (member.profile.instanceId !== null) this.instances.set(member.profile.instanceId, member.id);
      const { holding } = member;
      member.holding = NEW_HOLDING;
      this.hold(member, holding);
      this.keepAlive(member);
      if (holding.state === 'unrevoked') this.expectProgress(member);
    }
  }

  load(stored: StoredConsumerGroup, members: readonly (readonly [id: string, member: StoredMember])[]): void {
    this.assignor = stored.assignor;
    this.restore(
      stored,
      members.map(([id, member]) => restoredMember(id, member)),
    );
    this.epoch = stored.epoch;
    this.targetEpoch = stored.targetEpoch;
    this.unsaved.clear();
  }

  /** Whether something is to be made durable. */
  get isUnsaved(): boolean {
    return this.isHeaderUnsaved || this.unsaved.size > 0;
  }

  /** What is to be made durable; given back by `failed` when that fails. */
  takeUnsaved(): { readonly changes: StateChange[]; failed(): void } {
    const ids = [...this.unsaved];
    const hadHeader = this.isHeaderUnsaved;
    this.unsaved.clear();
    this.isHeaderUnsaved = false;
    const changes: StateChange[] = ids.map(id => {
      const member = this.members.get(id);
      const value = member && Buffer.from(JSON.stringify(storedMember(member)));
      return { table: CONSUMER_MEMBERS, key: JSON.stringify([this.namespace, this.id, id]), value };
    });
    if (hadHeader) {
      const { assignor, emptySinceMs, epoch, subscribed, targetEpoch } = this;
      const since = emptySinceMs === undefined ? {} : { emptySinceMs };
      const header: StoredConsumerGroup = { type: 'consumer', epoch, targetEpoch, assignor, subscribed, ...since };
      const key = JSON.stringify([this.namespace, this.id]);
      changes.push({ table: GROUPS, key, value: Buffer.from(JSON.stringify(header)) });
    }
    const failed = (): void => {
      for (const id of ids) this.unsaved.add(id);
      this.isHeaderUnsaved ||= hadHeader;
    };
    return { changes, failed };
  }

  /** What is to go when the group is another one from now on: all that may be stored of members. */
  takeRemovals(): StateChange[] {
    const ids = new Set([...this.members.keys(), ...this.unsaved]);
    this.unsaved.clear();
    return [...ids].map(id => ({
      table: CONSUMER_MEMBERS,
      key: JSON.stringify([this.namespace, this.id, id]),
      value: undefined,
    }));
  }

  private refusal(request: ConsumerHeartbeat): HeartbeatAnswer | undefined {
    const { epoch, instanceId, memberId } = request;
    const known = this.members.get(memberId);
    const ofInstance = instanceId === null ? undefined : this.members.get(this.instances.get(instanceId) ?? '');
    if (epoch === 0) return this.admissionRefusal(request, known, ofInstance);
    if (ofInstance && ofInstance.id !== memberId)
      return refusedHeartbeat('FENCED_INSTANCE_ID', `instance ${instanceId} is member ${ofInstance.id} now`);
    if (!known || (instanceId !== null && !ofInstance))
      return refusedHeartbeat('UNKNOWN_MEMBER_ID', `group ${this.id} has no member ${memberId}`);
    if (epoch < 0) return undefined;
    const { holding, previousEpoch } = known;
    const isLate = epoch === previousEpoch && request.owned !== null && includes(holding.assigned, request.owned);
    if (epoch !== holding.epoch && !isLate)
      return refusedHeartbeat('FENCED_MEMBER_EPOCH', `member ${memberId} is in epoch ${holding.epoch}, not ${epoch}`);
    return this.wordsRefusal(request, known);
  }

  private admissionRefusal(
    request: ConsumerHeartbeat,
    known: ConsumerMember | undefined,
    ofInstance: ConsumerMember | undefined,
  ): HeartbeatAnswer | undefined {
    const { instanceId, memberId } = request;
    if (known && known.profile.instanceId !== instanceId)
      return refusedHeartbeat('INVALID_REQUEST', `member ${memberId} has another instance id`);
    if (ofInstance && ofInstance.id !== memberId && ofInstance.holding.epoch !== AWAY)
      return refusedHeartbeat('UNRELEASED_INSTANCE_ID', `instance ${instanceId} is still member ${ofInstance.id}`);
    if (!known && !ofInstance && this.members.size >= this.host.settings.membersMax)
      return refusedHeartbeat(
        'GROUP_MAX_SIZE_REACHED',
        `group ${this.id} has ${this.members.size} members, as many as may be`,
      );
    return this.wordsRefusal(request, known ?? ofInstance);
  }

  /** Expressions that are none, and more than a group may keep. */
  private wordsRefusal(request: ConsumerHeartbeat, self: ConsumerMember | undefined): HeartbeatAnswer | undefined {
    if (request.regex !== null && request.regex !== '' && !this.matches.has(request.regex)) {
      const pattern = wholePattern(request.regex);
      if ('defect' in pattern)
        return refusedHeartbeat('INVALID_REGULAR_EXPRESSION', `${request.regex}: ${pattern.defect}`);
    }
    if (request.topics === null && request.regex === null) return undefined;
    let bytes = sizeOf(profileOf(request, self?.profile ?? NOBODY));
    for (const other of this.members.values()) if (other !== self) bytes += sizeOf(other.profile);
    if (bytes <= this.host.settings.groupBytesMax) return undefined;
    return refusedHeartbeat('GROUP_MAX_SIZE_REACHED', `group ${this.id} would keep ${bytes} bytes of subscriptions`);
  }

  private leaving({ epoch, instanceId, memberId }: ConsumerHeartbeat): HeartbeatAnswer {
    const member = this.members.get(memberId)!;
    if (epoch === AWAY && instanceId !== null) {
      this.hold(member, { ...member.holding, state: 'stable', epoch: AWAY, revoking: NO_PARTITIONS });
      this.hasProgressed(member);
      this.keepAlive(member);
    } else this.remove(member);
    return { error: 'NONE', message: null, memberId, epoch: epoch === AWAY ? AWAY : LEFT, assignment: null };
  }

  /** Time is up for a member. */
  private expel(member: ConsumerMember): void {
    this.remove(member);
    this.host.changed(this);
  }

  private drop(member: ConsumerMember): void {
    member.session?.cancel();
    member.progress?.cancel();
    this.hold(member, NEW_HOLDING);
    this.members.delete(member.id);
    const { instanceId } = member.profile;
    if (instanceId !== null && this.instances.get(instanceId) === member.id) this.instances.delete(instanceId);
    this.unsaved.add(member.id);
  }

  /** One epoch for all that is new before the next target. */
  private bump(): void {
    this.epoch = this.targetEpoch + 1;
    this.emptySinceMs = undefined;
    this.isHeaderUnsaved = true;
  }

  private hold(member: ConsumerMember, next: Holding): void {
    const { holding } = member;
    this.owners.move(member.id, holding, next);
    if (next.epoch !== holding.epoch) member.previousEpoch = holding.epoch;
    member.holding = next;
    this.unsaved.add(member.id);
  }

  private assign(): void {
    const assignor = preferredAssignor([...this.members.values()].map(({ profile }) => profile.assignor));
    const subscribers = [...this.members.values()].map(({ id, profile, target }) => ({
      id,
      instanceId: profile.instanceId,
      topics: this.topicIds(profile),
      target,
    }));
    const partitionsOf = (topicId: string): number => this.host.log.topicById(topicId)!.partitions.length;
    for (const [id, target] of assignor.assign(subscribers, partitionsOf)) {
      const member = this.members.get(id)!;
      if (sameSet(member.target, target)) continue;
      member.target = target;
      this.unsaved.add(id);
    }
    this.assignor = assignor.name;
    this.targetEpoch = this.epoch;
    this.isHeaderUnsaved = true;
  }

  private topicIds({ regex, topics }: MemberProfile): Set<string> {
    const ids = new Set<string>();
    for (const name of [...topics, ...(this.matches.get(regex) ?? [])]) {
      const topic = this.host.log.topic(this.namespace, name);
      if (topic) ids.add(topic.id);
    }
    return ids;
  }

  private matching(regex: string, mayDescribe: (topic: string) => boolean): ReadonlySet<string> {
    const pattern = wholePattern(regex);
    const names = new Set<string>();
    if ('defect' in pattern) return names;
    for (const { isInternal, name, namespace } of this.host.log.topics())
      if (namespace === this.namespace && !isInternal && pattern(name) && mayDescribe(name)) names.add(name);
    return names;
  }

  private digest(): string {
    const ids = new Set<string>();
    for (const { profile } of this.members.values()) for (const id of this.topicIds(profile)) ids.add(id);
    const lines = [...ids].sort().map(id => `${id} ${this.host.log.topicById(id)!.partitions.length}`);
    return createHash('sha256').update(lines.join('\n')).digest('base64');
  }
}
