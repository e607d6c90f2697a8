/** What every assignor must do, under any subscriptions; and how even and how steady the uniform one is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SeededRandom } from '../../../base/index.ts';
import { fuzz } from '../../../testing/index.ts';
import { countOf, eachPartition, NO_PARTITIONS, type PartitionSet, sameSet } from '../partition-set.ts';
import type { Assignor, Subscriber } from './assignor.ts';
import { ASSIGNORS } from './index.ts';
import { range } from './range.ts';
import { uniform } from './uniform.ts';

type Counts = ReadonlyMap<string, number>;

function topicsOf(random: SeededRandom, most: number): Map<string, number> {
  const count = 1 + random.below(4);
  return new Map(Array.from({ length: count }, (_, i) => [`t${i}`, random.below(most + 1)]));
}

function subscribers(random: SeededRandom, topics: Counts, isSame: boolean, most = 6): Subscriber[] {
  return Array.from({ length: 1 + random.below(most) }, (_, i) => ({
    id: `m${i}`,
    instanceId: random.float() < 0.3 ? `i${9 - i}` : null,
    topics: new Set([...topics.keys()].filter(() => isSame || random.float() < 0.6)),
    target: NO_PARTITIONS,
  }));
}

function assigned(assignor: Assignor, members: readonly Subscriber[], topics: Counts): Map<string, PartitionSet> {
  const result = new Map(assignor.assign(members, topic => topics.get(topic)!));
  const owners = new Map<string, string>();
  for (const { id, topics: wanted } of members) {
    for (const [topic, partition] of eachPartition(result.get(id)!)) {
      assert.ok(wanted.has(topic) && partition < topics.get(topic)!, `${id} did not ask for ${topic}/${partition}`);
      assert.equal(owners.get(`${topic}/${partition}`), undefined, 'one owner');
      owners.set(`${topic}/${partition}`, id);
    }
  }
  for (const [topic, count] of topics) {
    if (members.some(member => member.topics.has(topic)))
      for (let partition = 0; partition < count; partition++)
        assert.ok(owners.has(`${topic}/${partition}`), `${topic}/${partition} has an owner`);
  }
  return result;
}

/** The least sum of squared counts that any assignment has: the most even one. */
function evenest(members: readonly Subscriber[], topics: Counts): number {
  const places = [...topics].flatMap(([topic, count]) => Array<string>(count).fill(topic));
  let layers = new Map<string, number[]>([['', members.map(() => 0)]]);
  for (const topic of places) {
    const next = new Map<string, number[]>();
    for (const counts of layers.values()) {
      const able = members.flatMap((member, i) => (member.topics.has(topic) ? [i] : []));
      if (able.length === 0) next.set(counts.join(), counts);
      for (const i of able) {
        const more = counts.with(i, counts[i]! + 1);
        next.set(more.join(), more);
      }
    }
    layers = next;
  }
  return Math.min(...[...layers.values()].map(counts => counts.reduce((sum, count) => sum + count * count, 0)));
}

for (const assignor of ASSIGNORS) {
  test(`${assignor.name} gives every partition to one of its subscribers`, () =>
    fuzz(1, random => {
      const topics = topicsOf(random, 12);
      let members = subscribers(random, topics, random.float() < 0.5);
      for (let round = 0; round < 3; round++) {
        const shares = assigned(assignor, members, topics);
        members = members.map(member => ({ ...member, target: shares.get(member.id)! }));
        if (members.length > 1 && random.float() < 0.5) members = members.slice(1);
      }
    }));
}

test('uniform is as even as subscriptions allow', () =>
  fuzz(1, random => {
    const topics = topicsOf(random, 4);
    const members = subscribers(random, topics, false, 4);
    const first = assigned(uniform, members, topics);
    const moved = subscribers(random, topics, false, 4).map(member => ({
      ...member,
      target: first.get(member.id) ?? NO_PARTITIONS,
    }));
    for (const group of [members, moved]) {
      const counts = [...assigned(uniform, group, topics).values()].map(countOf);
      const squares = counts.reduce((sum, count) => sum + count * count, 0);
      assert.equal(squares, evenest(group, topics));
    }
  }));

test('uniform moves no more than a member that comes or goes makes it', () =>
  fuzz(1, random => {
    const topics = topicsOf(random, 30);
    const members = subscribers(random, topics, true).map(member => ({ ...member }));
    const total = [...topics.values()].reduce((sum, count) => sum + count, 0);
    const first = assigned(uniform, members, topics);
    const settled = members.map(member => ({ ...member, target: first.get(member.id)! }));
    const again = assigned(uniform, settled, topics);
    for (const { id, target } of settled) assert.ok(sameSet(again.get(id)!, target), 'nothing moves for nothing');
    const newcomer: Subscriber = { ...settled[0]!, id: 'new', instanceId: null, target: NO_PARTITIONS };
    const grown = assigned(uniform, [...settled, newcomer], topics);
    let kept = 0;
    for (const { id, target } of settled)
      for (const [topic, partition] of eachPartition(target)) if (grown.get(id)!.get(topic)?.has(partition)) kept++;
    assert.equal(kept, total - countOf(grown.get('new')!), 'only what the newcomer gets has moved');
    const [gone, ...left] = settled;
    if (left.length === 0) return;
    const shrunk = assigned(uniform, left, topics);
    for (const { id, target } of left)
      for (const [topic, partition] of eachPartition(target))
        assert.ok(shrunk.get(id)!.get(topic)?.has(partition), `${gone!.id} went, and ${id} lost ${topic}/${partition}`);
  }));

test('range gives neighbours, the same numbers of topics with as many partitions, and places by instance', () => {
  const topics = new Set(['a', 'b']);
  const member = (id: string, instanceId: string | null): Subscriber => ({
    id,
    instanceId,
    topics,
    target: NO_PARTITIONS,
  });
  const shares = range.assign([member('x', null), member('y', 'i2'), member('z', 'i1')], () => 7);
  const of = (id: string) => [...shares.get(id)!].map(([topic, numbers]) => [topic, [...numbers]]);
  assert.deepEqual(of('z'), [
    ['a', [0, 1, 2]],
    ['b', [0, 1, 2]],
  ]);
  assert.deepEqual(of('y'), [
    ['a', [3, 4]],
    ['b', [3, 4]],
  ]);
  assert.deepEqual(of('x'), [
    ['a', [5, 6]],
    ['b', [5, 6]],
  ]);
});

test('a thousand members and a hundred thousand partitions are shared out, and one more member', () => {
  const topics: Counts = new Map(Array.from({ length: 100 }, (_, i) => [`t${i}`, 1_000]));
  const all = new Set(topics.keys());
  const members = Array.from(
    { length: 1_000 },
    (_, i): Subscriber => ({
      id: `m${i}`,
      instanceId: null,
      topics: all,
      target: NO_PARTITIONS,
    }),
  );
  const shares = assigned(uniform, members, topics);
  assert.ok([...shares.values()].every(share => countOf(share) === 100));
  const settled = members.map(each => ({ ...each, target: shares.get(each.id)! }));
  const more = assigned(uniform, [...settled, { ...settled[0]!, id: 'new', target: NO_PARTITIONS }], topics);
  assert.equal(countOf(more.get('new')!), 99);
});
