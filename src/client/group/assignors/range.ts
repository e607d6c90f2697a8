/**
 * Range assignment, as Kafka's clients compute it: for each topic its subscribers, sorted by member id, take consecutive
 * partitions; the first ones take one more when it does not divide evenly.
 */
export function assignRange(
  members: readonly { readonly memberId: string; readonly topics: readonly string[] }[],
  partitions: ReadonlyMap<string, number>,
): Map<string, Map<string, number[]>> {
  const owned = new Map(members.map(({ memberId }) => [memberId, new Map<string, number[]>()]));
  for (const [topic, count] of partitions) {
    const subscribers = members
      .filter(({ topics }) => topics.includes(topic))
      .map(({ memberId }) => memberId)
      .sort();
    const each = Math.floor(count / subscribers.length);
    const extra = count % subscribers.length;
    let next = 0;
    subscribers.forEach((memberId, i) => {
      const take = each + (i < extra ? 1 : 0);
      const list = Array.from({ length: take }, (_, k) => next + k);
      next += take;
      if (list.length > 0) owned.get(memberId)!.set(topic, list);
    });
  }
  return owned;
}
