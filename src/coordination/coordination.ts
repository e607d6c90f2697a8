/**
 * Groups and committed offsets, durable in the log's state tables. No wire formats: broker handlers and the embedded
 * source use the same calls.
 *
 *   table `groups`            key [namespace, group]          value: of a classic group generation, protocol, leader,
 *                                                             members; of a consumer group (KIP-848) its epochs; of both
 *                                                             since when it is empty
 *   table `consumer-members`  key [namespace, group, member]  value: see `consumer/member.ts`
 *   table `offsets`           see `offsets.ts`
 *
 * A group without members is what its next member makes of it. A classic group of consumers becomes a consumer group when
 * a member of the newer protocol comes, and a classic one again when the last such member is gone.
 *
 * Offsets of a group without members are kept for a set time after the last member went, or after the commit of a consumer
 * that never was one, or as long as the client itself said. They go with their topic, too: a topic of the same name made
 * later begins anew.
 *
 * Invariants
 * I1 a commit is answered when it is synced, and seen by `committed` only then.
 * I2 after a restart the members of a stable group go on in the same generation if they show up within a session.
 * I3 what a member of a consumer group is told is durable before it is told.
 * I4 what a peer can make the coordinator keep is bounded: groups, members of a group, bytes of their metadata.
 */
import { type Io, MillraceError } from '../base/index.ts';
import type { Log, StateChange } from '../log/index.ts';
import { heartbeatClassic, joinClassic, leaveClassic, syncClassic } from './consumer/classic-members.ts';
import {
  CONSUMER_MEMBERS,
  ConsumerGroup,
  type ConsumerGroupHost,
  type ConsumerGroupSettings,
  GROUPS,
  type StoredConsumerGroup,
} from './consumer/group.ts';
import {
  type ConsumerHeartbeat,
  type HeartbeatAnswer,
  heartbeatDefect,
  refusedHeartbeat,
} from './consumer/heartbeat.ts';
import type { StoredMember } from './consumer/member.ts';
import { downgraded, upgrade } from './consumer/migration.ts';
import type { MemberFormats } from './formats.ts';
import { Group, type GroupFields, type GroupHost, type GroupSettings } from './group.ts';
import {
  failedJoin,
  failedSync,
  joinDefect,
  type JoinRequest,
  type JoinResult,
  type MemberFields,
  type SyncRequest,
  type SyncResult,
} from './member.ts';
import {
  type CommittedOffset,
  CommittedOffsets,
  groupKey,
  type OffsetPlace,
  type OffsetToCommit,
  type StoredOffset,
} from './offsets.ts';
import type { GroupError } from './states.ts';
import { TRANSACTION_DEFAULTS, type TransactionSettings, Transactions } from './transactions/transactions.ts';

export interface CoordinationSettings extends GroupSettings, ConsumerGroupSettings, TransactionSettings {
  /** Offsets of an empty group are kept this long. */
  readonly offsetRetentionMs: number;
  /** Of the text that a commit may carry. */
  readonly metadataBytesMax: number;
  readonly groupsMax: number;
  readonly groupIdCharsMax: number;
}

export const COORDINATION_DEFAULTS: CoordinationSettings = {
  sessionTimeoutMinMs: 6_000,
  sessionTimeoutMaxMs: 1_800_000,
  initialRebalanceDelayMs: 3_000,
  membersMax: 1_000,
  groupBytesMax: 16 * 1024 * 1024,
  consumerSessionTimeoutMs: 45_000,
  consumerHeartbeatIntervalMs: 5_000,
  offsetRetentionMs: 604_800_000,
  metadataBytesMax: 4_096,
  groupsMax: 100_000,
  groupIdCharsMax: 1_000,
  ...TRANSACTION_DEFAULTS,
};

export type AnyGroup = Group | ConsumerGroup;

const EXPIRY_CHECK_MS = 600_000;

