/** What a member of a consumer group says in a heartbeat, what it is answered, and what is wrong whatever the group. */
import type { GroupError } from '../states.ts';
import { ASSIGNORS, assignorNamed } from './assignors/index.ts';
import { AWAY } from './member.ts';
import { countOf, type PartitionSet } from './partition-set.ts';

export interface ConsumerHeartbeat {
  readonly memberId: string;
  /** 0 joins, -1 leaves, -2 leaves for a while (a static member). */
  readonly epoch: number;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** -1: as before. */
  readonly rebalanceTimeoutMs: number;
  /** Null: as before. */
  readonly topics: readonly string[] | null;
  /** Null: as before; empty: none. */
  readonly regex: string | null;
  readonly assignor: string | null;
  /** What the member holds; null: as before. */
  readonly owned: PartitionSet | null;
  /** Whether the client may know of a topic that its expression matches. */
  mayDescribe(topic: string): boolean;
}

export interface HeartbeatAnswer {
  readonly error: GroupError;
  readonly message: string | null;
  readonly memberId: string;
  readonly epoch: number;
  /** Null: as before. */
  readonly assignment: PartitionSet | null;
}

const EPOCH_MIN = -2;

export function refusedHeartbeat(error: GroupError, message: string): HeartbeatAnswer {
  return { error, message, memberId: '', epoch: 0, assignment: null };
}

export function heartbeatDefect(request: ConsumerHeartbeat): HeartbeatAnswer | undefined {
  const { assignor, epoch, instanceId, memberId, owned, rackId, rebalanceTimeoutMs, regex, topics } = request;
  const bad = (message: string): HeartbeatAnswer => refusedHeartbeat('INVALID_REQUEST', message);
  if (instanceId === '') return bad('an instance id may not be empty');
  if (rackId === '') return bad('a rack id may not be empty');
  if (epoch < EPOCH_MIN) return bad(`${epoch} is no member epoch`);
  if (memberId === '') return bad('a member needs an id');
  if (epoch === AWAY && instanceId === null) return bad('only a static member can leave for a while (epoch -2)');
  if (epoch === 0) {
    if (rebalanceTimeoutMs < 0) return bad('who joins says its rebalance timeout');
    if (owned === null || countOf(owned) > 0) return bad('who joins owns no partitions, and says so');
    if (topics === null && regex === null) return bad('who joins says what it subscribes to');
  }
  if (assignor !== null && !assignorNamed(assignor)) {
    const names = ASSIGNORS.map(({ name }) => name).join(', ');
    return refusedHeartbeat('UNSUPPORTED_ASSIGNOR', `there is no assignor ${assignor}; there are ${names}`);
  }
  return undefined;
}
