/**
 * Uniform: every subscriber gets as many partitions as the others, and keeps what it had as far as that allows.
 *
 *   1 keep     what a subscriber was to have stays with it, if it still subscribes to the topic and the partition is there;
 *              where all subscribe to the same, no more than its share
 *   2 give     what nobody has goes to the subscriber of its topic that has least, topics with few subscribers first
 *   3 level    while some chain of subscribers leads from one that has more to one that has at least two less, along topics
 *              that both of each pair subscribe to, one partition moves along each link
 *
 * After 3 no other assignment is more even: a chain exists wherever a better one does.
 */
import type { PartitionSet } from '../partition-set.ts';
import { type Assignor, type Subscriber, subscribersByTopic } from './assignor.ts';

interface Share {
  readonly subscriber: Subscriber;
  readonly topics: Map<string, Set<number>>;
  count: number;
}

export const uniform: Assignor = {
  name: 'uniform',
  assign(subscribers, partitionsOf) {
    const byTopic = subscribersByTopic(subscribers);
    const shares = new Map<string, Share>(
      subscribers.map(subscriber => [subscriber.id, { subscriber, topics: new Map(), count: 0 }]),
    );
    const isSame = [...byTopic.values()].every(({ length }) => length === subscribers.length);
    let total = 0;
    for (const topic of byTopic.keys()) total += partitionsOf(topic);
    const given = keep([...shares.values()], partitionsOf, isSame ? total : undefined);
    const topics = [...byTopic].sort(([, a], [, b]) => a.length - b.length);
    for (const [topic, members] of topics) {
      const free: number[] = [];
      const taken = given.get(topic);
      for (let partition = 0; partition < partitionsOf(topic); partition++)
        if (!taken?.has(partition)) free.push(partition);
      give(
        topic,
        free,
        members.map(({ id }) => shares.get(id)!),
      );
    }
    if (!isSame) level(shares, byTopic);
    return new Map<string, PartitionSet>([...shares].map(([id, share]) => [id, share.topics]));
  },
};

/** Returns what is taken. */
function keep(
  shares: readonly Share[],
  partitionsOf: (topicId: string) => number,
  total: number | undefined,
): Map<string, Set<number>> {
  const taken = new Map<string, Set<number>>();
  const each = total === undefined ? Number.POSITIVE_INFINITY : Math.floor(total / shares.length);
  let longer = total === undefined ? 0 : total % shares.length;
  for (const share of shares) {
    const { target, topics: wanted } = share.subscriber;
    for (const [topic, partitions] of target) {
      if (!wanted.has(topic)) continue;
      for (const partition of partitions) {
        const others = taken.get(topic) ?? new Set<number>();
        if (partition >= partitionsOf(topic) || others.has(partition)) continue;
        if (share.count >= each + (longer > 0 ? 1 : 0)) break;
        others.add(partition);
        taken.set(topic, others);
        add(share, topic, partition);
      }
    }
    if (share.count > each) longer--;
  }
  return taken;
}

/** Each to the one that has least; of equals to the first. */
function give(topic: string, free: readonly number[], members: Share[]): void {
  if (free.length === 0) return;
  const heap = members.sort((a, b) => a.count - b.count);
  for (const partition of free) {
    add(heap[0]!, topic, partition);
    // The first has grown: it sinks to its place.
    for (let place = 0; ; ) {
      let least = 2 * place + 1;
      if (least >= heap.length) break;
      if (least + 1 < heap.length && heap[least + 1]!.count < heap[least]!.count) least++;
      if (heap[least]!.count >= heap[place]!.count) break;
      [heap[place], heap[least]] = [heap[least]!, heap[place]!];
      place = least;
    }
  }
}

function level(shares: ReadonlyMap<string, Share>, byTopic: ReadonlyMap<string, readonly Subscriber[]>): void {
  /** From whom no chain leads on, as things are. */
  const done = new Set<Share>();
  for (;;) {
    let from: Share | undefined;
    for (const share of shares.values()) if (!done.has(share) && share.count > (from?.count ?? 1)) from = share;
    if (!from) return;
    if (moveAlong(from, shares, byTopic)) done.clear();
    else done.add(from);
  }
}

/** Finds the shortest chain to somebody with at least two less, and moves a partition along each of its links. */
function moveAlong(
  from: Share,
  shares: ReadonlyMap<string, Share>,
  byTopic: ReadonlyMap<string, readonly Subscriber[]>,
): boolean {
  const cameBy = new Map<Share, { readonly giver: Share; readonly topic: string } | undefined>([[from, undefined]]);
  const seenTopics = new Set<string>();
  // Who is appended while this runs is visited, too.
  for (const giver of cameBy.keys()) {
    if (giver.count <= from.count - 2) {
      for (let to = giver, link = cameBy.get(to); link; to = link.giver, link = cameBy.get(to)) {
        const partition = link.giver.topics.get(link.topic)!.values().next().value!;
        remove(link.giver, link.topic, partition);
        add(to, link.topic, partition);
      }
      return true;
    }
    for (const topic of giver.topics.keys()) {
      if (seenTopics.has(topic)) continue;
      seenTopics.add(topic);
      for (const { id } of byTopic.get(topic)!) {
        const other = shares.get(id)!;
        if (!cameBy.has(other)) cameBy.set(other, { giver, topic });
      }
    }
  }
  return false;
}

function add(share: Share, topic: string, partition: number): void {
  const partitions = share.topics.get(topic);
  if (partitions) partitions.add(partition);
  else share.topics.set(topic, new Set([partition]));
  share.count++;
}

function remove(share: Share, topic: string, partition: number): void {
  const partitions = share.topics.get(topic)!;
  partitions.delete(partition);
  if (partitions.size === 0) share.topics.delete(topic);
  share.count--;
}
