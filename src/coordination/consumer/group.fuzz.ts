/**
 * Consumer groups under any order of heartbeats, lost answers, members that vanish, topics that change and restarts: nobody
 * reads what another one may still read, and when all is quiet every partition has its reader.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SeededRandom } from '../../base/index.ts';
import type { Topic } from '../../log/index.ts';
import { fuzzAsync } from '../../testing/index.ts';
import { ManualClock } from '../../testing/sim/manual-io.ts';
import { ConsumerGroup, type ConsumerGroupHost, type StoredConsumerGroup } from './group.ts';
import type { ConsumerHeartbeat } from './heartbeat.ts';
import type { StoredMember } from './member.ts';
import { eachPartition, NO_PARTITIONS, type PartitionSet } from './partition-set.ts';

const SESSION_MS = 45_000;
const REBALANCE_MS = 60_000;
const STEPS = 150;

interface Actor {
  readonly id: string;
  readonly instanceId: string | null;
  readonly topics: readonly string[] | null;
  readonly regex: string | null;
  epoch: number;
  told: PartitionSet;
  owned: PartitionSet;
  /** The last answer was lost: the next heartbeat says everything, and is told everything. */
  isUnsure: boolean;
  /** Since when it has not done what it was told. */
  lateSinceMs: number | undefined;
  /** When it was last answered; a client gives up what it has when its session is over. */
  heardMs: number;
}

/** What the log would say of topics. */
class Topics {
  topicsVersion = 1;
  readonly all = new Map<string, { id: string; name: string; partitions: number[] }>();

  make(name: string, partitions: number): void {
    this.topicsVersion++;
    this.all.set(name, { id: `${name}-${this.topicsVersion}`, name, partitions: Array(partitions).fill(0) });
  }

  delete(name: string): void {
    this.topicsVersion++;
    this.all.delete(name);
  }

  grow(name: string): void {
    this.topicsVersion++;
    this.all.get(name)?.partitions.push(0);
  }

  topic(_namespace: string, name: string): Topic | undefined {
    return this.all.get(name) as unknown as Topic | undefined;
  }

  topicById(id: string): Topic | undefined {
    return [...this.all.values()].find(topic => topic.id === id) as unknown as Topic | undefined;
  }

  topics(): IterableIterator<Topic> {
    return [...this.all.values()].map(topic => ({ ...topic, namespace: '', isInternal: false })).values() as never;
  }
}

