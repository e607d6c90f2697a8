/** What an assignor of the server is: who gets which partitions, from subscriptions alone. */
import type { PartitionSet } from '../partition-set.ts';

export interface Subscriber {
  readonly id: string;
  readonly instanceId: string | null;
  /** Ids of topics that exist. */
  readonly topics: ReadonlySet<string>;
  /** What it was to have until now. */
  readonly target: PartitionSet;
}

export interface Assignor {
  readonly name: string;
  /** Every partition of every topic that somebody subscribes to has exactly one owner among its subscribers. */
  assign(
    subscribers: readonly Subscriber[],
    partitionsOf: (topicId: string) => number,
  ): ReadonlyMap<string, PartitionSet>;
}

/** Subscribers of each topic. */
export function subscribersByTopic(subscribers: readonly Subscriber[]): Map<string, Subscriber[]> {
  const topics = new Map<string, Subscriber[]>();
  for (const subscriber of subscribers) {
    for (const topic of subscriber.topics) {
      const known = topics.get(topic);
      if (known) known.push(subscriber);
      else topics.set(topic, [subscriber]);
    }
  }
  return topics;
}
