/**
 * A member of a consumer group (KIP-848) and how it gets from what it holds to what it is to have.
 *
 *   stable       holds what it was told for its epoch
 *   unrevoked    has been told to give partitions up, and holds them until it says what it owns without them
 *   unreleased   is in the newest epoch and waits for partitions that others still hold
 *
 * What a member is told is `assigned`; `revoking` it still holds. A partition is in at most one of both, of one member.
 */
import type { Timer } from '../../base/index.ts';
import type { Protocol } from '../member.ts';
import {
  common,
  countOf,
  filtered,
  fromStored,
  minus,
  NO_PARTITIONS,
  overlaps,
  type PartitionSet,
  type StoredPartitions,
  toStored,
  union,
} from './partition-set.ts';

export type MemberState = 'stable' | 'unrevoked' | 'unreleased';

/** A member that speaks the classic protocol in a consumer group. */
export interface ClassicSide {
  readonly sessionTimeoutMs: number;
  readonly protocols: readonly Protocol[];
}

export interface MemberProfile {
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  /** Names that it subscribes to. */
  readonly topics: readonly string[];
  /** Empty for none. */
  readonly regex: string;
  readonly assignor: string | null;
  readonly classic: ClassicSide | undefined;
}

export interface Holding {
  readonly state: MemberState;
  readonly epoch: number;
  readonly assigned: PartitionSet;
  readonly revoking: PartitionSet;
}

export interface ConsumerMember {
  readonly id: string;
  profile: MemberProfile;
  holding: Holding;
  /** The epoch before: a member whose last answer was lost comes with it. */
  previousEpoch: number;
  target: PartitionSet;
  session: Timer | undefined;
  /** Until when it must have given up what it was told to; of a classic member, until when it must take its next step. */
  progress: Timer | undefined;
}

/** Epoch of a static member that is away and will come back. */
export const AWAY = -2;
export const LEFT = -1;

export const NEW_HOLDING: Holding = { state: 'stable', epoch: 0, assigned: NO_PARTITIONS, revoking: NO_PARTITIONS };

type Released = 'holding' | 'released';
type Progress = 'current' | 'behind';

/** What a member's word moves, by its state, by whether it has said that it gave up what it was to, and by its epoch. */
const STEPS: Readonly<Record<MemberState, Readonly<Record<Released, Readonly<Record<Progress, 'stay' | 'go on'>>>>>> = {
  stable: {
    holding: { current: 'stay', behind: 'go on' },
    released: { current: 'stay', behind: 'go on' },
  },
  unrevoked: {
    holding: { current: 'stay', behind: 'stay' },
    released: { current: 'go on', behind: 'go on' },
  },
  unreleased: {
    holding: { current: 'go on', behind: 'go on' },
    released: { current: 'go on', behind: 'go on' },
  },
};

/**
 * The next holding of a member that says it owns `owned` (null: it does not say), towards `target` in `epoch`. The same
 * object when nothing moves.
 */
export function reconcile(
  member: Pick<ConsumerMember, 'holding' | 'target'>,
  epoch: number,
  owned: PartitionSet | null,
  isFree: (topicId: string, partition: number) => boolean,
): Holding {
  const { holding, target } = member;
  const released = owned !== null && !overlaps(owned, holding.revoking) ? 'released' : 'holding';
  const progress = holding.epoch < epoch ? 'behind' : 'current';
  if (STEPS[holding.state][released][progress] === 'stay') return holding;
  const kept = common(holding.assigned, target);
  const revoking = minus(holding.assigned, target);
  // Who says nothing may own all of it.
  if (countOf(revoking) > 0 && (owned === null || overlaps(owned, revoking)))
    return { state: 'unrevoked', epoch: holding.epoch, assigned: kept, revoking };
  const wanted = minus(target, kept);
  const free = filtered(wanted, isFree);
  const state = countOf(free) < countOf(wanted) ? 'unreleased' : 'stable';
  const isSame = state === holding.state && epoch === holding.epoch && countOf(free) === 0 && countOf(revoking) === 0;
  return isSame ? holding : { state, epoch, assigned: union(kept, free), revoking: NO_PARTITIONS };
}

/** What survives a restart; bytes as base64. */
export interface StoredMember extends Omit<MemberProfile, 'classic'> {
  readonly state: MemberState;
  readonly epoch: number;
  readonly previousEpoch: number;
  readonly assigned: StoredPartitions;
  readonly revoking: StoredPartitions;
  readonly target: StoredPartitions;
  readonly classic?: {
    readonly sessionTimeoutMs: number;
    readonly protocols: readonly (readonly [name: string, metadata: string])[];
  };
}

export function storedMember({ holding, previousEpoch, profile, target }: ConsumerMember): StoredMember {
  const { classic, ...rest } = profile;
  return {
    ...rest,
    state: holding.state,
    epoch: holding.epoch,
    previousEpoch,
    assigned: toStored(holding.assigned),
    revoking: toStored(holding.revoking),
    target: toStored(target),
    ...(classic && {
      classic: {
        sessionTimeoutMs: classic.sessionTimeoutMs,
        protocols: classic.protocols.map(({ metadata, name }) => [name, Buffer.from(metadata).toString('base64')]),
      },
    }),
  };
}

export function restoredMember(id: string, stored: StoredMember): ConsumerMember {
  const { assigned, classic, epoch, previousEpoch, revoking, state, target, ...profile } = stored;
  return {
    id,
    profile: {
      ...profile,
      classic: classic && {
        sessionTimeoutMs: classic.sessionTimeoutMs,
        protocols: classic.protocols.map(([name, metadata]) => ({ name, metadata: Buffer.from(metadata, 'base64') })),
      },
    },
    holding: { state, epoch, assigned: fromStored(assigned), revoking: fromStored(revoking) },
    previousEpoch,
    target: fromStored(target),
    session: undefined,
    progress: undefined,
  };
}
