/**
 * Member of a classic consumer group, range assignment: joins, keeps its session, tells what it owns, commits.
 *
 *   joining ─► assigning ─► stable ─► revoking ─► joining …
 *      └───────────┴───────────┴─────────┴────► over (closed, or refused for good)
 *
 * One loop goes through these states; heartbeats run beside it from the end of a join to the beginning of the next, also
 * while partitions are given back: a sink that takes its time does not cost the membership.
 *
 * Invariants
 * I1 `onRevoke` runs before every new join and is awaited: what was processed can be committed in the old generation. Each
 *    `onAssign` is followed by one `onRevoke` or by `close`.
 * I2 commits carry the generation in which the partitions were assigned, and none are made or tried again without; the
 *    caller is told of one refused for that. They are made in their order, so that none takes a later one back.
 * I3 a generation that has not been confirmed for a session time-out counts as lost: others have the partitions by then.
 */
import { MillraceError, type Timer } from '../../base/index.ts';
import {
  apis,
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
  errorName,
  isRetriable,
  Reader,
  Writer,
} from '../../wire/index.ts';
import type { Cluster } from '../cluster.ts';
import type { BrokerConnection } from '../connection.ts';
import { brokerError, canPass, clientErrors, isOf } from '../errors.ts';
import type { TopicPartition } from '../topic-partition.ts';
import { assignRange } from './assignors/range.ts';
import { committedOffsets, commitOffsets, type GroupOffset, type Membership } from './offsets.ts';

export interface GroupMemberSettings {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly rebalanceTimeoutMs: number;
  /** A static member: its partitions wait for it through a restart, for as long as the session. */
  readonly instanceId: string | null;
  readonly canCreateTopics?: boolean;
}

export const GROUP_DEFAULTS: {
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly instanceId: string | null;
} = { sessionTimeoutMs: 45_000, heartbeatMs: 3_000, rebalanceTimeoutMs: 300_000, instanceId: null };

export interface GroupListener {
  onAssign(partitions: readonly GroupOffset[]): void | Promise<void>;
  /** Partitions are to be given back. `isLost`: others may have them already, and nothing can be committed. */
  onRevoke(isLost: boolean): void | Promise<void>;
  /** The group cannot be kept any more. */
  onFailure(error: unknown): void;
}

type State = 'joining' | 'assigning' | 'stable' | 'revoking' | 'over';
type Event = 'joined' | 'assigned' | 'disturbed' | 'given back' | 'failed' | 'closed';

const NEXT: Readonly<Record<State, Readonly<Record<Event, State>>>> = {
  joining: {
    joined: 'assigning',
    assigned: 'joining',
    disturbed: 'joining',
    'given back': 'joining',
    failed: 'over',
    closed: 'over',
  },
  assigning: {
    joined: 'assigning',
    assigned: 'stable',
    disturbed: 'revoking',
    'given back': 'joining',
    failed: 'over',
    closed: 'over',
  },
  stable: {
    joined: 'stable',
    assigned: 'stable',
    disturbed: 'revoking',
    'given back': 'joining',
    failed: 'over',
    closed: 'over',
  },
  revoking: {
    joined: 'revoking',
    assigned: 'revoking',
    disturbed: 'revoking',
    'given back': 'joining',
    failed: 'over',
    closed: 'over',
  },
  over: { joined: 'over', assigned: 'over', disturbed: 'over', 'given back': 'over', failed: 'over', closed: 'over' },
};

const PROTOCOL = 'range';
/** How much longer than the rebalance the broker may take to answer a join. */
const GRACE_MS = 10_000;
/** Leaving is a courtesy: the session ends by itself. */
const LEAVE_MS = 3_000;

export class GroupMember {
  private readonly cluster: Cluster;
  private readonly settings: GroupMemberSettings;
  private readonly listener: GroupListener;
  private readonly purpose: string;
  private state: State = 'joining';
  private memberId = '';
  private generation = -1;
  private isLeader = false;
  /** Set while partitions are ours. */
  private membership: Membership | undefined;
  private isLost = false;
  /** The last commit, whatever became of it. */
  private committing: Promise<unknown> = Promise.resolve();
  /** Why the membership ends for good. */
  private fatal: Error | undefined;
  private disturb: () => void = () => undefined;
  private heartbeat: Timer | undefined;
  private confirmedMs = 0;
  /** Partition counts that the leader has assigned. */
  private counts: ReadonlyMap<string, number> = new Map();

  constructor(cluster: Cluster, settings: GroupMemberSettings, listener: GroupListener) {
    this.cluster = cluster;
    this.settings = settings;
    this.listener = listener;
    this.purpose = cluster.ownPurpose('group');
  }

  /** Joins and resolves with the first assignment; rejects when the group cannot be joined. */
  async start(): Promise<void> {
    const { canCreateTopics, topics } = this.settings;
    for (const topic of topics) await this.cluster.topic(topic, canCreateTopics ?? false);
    return new Promise((resolve, reject) => {
      let isFirst = true;
      const assigned = (): void => {
        isFirst = false;
        resolve();
      };
      this.run(assigned).then(resolve, (error: unknown) => {
        this.move('failed');
        this.stopHeartbeat();
        if (isFirst) reject(error);
        else this.listener.onFailure(error);
      });
    });
  }

