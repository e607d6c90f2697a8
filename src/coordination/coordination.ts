/**
 * Groups and committed offsets, durable in the log's state tables. No wire formats: broker handlers and the embedded
 * source use the same calls.
 *
 *   table `groups`    key [namespace, group]                    value: generation, protocol, leader, members
 *   table `offsets`   key [namespace, group, topic, partition]  value: offset, leader epoch, metadata, commit time, and
 *                                                                  the end of life where the client set one
 *
 * Invariants
 * I1 a commit is answered when it is synced, and seen by `committed` only then.
 * I2 after a restart the members of a stable group go on in the same generation if they show up within a session.
 */
import type { Io } from '../base/index.ts';
import type { Log, StateChange } from '../log/index.ts';
import { Group, type GroupError, type GroupHost, type GroupSettings, type Member } from './group.ts';

export interface CoordinationSettings extends GroupSettings {
  /** Offsets of an empty group are kept this long. */
  readonly offsetRetentionMs: number;
  readonly metadataBytesMax: number;
}

export const COORDINATION_DEFAULTS: CoordinationSettings = {
  sessionTimeoutMinMs: 6_000,
  sessionTimeoutMaxMs: 1_800_000,
  initialRebalanceDelayMs: 3_000,
  membersMax: 1_000,
  offsetRetentionMs: 604_800_000,
  metadataBytesMax: 4_096,
};

export interface CommittedOffset {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string | null;
}

export interface OffsetToCommit extends CommittedOffset {
  readonly topic: string;
  readonly partition: number;
  /** When it was committed, where that is not now. */
  readonly timeMs?: number;
  /** When it ends, in place of the time that all offsets are kept. */
  readonly expiresMs?: number;
}

const GROUPS = 'groups';
const OFFSETS = 'offsets';
const EXPIRY_CHECK_MS = 600_000;

interface StoredOffset extends CommittedOffset {
  readonly timeMs: number;
  readonly expiresMs?: number;
}

interface StoredGroup {
  readonly generation: number;
  readonly protocolType: string;
  readonly protocol: string | null;
  readonly leader: string;
  readonly members: readonly (Omit<Member, 'joining' | 'syncing' | 'session' | 'protocols' | 'assignment'> & {
    readonly protocols: readonly { readonly name: string; readonly metadata: string }[];
    readonly assignment: string;
  })[];
}

export class Coordination {
  readonly settings: CoordinationSettings;
  private readonly io: Io;
  private readonly log: Log;
  private readonly groups = new Map<string, Group>();
  /** Offsets by group key, then by topic and partition. */
  private readonly offsets = new Map<string, Map<string, StoredOffset>>();
  private readonly host: GroupHost;

  constructor(io: Io, log: Log, settings: Partial<CoordinationSettings> = {}) {
    this.io = io;
    this.log = log;
    this.settings = { ...COORDINATION_DEFAULTS, ...settings };
    this.host = { clock: io.clock, random: io.random, settings: this.settings, changed: group => this.save(group) };
    this.load();
    this.expireLater();
  }

  /** The group, made when there is none yet. */
  open(namespace: string, id: string): Group {
    const key = groupKey(namespace, id);
    let group = this.groups.get(key);
    if (!group) {
      group = new Group(namespace, id, this.host);
      this.groups.set(key, group);
    }
    return group;
  }

  find(namespace: string, id: string): Group | undefined {
    return this.groups.get(groupKey(namespace, id));
  }

  list(namespace: string): Group[] {
    const known = [...this.groups.values()].filter(group => group.namespace === namespace);
    const ids = new Set(known.map(group => group.id));
    for (const key of this.offsets.keys()) {
      const [space, id] = JSON.parse(key) as [string, string];
      if (space === namespace && !ids.has(id)) known.push(this.open(space, id));
    }
    return known;
  }

  /** Commits for a member or, with generation -1 and no member id, for a consumer outside the group protocol. */
  async commit(
    namespace: string,
    groupId: string,
    member: { readonly id: string; readonly instanceId: string | null; readonly generation: number },
    offsets: readonly OffsetToCommit[],
  ): Promise<GroupError> {
    const group = this.find(namespace, groupId);
    if (!group && member.generation >= 0) return 'ILLEGAL_GENERATION';
    const error = group?.commitError(member.id, member.instanceId, member.generation) ?? 'NONE';
    if (error !== 'NONE') return error;
    await this.store(namespace, groupId, offsets);
    return 'NONE';
  }

  /** Commits without asking the group: for a source of this process that owns the group's name. */
  async store(namespace: string, groupId: string, offsets: readonly OffsetToCommit[]): Promise<void> {
    if (offsets.length === 0) return;
    const now = this.io.clock.now();
    const stored = offsets.map(({ topic, partition, timeMs = now, ...offset }) => ({
      topic,
      partition,
      value: { ...offset, timeMs } satisfies StoredOffset,
    }));
    await this.log.change(
      stored.map(({ partition, topic, value }) => ({
        table: OFFSETS,
        key: JSON.stringify([namespace, groupId, topic, partition]),
        value: Buffer.from(JSON.stringify(value)),
      })),
    );
    const known = this.offsetsOf(groupKey(namespace, groupId));
    for (const { partition, topic, value } of stored) known.set(partitionKey(topic, partition), value);
  }