/** Bytes as base64. */
interface StoredGroup extends Omit<GroupFields, 'members'> {
  readonly members: readonly (Omit<MemberFields, 'protocols' | 'assignment'> & {
    readonly protocols: readonly { readonly name: string; readonly metadata: string }[];
    readonly assignment: string;
  })[];
}

export class Coordination {
  readonly settings: CoordinationSettings;
  private readonly io: Io;
  private readonly log: Log;
  private readonly groups = new Map<string, AnyGroup>();
  private readonly offsets: CommittedOffsets;
  readonly transactions: Transactions;
  private readonly host: GroupHost;
  private readonly consumerHost: ConsumerGroupHost;

  /** `formats` are for members of both protocols in one group. */
  constructor(io: Io, log: Log, settings: Partial<CoordinationSettings> = {}, formats?: MemberFormats) {
    this.io = io;
    this.log = log;
    this.settings = { ...COORDINATION_DEFAULTS, ...settings };
    this.host = { clock: io.clock, random: io.random, settings: this.settings, changed: group => this.save(group) };
    this.consumerHost = {
      clock: io.clock,
      random: io.random,
      settings: this.settings,
      log,
      formats,
      changed: group => void this.saveConsumers(group),
      onlyClassicLeft: group => this.downgrade(group),
    };
    this.offsets = new CommittedOffsets(log);
    this.load();
    const storing = (namespace: string, groupId: string, offsets: readonly OffsetToCommit[]) => {
      const { applied, states } = this.offsets.storing(namespace, groupId, offsets, io.clock.now());
      return {
        states,
        applied: () => {
          applied();
          this.open(namespace, groupId);
        },
      };
    };
    this.transactions = new Transactions(io, log, { storing }, this.settings);
    this.checkLater();
  }

  find(namespace: string, id: string): AnyGroup | undefined {
    return this.groups.get(groupKey(namespace, id));
  }

  list(namespace: string): AnyGroup[] {
    return [...this.groups.values()].filter(group => group.namespace === namespace);
  }

  join(namespace: string, groupId: string, request: JoinRequest): Promise<JoinResult> | JoinResult {
    const failed = (error: GroupError): JoinResult => failedJoin(error, request.memberId);
    if (groupId === '' || groupId.length > this.settings.groupIdCharsMax) return failed('INVALID_GROUP_ID');
    const defect = joinDefect(request, this.settings);
    if (defect) return failed(defect);
    const known = this.find(namespace, groupId);
    if (!known && request.memberId !== '') return failed('UNKNOWN_MEMBER_ID');
    if (known?.type === 'consumer' && !known.isDeserted) {
      return this.saved(known, joinClassic(known, request), () => failed('COORDINATOR_NOT_AVAILABLE'));
    }
    if (known) this.becomeClassic(known);
    const group = this.open(namespace, groupId);
    return group?.type === 'classic' ? group.join(request) : failed('COORDINATOR_NOT_AVAILABLE');
  }

  sync(namespace: string, groupId: string, request: SyncRequest): Promise<SyncResult> | SyncResult {
    const group = this.find(namespace, groupId);
    if (group?.type === 'consumer') return syncClassic(group, request);
    return group?.sync(request) ?? failedSync('UNKNOWN_MEMBER_ID');
  }

  /** Of a member of the classic protocol. */
  heartbeat(
    namespace: string,
    groupId: string,
    memberId: string,
    instanceId: string | null,
    generation: number,
  ): GroupError {
    const group = this.find(namespace, groupId);
    if (group?.type === 'consumer') return heartbeatClassic(group, memberId, instanceId, generation);
    return group?.heartbeat(memberId, instanceId, generation) ?? 'UNKNOWN_MEMBER_ID';
  }

  /** Of a member of the classic protocol, or of a static one that an administrator names. */
  leave(
    namespace: string,
    groupId: string,
    memberId: string,
    instanceId: string | null,
  ): Promise<GroupError> | GroupError {
    const group = this.find(namespace, groupId);
    if (group?.type !== 'consumer') return group?.leave(memberId, instanceId) ?? 'UNKNOWN_MEMBER_ID';
    return this.saved(group, leaveClassic(group, memberId, instanceId), () => 'COORDINATOR_NOT_AVAILABLE');
  }

