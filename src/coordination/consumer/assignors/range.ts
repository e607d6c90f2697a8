/**
 * Range: of each topic every subscriber gets one run of neighbouring partitions, the first ones a partition more where they
 * do not divide evenly. Who subscribes to the same topics gets the same numbers of each, so that topics with the same keys
 * and as many partitions can be joined. Subscribers are in the order of their instance ids, those without one behind, by
 * member id: a static member that comes back has its old place.
 */
import { type Assignor, type Subscriber, subscribersByTopic } from './assignor.ts';

export const range: Assignor = {
  name: 'range',
  assign(subscribers, partitionsOf) {
    const shares = new Map(subscribers.map(({ id }) => [id, new Map<string, Set<number>>()]));
    for (const [topic, members] of subscribersByTopic([...subscribers].sort(byPlace))) {
      const count = partitionsOf(topic);
      const each = Math.floor(count / members.length);
      const longer = count % members.length;
      let next = 0;
      members.forEach(({ id }, place) => {
        const length = each + (place < longer ? 1 : 0);
        if (length > 0) shares.get(id)!.set(topic, new Set(Array.from({ length }, (_, i) => next + i)));
        next += length;
      });
    }
    return shares;
  },
};

function byPlace(a: Subscriber, b: Subscriber): number {
  if ((a.instanceId === null) !== (b.instanceId === null)) return a.instanceId === null ? 1 : -1;
  const [left, right] = [a.instanceId ?? a.id, b.instanceId ?? b.id];
  return left < right ? -1 : Number(left > right);
}