  /** False: the generation in which the partitions were ours is over, and nothing was committed. */
  async commit(offsets: readonly GroupOffset[]): Promise<boolean> {
    if (offsets.length === 0) return true;
    const { membership } = this;
    if (!membership) return false;
    const isOurs = (): boolean => this.membership === membership;
    const { groupId } = this.settings;
    const commit = this.committing.then(() => commitOffsets(this.cluster, groupId, offsets, membership, isOurs));
    this.committing = commit.catch(() => undefined);
    return commit;
  }

  /** Leaves, unless it is static; what is under way ends. */
  async close(): Promise<void> {
    if (this.state === 'over') return;
    this.move('closed');
    this.membership = undefined;
    this.stopHeartbeat();
    this.disturb();
    if (this.memberId !== '' && this.settings.instanceId === null) {
      await new Promise<void>((resolve, reject) => {
        const timer = this.cluster.io.clock.after(LEAVE_MS, resolve, { background: true });
        this.leave()
          .catch((error: unknown) => {
            if (!(error instanceof MillraceError)) reject(error as Error);
          })
          .finally(() => {
            timer.cancel();
            resolve();
          });
      });
    }
    this.cluster.release(this.purpose);
  }

  private move(event: Event): void {
    this.state = NEXT[this.state][event];
  }

  private get isOver(): boolean {
    return this.state === 'over';
  }

  private async run(assigned: () => void): Promise<void> {
    const what = `group ${this.settings.groupId}`;
    for (let attempt = 0; !this.isOver; ) {
      try {
        const partitions = await this.join();
        if (!partitions) {
          // The round was overtaken by another: at once the first time.
          if (attempt++ > 0) await this.cluster.backoff(attempt);
          continue;
        }
        attempt = 0;
        this.cluster.calmed(what);
        await this.own(partitions, assigned);
        if (this.fatal) throw this.fatal;
      } catch (error) {
        if (this.isOver) return;
        if (!canPass(error)) throw error;
        this.cluster.troubled(what, error as Error);
        this.cluster.forgetCoordinator(this.settings.groupId);
        await this.cluster.backoff(attempt++);
      }
    }
  }

  /** From the assignment until the partitions are given back. */
  private async own(partitions: readonly TopicPartition[], assigned: () => void): Promise<void> {
    const { instanceId } = this.settings;
    this.move('joined');
    this.isLost = false;
    const disturbed = new Promise<void>(resolve => {
      this.disturb = () => {
        this.move('disturbed');
        resolve();
      };
    });
    this.confirmedMs = this.cluster.io.clock.monotonic();
    this.scheduleHeartbeat();
    try {
      const offsets = await this.withOffsets(partitions);
      if (this.state === 'assigning') {
        this.membership = { memberId: this.memberId, generation: this.generation, instanceId };
        await this.listener.onAssign(offsets);
        this.move('assigned');
        assigned();
        await disturbed;
        if (!this.isOver) await this.listener.onRevoke(this.isLost);
      }
    } finally {
      this.membership = undefined;
      this.stopHeartbeat();
      this.move('given back');
    }
  }

