/**
 * Member of a classic consumer group, range assignment: joins, keeps its session, tells what it owns, commits.
 *
 *   out ─join─► joining ─► syncing ─► stable ─(27, lost)─► joining
 *                                        └─close─► left
 *
 * Invariants
 * I1 `onRevoke` runs before every new join and is awaited: what was processed can be committed in the old generation.
 * I2 commits carry the generation in which the partitions were assigned; the caller is told of one refused for that.
 */
import { messageOf, MillraceError, type Timer } from '../base/index.ts';
import {
  apis,
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
  errorCode,
  errorName,
  Reader,
  Writer,
} from '../wire/index.ts';
import { assignRange } from './assignors/range.ts';
import type { Cluster } from './cluster.ts';
import type { BrokerConnection } from './connection.ts';
import { clientErrors } from './errors.ts';
import { committedOffsets, commitOffsets, type GroupOffset, type TopicPartition } from './group-offsets.ts';

export interface GroupMemberSettings {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly instanceId: string | null;
}

export const GROUP_DEFAULTS: {
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly instanceId: string | null;
} = { sessionTimeoutMs: 45_000, heartbeatMs: 3_000, rebalanceTimeoutMs: 300_000, instanceId: null };

export interface GroupListener {
  onAssign(partitions: readonly GroupOffset[]): void | Promise<void>;
  onRevoke(): void | Promise<void>;
  /** The group cannot be kept any more. */
  onFailure(error: unknown): void;
}

const PROTOCOL = 'range';

export class GroupMember {
  private readonly cluster: Cluster;
  private readonly settings: GroupMemberSettings;
  private readonly listener: GroupListener;
  private readonly purpose: string;
  private memberId = '';
  private generation = -1;
  private heartbeat: Timer | undefined;
  private isClosed = false;
  private hasPartitions = false;

  constructor(cluster: Cluster, settings: GroupMemberSettings, listener: GroupListener) {
    this.cluster = cluster;
    this.settings = settings;
    this.listener = listener;
    this.purpose = cluster.ownPurpose('group');
  }

  /** Joins and resolves with the first assignment. */
  async start(): Promise<void> {
    await this.rejoin();
  }

  /** False: the generation in which the partitions were ours is over, and nothing was committed. */
  async commit(offsets: readonly GroupOffset[]): Promise<boolean> {
    if (offsets.length === 0) return true;
    const { instanceId, groupId } = this.settings;
    const { generation, memberId } = this;
    return commitOffsets(this.cluster, groupId, offsets, { memberId, generation, instanceId });
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.heartbeat?.cancel();
    if (this.memberId === '') return;
    try {
      const connection = await this.connection();
      const { memberId } = this;
      await connection.request(apis.leaveGroup, {
        groupId: this.settings.groupId,
        memberId,
        members: [{ memberId, groupInstanceId: this.settings.instanceId }],
      });
    } catch (error) {
      // The session ends by itself when the coordinator cannot be told.
      if (!(error instanceof Error)) throw error;
    }
  }

  private async rejoin(): Promise<void> {
    this.heartbeat?.cancel();
    if (this.hasPartitions) {
      this.hasPartitions = false;
      await this.listener.onRevoke();
    }
    for (let attempt = 0; !this.isClosed; attempt++) {
      try {
        const partitions = await this.joinAndSync();
        if (partitions) {
          this.hasPartitions = true;
          this.scheduleHeartbeat();
          await this.listener.onAssign(await this.withOffsets(partitions));
          return;
        }
      } catch (error) {
        if (error instanceof MillraceError && error.retry === 'no') throw error;
      }
      await this.cluster.backoff(Math.min(attempt, 6));
    }
  }