async function run(random: SeededRandom): Promise<void> {
  const clock = new ManualClock();
  const topics = new Topics();
  for (const name of ['a', 'b', 'c']) topics.make(name, 1 + random.below(5));
  const table = new Map<string, Uint8Array>();
  const host: ConsumerGroupHost = {
    clock,
    random,
    settings: {
      consumerSessionTimeoutMs: SESSION_MS,
      consumerHeartbeatIntervalMs: 5_000,
      membersMax: 10,
      groupBytesMax: 10_000,
    },
    log: topics,
    formats: undefined,
    changed: () => save(),
    onlyClassicLeft: () => assert.fail('there are none'),
  };
  let group = new ConsumerGroup('', 'g', host);
  function save(): void {
    for (const { key, value } of group.takeUnsaved().changes) {
      if (value) table.set(key, value);
      else table.delete(key);
    }
  }
  const restart = (): void => {
    group.stop();
    group = new ConsumerGroup('', 'g', host);
    const rows = [...table].map(([key, value]) => [JSON.parse(key) as string[], JSON.parse(String(value))] as const);
    const header = rows.find(([key]) => key.length === 2)?.[1] as StoredConsumerGroup | undefined;
    const members = rows.flatMap(([key, value]) =>
      key.length === 3 ? [[key[2]!, value as StoredMember] as const] : [],
    );
    if (header) group.load(header, members);
  };
  const actors = Array.from({ length: 5 }, (_, i): Actor => {
    const isPattern = random.float() < 0.4;
    return {
      id: `m${i}`,
      instanceId: i < 2 ? `i${i}` : null,
      topics: isPattern ? null : ['a', 'b', 'c'].filter(() => random.float() < 0.7),
      regex: isPattern ? '[ab]' : null,
      epoch: 0,
      told: NO_PARTITIONS,
      owned: NO_PARTITIONS,
      isUnsure: false,
      lateSinceMs: undefined,
      heardMs: 0,
    };
  });
  const lose = (actor: Actor): void => {
    actor.epoch = 0;
    actor.told = NO_PARTITIONS;
    actor.owned = NO_PARTITIONS;
    actor.lateSinceMs = undefined;
  };
  const say = (actor: Actor, isLost: boolean, epoch = actor.epoch): void => {
    const isJoining = epoch === 0;
    const isWhole = isJoining || actor.isUnsure;
    actor.isUnsure = isLost;
    const request: ConsumerHeartbeat = {
      memberId: actor.id,
      epoch,
      instanceId: actor.instanceId,
      rackId: null,
      clientId: 'c',
      clientHost: '/',
      rebalanceTimeoutMs: isWhole ? REBALANCE_MS : -1,
      topics: isWhole ? actor.topics : null,
      regex: isWhole ? actor.regex : null,
      assignor: null,
      owned: isJoining ? NO_PARTITIONS : actor.owned,
      mayDescribe: () => true,
    };
    const answer = group.heartbeat(request);
    save();
    if (isLost) return;
    if (answer.error !== 'NONE') {
      assert.ok(['FENCED_MEMBER_EPOCH', 'UNKNOWN_MEMBER_ID'].includes(answer.error), answer.error);
      lose(actor);
      return;
    }
    actor.heardMs = clock.time;
    actor.epoch = answer.epoch;
    if (!answer.assignment) return;
    actor.told = answer.assignment;
    actor.lateSinceMs ??= clock.time;
  };
  const obey = (actor: Actor): void => {
    actor.owned = actor.told;
    actor.lateSinceMs = undefined;
  };
  const check = (): void => {
    const readers = new Map<string, string>();
    for (const actor of actors) {
      for (const [topicId, partition] of eachPartition(actor.owned)) {
        const place = `${topicId}/${partition}`;
        assert.equal(readers.get(place), undefined, `G1: ${place} is read by ${readers.get(place)} and ${actor.id}`);
        readers.set(place, actor.id);
      }
    }
    for (const member of group.members.values()) assert.ok(member.holding.epoch <= group.targetEpoch, 'G2');
  };
  for (let step = 0; step < STEPS; step++) {
    const actor = actors[random.below(actors.length)]!;
    const what = random.below(20);
    if (what < 12) {
      const isLost = random.float() < 0.1;
      // The protocol's own gap, Kafka's too: who says that it owns less than it was told, loses the answer, and takes what
      // it was told before, may read what was given away. Clients take it before they speak again.
      if (isLost) obey(actor);
      say(actor, isLost);
    } else if (what < 15) obey(actor);
    else if (what === 15 && actor.epoch > 0) {
      say(actor, true, actor.instanceId !== null && random.float() < 0.5 ? -2 : -1);
      lose(actor);
    } else if (what === 16) restart();
    else if (what === 17) topics.grow('a');
    else if (what === 18) topics.delete('b');
    else if (!topics.all.has('b')) topics.make('b', 1 + random.below(5));
    await clock.pass(random.float() < 0.7 ? 0 : random.below(6_000));
    // A client that is not answered for a session gives up what it has, and none takes longer than it said it would.
    for (const each of actors) {
      if (each.epoch > 0 && clock.time - each.heardMs >= SESSION_MS - 6_000) lose(each);
      if (clock.time - (each.lateSinceMs ?? clock.time) >= REBALANCE_MS - 25_000) obey(each);
    }
    check();
  }
  for (let round = 0; round < 30; round++) {
    for (const actor of actors) {
      say(actor, false);
      obey(actor);
      check();
    }
    await clock.pass(5_000);
  }
  assert.equal(group.state, 'Stable');
  const read = new Set(
    actors.flatMap(({ owned }) => [...eachPartition(owned)].map(([topic, partition]) => `${topic}/${partition}`)),
  );
  for (const { id, name, partitions } of topics.all.values()) {
    const isWanted = actors.some(actor => actor.topics?.includes(name) || (actor.regex !== null && name !== 'c'));
    for (let i = 0; i < partitions.length; i++) assert.equal(read.has(`${id}/${i}`), isWanted, `${name}/${i}`);
  }
  await clock.pass(10 * SESSION_MS);
  assert.equal(group.state, 'Empty', 'without heartbeats nobody stays');
}

test('consumer groups keep their invariants under any order of heartbeats, changes and restarts', () =>
  fuzzAsync(1, run));
