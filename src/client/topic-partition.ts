/** Partitions by topic: requests of the protocol list them so. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** Grouped by topic, topics in the order in which they first appear. */
export function byTopic<T extends TopicPartition>(entries: readonly T[]): [topic: string, entries: T[]][] {
  const topics = new Map<string, T[]>();
  for (const entry of entries) {
    const list = topics.get(entry.topic);
    if (list) list.push(entry);
    else topics.set(entry.topic, [entry]);
  }
  return [...topics];
}