  /** The partitions of the new generation; undefined when the round must be tried again. */
  private async joinAndSync(): Promise<TopicPartition[] | undefined> {
    const { groupId, instanceId, rebalanceTimeoutMs, sessionTimeoutMs, topics } = this.settings;
    const connection = await this.connection();
    const w = new Writer();
    w.int16(0);
    encodeConsumerProtocolSubscription(w, { topics: [...topics], userData: null }, 0);
    const joined = await connection.request(
      apis.joinGroup,
      {
        groupId,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        memberId: this.memberId,
        groupInstanceId: instanceId,
        protocolType: 'consumer',
        protocols: [{ name: PROTOCOL, metadata: Buffer.concat(w.finish()) }],
      },
      { timeoutMs: rebalanceTimeoutMs + 10_000 },
    );
    if (joined.errorCode === errorCode('MEMBER_ID_REQUIRED')) {
      this.memberId = joined.memberId;
      return this.joinAndSync();
    }
    if (joined.errorCode !== 0) return this.restart(errorName(joined.errorCode));
    this.memberId = joined.memberId;
    this.generation = joined.generationId;
    const assignments = joined.leader === this.memberId ? await this.assignAll(joined.members) : [];
    const synced = await connection.request(
      apis.syncGroup,
      {
        groupId,
        generationId: this.generation,
        memberId: this.memberId,
        groupInstanceId: instanceId,
        protocolType: 'consumer',
        protocolName: PROTOCOL,
        assignments,
      },
      { timeoutMs: rebalanceTimeoutMs + 10_000 },
    );
    if (synced.errorCode !== 0) return this.restart(errorName(synced.errorCode));
    if (synced.assignment.length === 0) return [];
    const reader = new Reader(synced.assignment);
    const assignment = decodeConsumerProtocolAssignment(reader, Math.min(reader.int16(), 3));
    return assignment.assignedPartitions.flatMap(({ partitions, topic }) =>
      partitions.map(partition => ({ topic, partition })),
    );
  }

  private restart(error: string): undefined {
    switch (error) {
      case 'REBALANCE_IN_PROGRESS':
      case 'COORDINATOR_NOT_AVAILABLE':
      case 'COORDINATOR_LOAD_IN_PROGRESS':
      case 'NOT_COORDINATOR':
        return undefined;
      case 'UNKNOWN_MEMBER_ID':
      case 'ILLEGAL_GENERATION':
        this.memberId = '';
        return undefined;
      default:
        throw clientErrors.brokerError({ api: 'JoinGroup', what: `of ${this.settings.groupId}`, error });
    }
  }

  private async assignAll(
    members: readonly { readonly memberId: string; readonly metadata: Uint8Array }[],
  ): Promise<{ memberId: string; assignment: Uint8Array }[]> {
    const subscriptions = members.map(({ memberId, metadata }) => {
      const reader = new Reader(metadata);
      const version = Math.min(reader.int16(), 3);
      return { memberId, topics: decodeConsumerProtocolSubscription(reader, version).topics };
    });
    const partitions = new Map<string, number>();
    for (const topic of new Set(subscriptions.flatMap(({ topics }) => topics))) {
      partitions.set(topic, (await this.cluster.topic(topic, true)).leaders.length);
    }
    return [...assignRange(subscriptions, partitions)].map(([memberId, owned]) => {
      const w = new Writer();
      w.int16(0);
      const assignedPartitions = [...owned].map(([topic, list]) => ({ topic, partitions: list }));
      encodeConsumerProtocolAssignment(w, { assignedPartitions, userData: null }, 0);
      return { memberId, assignment: Buffer.concat(w.finish()) };
    });
  }

  private async withOffsets(partitions: readonly TopicPartition[]): Promise<GroupOffset[]> {
    const committed = await committedOffsets(this.cluster, this.settings.groupId, partitions);
    return partitions.map((partition, i) => ({ ...partition, offset: committed[i]! }));
  }

  private scheduleHeartbeat(): void {
    this.heartbeat = this.cluster.io.clock.after(this.settings.heartbeatMs, () => void this.beat());
  }

  private async beat(): Promise<void> {
    try {
      const connection = await this.connection();
      const { generation, memberId } = this;
      const answer = await connection.request(apis.heartbeat, {
        groupId: this.settings.groupId,
        generationId: generation,
        memberId,
        groupInstanceId: this.settings.instanceId,
      });
      if (this.isClosed || generation !== this.generation) return;
      if (answer.errorCode === 0) {
        this.scheduleHeartbeat();
        return;
      }
      this.restart(errorName(answer.errorCode));
      await this.rejoin();
    } catch (error) {
      if (this.isClosed) return;
      if (error instanceof MillraceError && error.retry === 'no') this.listener.onFailure(error);
      // A lost connection says nothing about the membership: try again within the session.
      else if (messageOf(error) !== '') this.scheduleHeartbeat();
    }
  }

  private async connection(): Promise<BrokerConnection> {
    return this.cluster.node(await this.cluster.coordinator(this.settings.groupId), this.purpose);
  }
}
