/**
 * Groups and committed offsets, durable in the log's state tables. No wire formats: broker handlers and the embedded
 * source use the same calls.
 *
 *   table `groups`    key [namespace, group]   value: generation, protocol, leader, members; or since when it is empty
 *   table `offsets`   see `offsets.ts`
 *
 * Offsets of a group without members are kept for a set time after the last member went, or after the commit of a consumer
 * that never was one, or as long as the client itself said. They go with their topic, too: a topic of the same name made
 * later begins anew.
 *
 * Invariants
 * I1 a commit is answered when it is synced, and seen by `committed` only then.
 * I2 after a restart the members of a stable group go on in the same generation if they show up within a session.
 * I3 what a peer can make the coordinator keep is bounded: groups, members of a group, bytes of their metadata.
 */
import { type Io, MillraceError } from '../base/index.ts';
import type { Log, StateChange } from '../log/index.ts';
import { Group, type GroupFields, type GroupHost, type GroupSettings, joinDefect } from './group.ts';
import { failedJoin, type JoinRequest, type JoinResult, type MemberFields } from './member.ts';
import {
  type CommittedOffset,
  CommittedOffsets,
  groupKey,
  type OffsetPlace,
  type OffsetToCommit,
  type StoredOffset,
} from './offsets.ts';
import type { GroupError } from './states.ts';

export interface CoordinationSettings extends GroupSettings {
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
  offsetRetentionMs: 604_800_000,
  metadataBytesMax: 4_096,
  groupsMax: 100_000,
  groupIdCharsMax: 1_000,
};

const GROUPS = 'groups';
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
  private readonly groups = new Map<string, Group>();
  private readonly offsets: CommittedOffsets;
  private readonly host: GroupHost;

  constructor(io: Io, log: Log, settings: Partial<CoordinationSettings> = {}) {
    this.io = io;
    this.log = log;
    this.settings = { ...COORDINATION_DEFAULTS, ...settings };
    this.host = { clock: io.clock, random: io.random, settings: this.settings, changed: group => this.save(group) };
    this.offsets = new CommittedOffsets(log);
    this.load();
    this.checkLater();
  }

  find(namespace: string, id: string): Group | undefined {
    return this.groups.get(groupKey(namespace, id));
  }

  list(namespace: string): Group[] {
    return [...this.groups.values()].filter(group => group.namespace === namespace);
  }

  join(namespace: string, groupId: string, request: JoinRequest): Promise<JoinResult> | JoinResult {
    const failed = (error: GroupError): JoinResult => failedJoin(error, request.memberId);
    if (groupId === '' || groupId.length > this.settings.groupIdCharsMax) return failed('INVALID_GROUP_ID');
    const defect = joinDefect(request, this.settings);
    if (defect) return failed(defect);
    const known = this.find(namespace, groupId);
    if (!known && request.memberId !== '') return failed('UNKNOWN_MEMBER_ID');
    const group = known ?? this.open(namespace, groupId);
    return group ? group.join(request) : failed('COORDINATOR_NOT_AVAILABLE');
  }

  /** Commits for a member or, with generation -1 and no member id, for a consumer outside the group protocol. */
  async commit(
    namespace: string,
    groupId: string,
    member: { readonly id: string; readonly instanceId: string | null; readonly generation: number },
    offsets: readonly OffsetToCommit[],
  ): Promise<GroupError> {
    const isNamed = groupId !== '' || member.generation < 0;
    if (!isNamed || groupId.length > this.settings.groupIdCharsMax) return 'INVALID_GROUP_ID';
    const group = this.find(namespace, groupId);
    if (!group && member.generation >= 0) return 'ILLEGAL_GENERATION';
    const error = group?.commitError(member.id, member.instanceId, member.generation) ?? 'NONE';
    if (error !== 'NONE') return error;
    if (!this.open(namespace, groupId)) return 'COORDINATOR_NOT_AVAILABLE';
    return this.durable(() => this.store(namespace, groupId, offsets));
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
      this.offsets.delete(namespace, groupId, this.offsets.all(namespace, groupId), [groupDeletion(group)]),
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

  /** The group, made when there is none yet; undefined when there are too many. */
  private open(namespace: string, id: string): Group | undefined {
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

  private save(group: Group): void {
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
    this.log.change([{ table: GROUPS, key: groupKey(namespace, id), value }]).catch(() => undefined);
  }

  private load(): void {
    const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64');
    for (const [key, value] of this.log.states.entries(GROUPS)) {
      const [namespace, id] = JSON.parse(key) as [string, string];
      const stored = JSON.parse(Buffer.from(value).toString()) as StoredGroup;
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
    for (const [namespace, groupId] of this.offsets.groupNames()) {
      this.open(namespace, groupId);
      // Deleted topics whose offsets were still there when the process ended.
      const orphans = this.offsets.all(namespace, groupId).filter(({ topic }) => !this.log.topic(namespace, topic));
      void this.deleteOffsets(namespace, groupId, orphans);
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

function groupDeletion({ id, namespace }: Group): StateChange {
  return { table: GROUPS, key: groupKey(namespace, id), value: undefined };
}