  /** Of a member of the newer protocol: joining, living and leaving in one. */
  async consumerHeartbeat(namespace: string, groupId: string, request: ConsumerHeartbeat): Promise<HeartbeatAnswer> {
    if (groupId === '' || groupId.length > this.settings.groupIdCharsMax)
      return refusedHeartbeat('INVALID_GROUP_ID', 'a group needs a name, and not too long a one');
    const defect = heartbeatDefect(request);
    if (defect) return defect;
    const group = this.consumerGroup(namespace, groupId, request.epoch === 0);
    if (!(group instanceof ConsumerGroup)) return group;
    const failed = (): HeartbeatAnswer =>
      refusedHeartbeat('COORDINATOR_NOT_AVAILABLE', 'what is new about the group cannot be made durable now');
    return this.saved(group, group.heartbeat(request), failed);
  }

  /** Commits for a member or, with generation -1 and no member id, for a consumer outside the group protocol. */
  async commit(
    namespace: string,
    groupId: string,
    member: {
      readonly id: string;
      readonly instanceId: string | null;
      readonly generation: number;
      /** The client knows both protocols, and what a group that is not there means in the newer one. */
      readonly isEpoch?: boolean;
    },
    offsets: readonly OffsetToCommit[],
  ): Promise<GroupError> {
    const error = this.commitError(namespace, groupId, member);
    if (error !== 'NONE') return error;
    if (!this.open(namespace, groupId)) return 'COORDINATOR_NOT_AVAILABLE';
    return this.durable(() => this.store(namespace, groupId, offsets));
  }

  /** Why a member, or a consumer outside the group protocol, may not commit now. */
  commitError(
    namespace: string,
    groupId: string,
    member: {
      readonly id: string;
      readonly instanceId: string | null;
      readonly generation: number;
      readonly isEpoch?: boolean;
    },
  ): GroupError {
    const isNamed = groupId !== '' || member.generation < 0;
    if (!isNamed || groupId.length > this.settings.groupIdCharsMax) return 'INVALID_GROUP_ID';
    const group = this.find(namespace, groupId);
    if (!group && member.generation >= 0) return member.isEpoch ? 'GROUP_ID_NOT_FOUND' : 'ILLEGAL_GENERATION';
    return group?.commitError(member.id, member.instanceId, member.generation) ?? 'NONE';
  }

  /** Commits without asking the group: for a source of this process that owns the group's name. */
  async store(namespace: string, groupId: string, offsets: readonly OffsetToCommit[]): Promise<void> {
    if (offsets.length === 0) return;
    await this.offsets.store(namespace, groupId, offsets, this.io.clock.now());
    this.open(namespace, groupId);
  }

  committed(namespace: string, groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.offsets.get(namespace, groupId, { topic, partition });
  }

  /** Everything that the group has committed. */
  allCommitted(namespace: string, groupId: string): readonly (OffsetPlace & { readonly offset: CommittedOffset })[] {
    return this.offsets.all(namespace, groupId);
  }

  async delete(namespace: string, groupId: string): Promise<GroupError> {
    const group = this.find(namespace, groupId);
    if (!group) return 'GROUP_ID_NOT_FOUND';
    if (group.members.size > 0) return 'NON_EMPTY_GROUP';
    // From here on nobody joins it: a client that does so is sent to look for the coordinator, and finds a new group.
    group.delete();
    this.groups.delete(groupKey(namespace, groupId));
    const error = await this.durable(() =>
      this.offsets.delete(namespace, groupId, this.offsets.all(namespace, groupId), [
        groupDeletion(group),
        ...(group.type === 'consumer' ? group.takeRemovals() : []),
      ]),
    );
    if (error !== 'NONE') this.open(namespace, groupId);
    return error;
  }

  /** Forgets single offsets of a group. */
  deleteOffsets(namespace: string, groupId: string, places: readonly OffsetPlace[]): Promise<GroupError> {
    return this.durable(() => this.offsets.delete(namespace, groupId, places));
  }

