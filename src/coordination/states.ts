/**
 * The states of a classic group, what moves it from one to the next, and what it answers in each: total tables.
 *
 *   empty ─joined─► gathering ─all-joined─► completing ─assigned─► stable
 *     ▲                          ▲              │ ▲                  │
 *     │                      all-joined         │ └── preparing ◄────┤ joined, left
 *     └── emptied (from all)     └── preparing ◄┘                    │
 *                                        any ─deleted, migrated─► dead
 *
 *   gathering    the first round of an empty group: waits for more members, even when all have joined
 *   preparing    a rebalance: waits for the members to join again, and ends when all have
 *   completing   a generation has begun; its leader works out who gets what
 *
 * Kafka knows gathering as PreparingRebalance.
 */
import { assert } from '../base/index.ts';

export type GroupState = 'empty' | 'gathering' | 'preparing' | 'completing' | 'stable' | 'dead';

export type GroupEvent =
  /** A member wants to join: a new one, or one that has something new. */
  | 'joined'
  /** A member is gone, others are left. */
  | 'left'
  /** The join phase is over. */
  | 'all-joined'
  /** The leader has said who gets what. */
  | 'assigned'
  /** The last member is gone. */
  | 'emptied'
  | 'deleted'
  /** It goes on as a consumer group of the newer protocol. */
  | 'migrated'
  /** A group with members comes back after a restart. */
  | 'restored';

export type GroupError =
  | 'NONE'
  | 'UNKNOWN_SERVER_ERROR'
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
  | 'INVALID_REQUEST'
  | 'FENCED_MEMBER_EPOCH'
  | 'UNRELEASED_INSTANCE_ID'
  | 'UNSUPPORTED_ASSIGNOR'
  | 'STALE_MEMBER_EPOCH'
  | 'INVALID_REGULAR_EXPRESSION';

type Never = 'never';

const NEXT: Readonly<Record<GroupState, Readonly<Record<GroupEvent, GroupState | Never>>>> = {
  empty: {
    joined: 'gathering',
    left: 'never',
    'all-joined': 'never',
    assigned: 'never',
    emptied: 'never',
    deleted: 'dead',
    migrated: 'dead',
    restored: 'stable',
  },
  gathering: {
    joined: 'gathering',
    left: 'gathering',
    'all-joined': 'completing',
    assigned: 'never',
    emptied: 'empty',
    deleted: 'never',
    migrated: 'dead',
    restored: 'never',
  },
  preparing: {
    joined: 'preparing',
    left: 'preparing',
    'all-joined': 'completing',
    assigned: 'never',
    emptied: 'empty',
    deleted: 'never',
    migrated: 'dead',
    restored: 'never',
  },
  completing: {
    joined: 'preparing',
    left: 'preparing',
    'all-joined': 'never',
    assigned: 'stable',
    emptied: 'empty',
    deleted: 'never',
    migrated: 'dead',
    restored: 'never',
  },
  stable: {
    joined: 'preparing',
    left: 'preparing',
    'all-joined': 'never',
    assigned: 'never',
    emptied: 'empty',
    deleted: 'never',
    migrated: 'dead',
    restored: 'never',
  },
  dead: {
    joined: 'never',
    left: 'never',
    'all-joined': 'never',
    assigned: 'never',
    emptied: 'never',
    deleted: 'never',
    migrated: 'never',
    restored: 'never',
  },
};

export function nextState(state: GroupState, event: GroupEvent): GroupState {
  const next = NEXT[state][event];
  assert(next !== 'never', `a group that is ${state} was ${event}`);
  return next;
}

interface StateAnswers {
  /** To a member of the right generation. */
  readonly heartbeat: GroupError;
  readonly commit: GroupError;
  readonly sync: GroupError | 'wait';
}

export const ANSWERS: Readonly<Record<GroupState, StateAnswers>> = {
  empty: { heartbeat: 'UNKNOWN_MEMBER_ID', commit: 'UNKNOWN_MEMBER_ID', sync: 'UNKNOWN_MEMBER_ID' },
  gathering: { heartbeat: 'REBALANCE_IN_PROGRESS', commit: 'NONE', sync: 'REBALANCE_IN_PROGRESS' },
  preparing: { heartbeat: 'REBALANCE_IN_PROGRESS', commit: 'NONE', sync: 'REBALANCE_IN_PROGRESS' },
  completing: { heartbeat: 'NONE', commit: 'REBALANCE_IN_PROGRESS', sync: 'wait' },
  stable: { heartbeat: 'NONE', commit: 'NONE', sync: 'NONE' },
  dead: {
    heartbeat: 'COORDINATOR_NOT_AVAILABLE',
    commit: 'COORDINATOR_NOT_AVAILABLE',
    sync: 'COORDINATOR_NOT_AVAILABLE',
  },
};