  /** The partitions of a new generation; undefined when the round must be tried again. */
  private async join(): Promise<TopicPartition[] | undefined> {
    const { groupId, instanceId, rebalanceTimeoutMs, sessionTimeoutMs, topics } = this.settings;
    const connection = await this.connection();
    const timeoutMs = rebalanceTimeoutMs + GRACE_MS;
    const request = (): Parameters<typeof apis.joinGroup.encodeRequest>[1] => ({
      groupId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId: this.memberId,
      groupInstanceId: instanceId,
      protocolType: 'consumer',
      protocols: [{ name: PROTOCOL, metadata: subscription(topics) }],
    });
    let joined = await connection.request(apis.joinGroup, request(), { timeoutMs });
    if (errorName(joined.errorCode) === 'MEMBER_ID_REQUIRED') {
      this.memberId = joined.memberId;
      joined = await connection.request(apis.joinGroup, request(), { timeoutMs });
    }
    if (joined.errorCode !== 0) return this.refused('JoinGroup', joined.errorCode);
    this.memberId = joined.memberId;
    this.generation = joined.generationId;
    this.isLeader = joined.leader === this.memberId;
    const assignments = this.isLeader && !joined.skipAssignment ? await this.assignAll(joined.members) : [];
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
      { timeoutMs },
    );
    if (synced.errorCode !== 0) return this.refused('SyncGroup', synced.errorCode);
    return assignedPartitions(synced.assignment);
  }

  /** What an error code means for the membership; throws what ends it, or what is worth a pause. */
  private refused(api: string, code: number): undefined {
    switch (errorName(code)) {
      case 'REBALANCE_IN_PROGRESS':
      case 'ILLEGAL_GENERATION':
        return undefined;
      case 'UNKNOWN_MEMBER_ID':
        this.memberId = '';
        return undefined;
      default:
        throw brokerError(api, `of ${this.settings.groupId}`, code);
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
    this.counts = await this.partitionCounts(new Set(subscriptions.flatMap(({ topics }) => topics)));
    return [...assignRange(subscriptions, this.counts)].map(([memberId, owned]) => {
      const w = new Writer();
      w.int16(0);
      const list = [...owned].map(([topic, partitions]) => ({ topic, partitions }));
      encodeConsumerProtocolAssignment(w, { assignedPartitions: list, userData: null }, 0);
      return { memberId, assignment: Buffer.concat(w.finish()) };
    });
  }

  /** A topic that another member wishes and that does not exist has none. */
  private async partitionCounts(topics: Iterable<string>): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (const topic of topics) {
      try {
        const { leaders } = await this.cluster.topic(topic, this.settings.canCreateTopics ?? false);
        counts.set(topic, leaders.length);
      } catch (error) {
        if (!isOf(error, clientErrors.unknownTopic)) throw error;
        counts.set(topic, 0);
      }
    }
    return counts;
  }

  private async withOffsets(partitions: readonly TopicPartition[]): Promise<GroupOffset[]> {
    if (partitions.length === 0) return [];
    const committed = await committedOffsets(this.cluster, this.settings.groupId, partitions);
    return partitions.map((partition, i) => ({ ...partition, offset: committed[i]! }));
  }

  private scheduleHeartbeat(): void {
    this.heartbeat = this.cluster.io.clock.after(this.settings.heartbeatMs, () => {
      const { generation } = this;
      const isCurrent = (): boolean => !this.isOver && this.state !== 'joining' && generation === this.generation;
      void this.beat(isCurrent).then(goesOn => {
        if (goesOn && isCurrent()) this.scheduleHeartbeat();
      });
    });
  }

  private stopHeartbeat(): void {
    this.heartbeat?.cancel();
    this.heartbeat = undefined;
  }

  /** False: there is nothing to be kept any more. */
  private async beat(isCurrent: () => boolean): Promise<boolean> {
    const { groupId, heartbeatMs, instanceId, sessionTimeoutMs } = this.settings;
    const { clock } = this.cluster.io;
    try {
      const connection = await this.connection();
      const answer = await connection.request(
        apis.heartbeat,
        { groupId, generationId: this.generation, memberId: this.memberId, groupInstanceId: instanceId },
        // A broker that hangs must not cost the session.
        { timeoutMs: Math.max(heartbeatMs, Math.round(sessionTimeoutMs / 3)) },
      );
      if (!isCurrent()) return false;
      const { errorCode: code } = answer;
      if (code === 0 || errorName(code) === 'REBALANCE_IN_PROGRESS') {
        this.confirmedMs = clock.monotonic();
        if (code !== 0) this.disturb();
        else if (this.isLeader) void this.watchTopics(isCurrent);
        return true;
      }
      if (isRetriable(code)) throw brokerError('Heartbeat', `of ${groupId}`, code);
      this.refused('Heartbeat', code);
      this.lose();
      return false;
    } catch (error) {
      if (!isCurrent()) return false;
      if (!canPass(error)) {
        this.fatal = error instanceof Error ? error : new Error(String(error));
        this.lose();
        return false;
      }
      // A lost connection says nothing about the membership: another try within the session.
      this.cluster.forgetCoordinator(groupId);
      if (clock.monotonic() - this.confirmedMs < sessionTimeoutMs) return true;
      this.lose();
      return false;
    }
  }

  private lose(): void {
    this.isLost = true;
    this.membership = undefined;
    this.disturb();
  }

  /** The leader sees that a topic has more partitions, or is there at last, and has them assigned. */
  private async watchTopics(isCurrent: () => boolean): Promise<void> {
    const before = this.counts;
    try {
      const now = await this.partitionCounts(before.keys());
      if (isCurrent() && [...now].some(([topic, count]) => count !== before.get(topic))) this.disturb();
    } catch (error) {
      // What cannot be asked now is asked with one of the next heartbeats.
      if (!(error instanceof MillraceError)) throw error;
    }
  }

  private async leave(): Promise<void> {
    const { groupId } = this.settings;
    const { memberId } = this;
    // Not behind a join that waits.
    const connection = await this.cluster.node(await this.cluster.coordinator(groupId), 'group');
    await connection.request(apis.leaveGroup, { groupId, memberId, members: [{ memberId }] });
  }

  private async connection(): Promise<BrokerConnection> {
    return this.cluster.node(await this.cluster.coordinator(this.settings.groupId), this.purpose);
  }
}

function subscription(topics: readonly string[]): Uint8Array {
  const w = new Writer();
  w.int16(0);
  encodeConsumerProtocolSubscription(w, { topics: [...topics], userData: null }, 0);
  return Buffer.concat(w.finish());
}

function assignedPartitions(bytes: Uint8Array): TopicPartition[] {
  if (bytes.length === 0) return [];
  const reader = new Reader(bytes);
  const { assignedPartitions: list } = decodeConsumerProtocolAssignment(reader, Math.min(reader.int16(), 3));
  return list.flatMap(({ partitions, topic }) => partitions.map(partition => ({ topic, partition })));
}