  /** The topic is gone, and what groups have committed for it. */
  async forgetTopic(namespace: string, topic: string): Promise<GroupError> {
    const names = [...this.offsets.groupNames()].filter(([space]) => space === namespace);
    return this.durable(async () => {
      await Promise.all(
        names.map(([, groupId]) => {
          const places = this.offsets.all(namespace, groupId).filter(place => place.topic === topic);
          return this.offsets.delete(namespace, groupId, places);
        }),
      );
    });
  }

  /** The group that a member of the newer protocol speaks to, made or migrated for one that joins. */
  private consumerGroup(namespace: string, id: string, isJoining: boolean): ConsumerGroup | HeartbeatAnswer {
    const known = this.find(namespace, id);
    if (known?.type === 'consumer') return known;
    if (!isJoining) return refusedHeartbeat('UNKNOWN_MEMBER_ID', `there is no consumer group ${id}`);
    if (!known && this.groups.size >= this.settings.groupsMax)
      return refusedHeartbeat('COORDINATOR_NOT_AVAILABLE', `there are ${this.groups.size} groups, as many as may be`);
    const group = new ConsumerGroup(namespace, id, this.consumerHost);
    if (known && known.members.size > 0) {
      const reason = upgrade(known, group);
      if (reason !== undefined) {
        group.stop();
        return refusedHeartbeat('INVALID_REQUEST', `group ${id} cannot become a consumer group: ${reason}`);
      }
    }
    known?.handOver();
    this.groups.set(groupKey(namespace, id), group);
    return group;
  }

  /** Nobody is in it: its next members may be of the classic protocol. */
  private becomeClassic(group: AnyGroup): void {
    if (group.type === 'classic') return;
    const next = new Group(group.namespace, group.id, this.host);
    this.groups.set(groupKey(group.namespace, group.id), next);
    next.restore({ generation: group.epoch, protocolType: '', protocol: null, leader: '', members: [] });
    this.save(next, group.takeRemovals());
    group.delete();
  }

  private downgrade(group: ConsumerGroup): void {
    group.stop();
    const next = new Group(group.namespace, group.id, this.host);
    this.groups.set(groupKey(group.namespace, group.id), next);
    next.takeOver(downgraded(group));
    this.save(next, group.takeRemovals());
    group.delete();
  }

  /** The answer, when what the group has become is durable. */
  private async saved<T>(group: ConsumerGroup, answer: T, failed: () => T): Promise<T> {
    return (await this.saveConsumers(group)) === 'NONE' ? answer : failed();
  }

  private async saveConsumers(group: ConsumerGroup): Promise<GroupError> {
    // A group that was migrated or deleted is saved as what it became.
    if (!group.isUnsaved || this.find(group.namespace, group.id) !== group) return 'NONE';
    const { changes, failed } = group.takeUnsaved();
    const error = await this.durable(() => this.log.change(changes));
    if (error !== 'NONE') failed();
    return error;
  }

  /** The group, made when there is none yet; undefined when there are too many. */
  private open(namespace: string, id: string): AnyGroup | undefined {
    const key = groupKey(namespace, id);
    let group = this.groups.get(key);
    if (!group && this.groups.size < this.settings.groupsMax) {
      group = new Group(namespace, id, this.host);
      this.groups.set(key, group);
    }
    return group;
  }

  /** What cannot be made durable now is for another try. */
  private async durable(change: () => Promise<void>): Promise<GroupError> {
    try {
      await change();
      return 'NONE';
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      return 'COORDINATOR_NOT_AVAILABLE';
    }
  }

