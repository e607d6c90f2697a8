/**
 * Committed offsets, durable in a state table of the log.
 *
 *   table `offsets`   key [namespace, group, topic, partition]   value: offset, leader epoch, metadata, commit time, and
 *                                                                the end of life where the client set one
 *
 * Invariants
 * I1 a change is seen by readers only when it is durable.
 */
import type { Log, StateChange } from '../log/index.ts';

export interface CommittedOffset {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string | null;
}

export interface OffsetPlace {
  readonly topic: string;
  readonly partition: number;
}

export interface OffsetToCommit extends CommittedOffset, OffsetPlace {
  /** When it was committed, where that is not now. */
  readonly timeMs?: number;
  /** When it ends, in place of the time that all offsets are kept. */
  readonly expiresMs?: number;
}

export interface StoredOffset extends CommittedOffset {
  readonly timeMs: number;
  readonly expiresMs?: number;
}

const OFFSETS = 'offsets';

export class CommittedOffsets {
  private readonly log: Log;
  /** By group key, then by topic and partition. */
  private readonly groups = new Map<string, Map<string, StoredOffset>>();

  constructor(log: Log) {
    this.log = log;
    for (const [key, value] of log.states.entries(OFFSETS)) {
      const [namespace, groupId, topic, partition] = JSON.parse(key) as [string, string, string, number];
      const stored = JSON.parse(Buffer.from(value).toString()) as StoredOffset;
      this.of(groupKey(namespace, groupId)).set(placeKey({ topic, partition }), stored);
    }
  }

  /** Groups that have committed anything. */
  *groupNames(): IterableIterator<readonly [namespace: string, groupId: string]> {
    for (const [key, offsets] of this.groups) if (offsets.size > 0) yield JSON.parse(key) as [string, string];
  }

  has(namespace: string, groupId: string): boolean {
    return (this.groups.get(groupKey(namespace, groupId))?.size ?? 0) > 0;
  }

  get(namespace: string, groupId: string, place: OffsetPlace): StoredOffset | undefined {
    return this.groups.get(groupKey(namespace, groupId))?.get(placeKey(place));
  }

  all(namespace: string, groupId: string): (OffsetPlace & { readonly offset: StoredOffset })[] {
    return [...(this.groups.get(groupKey(namespace, groupId)) ?? [])].map(([key, offset]) => {
      const [topic, partition] = JSON.parse(key) as [string, number];
      return { topic, partition, offset };
    });
  }

  async store(namespace: string, groupId: string, offsets: readonly OffsetToCommit[], nowMs: number): Promise<void> {
    const { applied, states } = this.storing(namespace, groupId, offsets, nowMs);
    await this.log.change(states);
    applied();
  }

  /** The same for who makes the states durable together with others, and says so. */
  storing(
    namespace: string,
    groupId: string,
    offsets: readonly OffsetToCommit[],
    nowMs: number,
  ): { readonly states: readonly StateChange[]; readonly applied: () => void } {
    const stored = offsets.map(({ partition, timeMs = nowMs, topic, ...offset }) => {
      const value: StoredOffset = { ...offset, timeMs };
      return { topic, partition, value };
    });
    const states = stored.map(({ partition, topic, value }) => ({
      table: OFFSETS,
      key: JSON.stringify([namespace, groupId, topic, partition]),
      value: Buffer.from(JSON.stringify(value)),
    }));
    const applied = (): void => {
      const entries = this.of(groupKey(namespace, groupId));
      for (const { value, ...place } of stored) entries.set(placeKey(place), value);
    };
    return { states, applied };
  }

  /** Forgets offsets, and with them whatever else is to go in the same step. */
  async delete(
    namespace: string,
    groupId: string,
    places: readonly OffsetPlace[],
    also: readonly StateChange[] = [],
  ): Promise<void> {
    const changes = places.map(({ partition, topic }) => ({
      table: OFFSETS,
      key: JSON.stringify([namespace, groupId, topic, partition]),
      value: undefined,
    }));
    if (changes.length + also.length === 0) return;
    await this.log.change([...changes, ...also]);
    const entries = this.groups.get(groupKey(namespace, groupId));
    for (const place of places) entries?.delete(placeKey(place));
    if (entries?.size === 0) this.groups.delete(groupKey(namespace, groupId));
  }

  private of(key: string): Map<string, StoredOffset> {
    let offsets = this.groups.get(key);
    if (!offsets) {
      offsets = new Map();
      this.groups.set(key, offsets);
    }
    return offsets;
  }
}

export function groupKey(namespace: string, id: string): string {
  return JSON.stringify([namespace, id]);
}

function placeKey({ partition, topic }: OffsetPlace): string {
  return JSON.stringify([topic, partition]);
}
