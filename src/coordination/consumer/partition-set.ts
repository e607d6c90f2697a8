/** Sets of partitions by topic id: what a member holds, gives up, or is to have. Values are never changed once made. */

export type PartitionSet = ReadonlyMap<string, ReadonlySet<number>>;

export const NO_PARTITIONS: PartitionSet = new Map();

/** As it is stored: topic id, partitions in order. */
export type StoredPartitions = readonly (readonly [topicId: string, partitions: readonly number[]])[];

export function partitionSet(entries: Iterable<readonly [topicId: string, partition: number]>): PartitionSet {
  const set = new Map<string, Set<number>>();
  for (const [topicId, partition] of entries) {
    const known = set.get(topicId);
    if (known) known.add(partition);
    else set.set(topicId, new Set([partition]));
  }
  return set;
}

export function* eachPartition(set: PartitionSet): Generator<readonly [topicId: string, partition: number]> {
  for (const [topicId, partitions] of set) for (const partition of partitions) yield [topicId, partition];
}

export function holds(set: PartitionSet, topicId: string, partition: number): boolean {
  return set.get(topicId)?.has(partition) ?? false;
}

export function countOf(set: PartitionSet): number {
  let count = 0;
  for (const partitions of set.values()) count += partitions.size;
  return count;
}

/** Those of `set` for which `keeps` is true. */
export function filtered(set: PartitionSet, keeps: (topicId: string, partition: number) => boolean): PartitionSet {
  const kept = new Map<string, Set<number>>();
  for (const [topicId, partitions] of set) {
    const some = [...partitions].filter(partition => keeps(topicId, partition));
    if (some.length > 0) kept.set(topicId, new Set(some));
  }
  return kept;
}

export function common(a: PartitionSet, b: PartitionSet): PartitionSet {
  return filtered(a, (topicId, partition) => holds(b, topicId, partition));
}

export function minus(a: PartitionSet, b: PartitionSet): PartitionSet {
  return filtered(a, (topicId, partition) => !holds(b, topicId, partition));
}

export function union(a: PartitionSet, b: PartitionSet): PartitionSet {
  if (b.size === 0) return a;
  return partitionSet([...eachPartition(a), ...eachPartition(b)]);
}

/** Whether all of `part` are in `whole`. */
export function includes(whole: PartitionSet, part: PartitionSet): boolean {
  for (const [topicId, partition] of eachPartition(part)) if (!holds(whole, topicId, partition)) return false;
  return true;
}

export function overlaps(a: PartitionSet, b: PartitionSet): boolean {
  for (const [topicId, partition] of eachPartition(a)) if (holds(b, topicId, partition)) return true;
  return false;
}

export function sameSet(a: PartitionSet, b: PartitionSet): boolean {
  return countOf(a) === countOf(b) && includes(a, b);
}

export function toStored(set: PartitionSet): StoredPartitions {
  return [...set].map(([topicId, partitions]) => [topicId, [...partitions].sort((a, b) => a - b)] as const);
}

export function fromStored(stored: StoredPartitions): PartitionSet {
  return new Map(stored.map(([topicId, partitions]) => [topicId, new Set(partitions)]));
}