  private save(group: Group, also: readonly StateChange[] = []): void {
    const { emptySinceMs, generation, id, leader, members, namespace, protocol, protocolType } = group;
    const stored: StoredGroup = {
      generation,
      protocolType,
      protocol,
      leader,
      ...(emptySinceMs !== undefined && { emptySinceMs }),
      members: [...members.values()].map(member => ({
        id: member.id,
        instanceId: member.instanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        sessionTimeoutMs: member.sessionTimeoutMs,
        rebalanceTimeoutMs: member.rebalanceTimeoutMs,
        protocols: member.protocols.map(({ metadata, name }) => ({
          name,
          metadata: Buffer.from(metadata).toString('base64'),
        })),
        assignment: Buffer.from(member.assignment).toString('base64'),
      })),
    };
    const value = Buffer.from(JSON.stringify(stored));
    // If it does not become durable, members rejoin after a restart: nothing is lost but a rebalance.
    this.log.change([{ table: GROUPS, key: groupKey(namespace, id), value }, ...also]).catch(() => undefined);
  }

  private load(): void {
    const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64');
    const members = new Map<string, [id: string, member: StoredMember][]>();
    for (const [key, value] of this.log.states.entries(CONSUMER_MEMBERS)) {
      const [namespace, groupId, id] = JSON.parse(key) as [string, string, string];
      const of = members.get(groupKey(namespace, groupId)) ?? [];
      of.push([id, JSON.parse(Buffer.from(value).toString()) as StoredMember]);
      members.set(groupKey(namespace, groupId), of);
    }
    for (const [key, value] of this.log.states.entries(GROUPS)) {
      const [namespace, id] = JSON.parse(key) as [string, string];
      const stored = JSON.parse(Buffer.from(value).toString()) as StoredGroup | StoredConsumerGroup;
      if ('type' in stored) {
        const group = new ConsumerGroup(namespace, id, this.consumerHost);
        this.groups.set(key, group);
        group.load(stored, members.get(key) ?? []);
        members.delete(key);
        continue;
      }
      const group = new Group(namespace, id, this.host);
      this.groups.set(key, group);
      group.restore({
        ...stored,
        members: stored.members.map(member => ({
          ...member,
          protocols: member.protocols.map(({ metadata, name }) => ({ name, metadata: bytes(metadata) })),
          assignment: bytes(member.assignment),
        })),
      });
    }
    // Left by a group that is of another kind, or gone: their removal did not become durable.
    const orphans = [...members].flatMap(([key, rows]) =>
      rows.map(([id]) => JSON.stringify([...(JSON.parse(key) as string[]), id])),
    );
    if (orphans.length > 0) {
      const removals = orphans.map(key => ({ table: CONSUMER_MEMBERS, key, value: undefined }));
      void this.durable(() => this.log.change(removals));
    }
    for (const [namespace, groupId] of this.offsets.groupNames()) {
      this.open(namespace, groupId);
      // Deleted topics whose offsets were still there when the process ended.
      const ownerless = this.offsets.all(namespace, groupId).filter(({ topic }) => !this.log.topic(namespace, topic));
      void this.deleteOffsets(namespace, groupId, ownerless);
    }
  }

  private checkLater(): void {
    const check = (): void => {
      void this.expire();
      this.checkLater();
    };
    this.io.clock.after(EXPIRY_CHECK_MS, check, { background: true });
  }

  /** Offsets that nobody has needed for long, and groups of which nothing is left. */
  private async expire(): Promise<void> {
    const now = this.io.clock.now();
    for (const group of [...this.groups.values()]) {
      const { emptySinceMs = 0, id, namespace } = group;
      if (!group.isDeserted) continue;
      const isOver = ({ expiresMs, timeMs }: StoredOffset): boolean =>
        (expiresMs ?? Math.max(timeMs, emptySinceMs) + this.settings.offsetRetentionMs) < now;
      const old = this.offsets.all(namespace, id).filter(({ offset }) => isOver(offset));
      if ((await this.deleteOffsets(namespace, id, old)) !== 'NONE') return;
      if (group.isDeserted && !this.offsets.has(namespace, id)) await this.delete(namespace, id);
    }
  }
}

function groupDeletion({ id, namespace }: AnyGroup): StateChange {
  return { table: GROUPS, key: groupKey(namespace, id), value: undefined };
}