  committed(namespace: string, groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.offsets.get(groupKey(namespace, groupId))?.get(partitionKey(topic, partition));
  }

  /** Everything that the group has committed. */
  allCommitted(namespace: string, groupId: string): { topic: string; partition: number; offset: CommittedOffset }[] {
    return [...(this.offsets.get(groupKey(namespace, groupId)) ?? [])].map(([key, offset]) => {
      const [topic, partition] = JSON.parse(key) as [string, number];
      return { topic, partition, offset };
    });
  }

  async delete(namespace: string, groupId: string): Promise<GroupError> {
    const key = groupKey(namespace, groupId);
    const group = this.groups.get(key);
    if (!group && !this.offsets.has(key)) return 'GROUP_ID_NOT_FOUND';
    if (group && group.members.size > 0) return 'NON_EMPTY_GROUP';
    const offsets = this.allCommitted(namespace, groupId);
    await this.log.change([
      { table: GROUPS, key, value: undefined },
      ...offsets.map(({ topic, partition }) => offsetDeletion(namespace, groupId, topic, partition)),
    ]);
    group?.delete();
    this.groups.delete(key);
    this.offsets.delete(key);
    return 'NONE';
  }

  /** Forgets single offsets of a group. */
  async deleteOffsets(
    namespace: string,
    groupId: string,
    partitions: readonly { readonly topic: string; readonly partition: number }[],
  ): Promise<void> {
    await this.log.change(
      partitions.map(({ topic, partition }) => offsetDeletion(namespace, groupId, topic, partition)),
    );
    const offsets = this.offsetsOf(groupKey(namespace, groupId));
    for (const { topic, partition } of partitions) offsets.delete(partitionKey(topic, partition));
  }

  private offsetsOf(key: string): Map<string, StoredOffset> {
    let offsets = this.offsets.get(key);
    if (!offsets) {
      offsets = new Map();
      this.offsets.set(key, offsets);
    }
    return offsets;
  }

  private save(group: Group): void {
    const stored: StoredGroup = {
      generation: group.generation,
      protocolType: group.protocolType,
      protocol: group.protocol,
      leader: group.leader,
      members: [...group.members.values()].map(member => ({
        id: member.id,
        instanceId: member.instanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        sessionTimeoutMs: member.sessionTimeoutMs,
        rebalanceTimeoutMs: member.rebalanceTimeoutMs,
        protocols: member.protocols.map(({ name, metadata }) => ({
          name,
          metadata: Buffer.from(metadata).toString('base64'),
        })),
        assignment: Buffer.from(member.assignment).toString('base64'),
      })),
    };
    const key = groupKey(group.namespace, group.id);
    // If it does not become durable, members rejoin after a restart: nothing is lost but a rebalance.
    this.log.change([{ table: GROUPS, key, value: Buffer.from(JSON.stringify(stored)) }]).catch(() => undefined);
  }

  private load(): void {
    for (const [key, value] of this.log.states.entries(OFFSETS)) {
      const [namespace, groupId, topic, partition] = JSON.parse(key) as [string, string, string, number];
      const stored = JSON.parse(Buffer.from(value).toString()) as StoredOffset;
      this.offsetsOf(groupKey(namespace, groupId)).set(partitionKey(topic, partition), stored);
    }
    for (const [key, value] of this.log.states.entries(GROUPS)) {
      const [namespace, id] = JSON.parse(key) as [string, string];
      const stored = JSON.parse(Buffer.from(value).toString()) as StoredGroup;
      const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64');
      this.open(namespace, id).restore({
        ...stored,
        members: stored.members.map(member => ({
          ...member,
          protocols: member.protocols.map(({ name, metadata }) => ({ name, metadata: bytes(metadata) })),
          assignment: bytes(member.assignment),
        })),
      });
    }
  }

  private expireLater(): void {
    const check = (): void => {
      this.expire().catch(() => undefined);
      this.expireLater();
    };
    this.io.clock.after(EXPIRY_CHECK_MS, check, { background: true });
  }

  /** Offsets of empty groups that nobody has committed to for long, or for as long as they were to be kept. */
  private async expire(): Promise<void> {
    const now = this.io.clock.now();
    const isOver = ({ expiresMs, timeMs }: StoredOffset): boolean =>
      (expiresMs ?? timeMs + this.settings.offsetRetentionMs) < now;
    for (const [key, offsets] of this.offsets) {
      const [namespace, groupId] = JSON.parse(key) as [string, string];
      if ((this.groups.get(key)?.members.size ?? 0) > 0) continue;
      const old = [...offsets].filter(([, offset]) => isOver(offset)).map(([partition]) => partition);
      if (old.length === 0) continue;
      const partitions = old.map(text => JSON.parse(text) as [string, number]);
      await this.deleteOffsets(
        namespace,
        groupId,
        partitions.map(([topic, partition]) => ({ topic, partition })),
      );
    }
  }
}

function groupKey(namespace: string, id: string): string {
  return JSON.stringify([namespace, id]);
}

function partitionKey(topic: string, partition: number): string {
  return JSON.stringify([topic, partition]);
}

function offsetDeletion(namespace: string, groupId: string, topic: string, partition: number): StateChange {
  return { table: OFFSETS, key: JSON.stringify([namespace, groupId, topic, partition]), value: undefined };
}
