/**
 * Groups under any order of requests, answers that nobody waits for, time and restarts: invariants hold after every step,
 * and in the end everybody who waited has been answered.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SeededRandom } from '../base/index.ts';
import { fuzzAsync } from '../testing/index.ts';
import { ManualClock } from '../testing/sim/manual-io.ts';
import { Group, type GroupHost } from './group.ts';
import { type JoinResult, lists, type SyncResult } from './member.ts';

const PROTOCOLS = ['range', 'sticky', 'other'];
const STEPS = 120;

interface Actor {
  readonly instanceId: string | null;
  readonly needsMemberId: boolean;
  memberId: string;
  generation: number;
  leader: string;
  waiting: number;
}

function check(group: Group): void {
  const members = [...group.members.values()];
  assert.equal(group.leader !== '', members.length > 0, 'I1: a leader exactly when there are members');
  assert.ok(members.length === 0 || group.members.has(group.leader), 'I1: the leader is a member');
  assert.equal(
    group.state === 'empty' || group.state === 'dead',
    members.length === 0,
    `${group.state} with ${members.length}`,
  );
  const isCommon = (protocol: string): boolean => members.every(member => lists(member, protocol));
  assert.ok(members.length === 0 || PROTOCOLS.some(isCommon), 'I4: a protocol that all list');
  for (const member of members) {
    assert.ok(!(member.joining && member.syncing), 'a member waits for one thing');
    assert.ok(
      !member.joining || group.state === 'gathering' || group.state === 'preparing',
      `joining while ${group.state}`,
    );
    assert.ok(!member.syncing || group.state === 'completing', `syncing while ${group.state}`);
  }
  const instances = members.flatMap(({ instanceId }) => instanceId ?? []);
  assert.equal(new Set(instances).size, instances.length, 'one member an instance');
}

async function run(random: SeededRandom): Promise<void> {
  const clock = new ManualClock();
  const host: GroupHost = {
    clock,
    random,
    settings: {
      sessionTimeoutMinMs: 0,
      sessionTimeoutMaxMs: 100_000,
      initialRebalanceDelayMs: random.below(2) * 1_000,
      membersMax: 6,
      groupBytesMax: 10_000,
    },
    changed: () => undefined,
  };
  const group = new Group('', 'g', host);
  const actors = Array.from({ length: 5 }, (_, i): Actor => {
    const instanceId = i < 2 ? `i${i}` : null;
    return { instanceId, needsMemberId: random.float() < 0.7, memberId: '', generation: -1, leader: '', waiting: 0 };
  });
  let unanswered = 0;
  const answers: Promise<void>[] = [];
  const joined = (actor: Actor, result: JoinResult): void => {
    unanswered--;
    actor.waiting--;
    if (result.error === 'NONE' || result.error === 'MEMBER_ID_REQUIRED') actor.memberId = result.memberId;
    if (result.error === 'UNKNOWN_MEMBER_ID' || result.error === 'FENCED_INSTANCE_ID') actor.memberId = '';
    if (result.error !== 'NONE') return;
    actor.generation = result.generation;
    actor.leader = result.leader;
    assert.equal(result.members.length > 0, result.leader === result.memberId, 'only the leader gets the members');
  };
  const synced = (actor: Actor, { assignment, error }: SyncResult): void => {
    unanswered--;
    actor.waiting--;
    if (error !== 'NONE') return;
    const text = Buffer.from(assignment).toString();
    // A static member has the share of its instance, whatever its id was then.
    const isOwn = text === '' || text.startsWith(`${actor.generation} `);
    assert.ok(isOwn, `I2: ${text} in generation ${actor.generation}`);
  };
  for (let step = 0; step < STEPS; step++) {
    const actor = actors[random.below(actors.length)]!;
    const { generation, instanceId, memberId } = actor;
    const what = random.below(8);
    if (what <= 2) {
      unanswered++;
      actor.waiting++;
      const first = random.below(PROTOCOLS.length);
      const names = random.float() < 0.9 ? PROTOCOLS : [PROTOCOLS[first]!];
      const result = group.join({
        memberId: random.float() < 0.1 ? '' : memberId,
        instanceId,
        clientId: 'c',
        clientHost: '/',
        sessionTimeoutMs: 5_000 + random.below(10_000),
        rebalanceTimeoutMs: 5_000 + random.below(20_000),
        protocolType: 'consumer',
        protocols: names.map(name => ({ name, metadata: Buffer.from(String(random.below(2))) })),
        needsMemberId: actor.needsMemberId,
        canSkipAssignment: random.float() < 0.5,
      });
      answers.push(Promise.resolve(result).then(answer => joined(actor, answer)));
    } else if (what <= 4) {
      unanswered++;
      actor.waiting++;
      const ids = [...group.members.keys()];
      const assignments = ids.map(id => ({ memberId: id, assignment: Buffer.from(`${generation} ${id}`) }));
      const isLeading = actor.leader === memberId;
      const request = { memberId, instanceId, generation, protocolType: null, protocol: null };
      const result = group.sync({ ...request, assignments: isLeading ? assignments : [] });
      answers.push(Promise.resolve(result).then(answer => synced(actor, answer)));
    } else if (what === 5) group.heartbeat(memberId, instanceId, generation);
    else if (what === 6) group.commitError(memberId, instanceId, generation);
    else if (random.float() < 0.3) group.leave(memberId, instanceId);
    await clock.pass(random.float() < 0.5 ? 0 : random.below(4_000));
    check(group);
  }
  await clock.pass(300_000);
  check(group);
  assert.equal(unanswered, 0, 'I3: who waited was answered');
  await Promise.all(answers);
  assert.equal(group.state, 'empty', 'without heartbeats nobody stays');
  assert.ok(group.isDeserted);
  group.delete();
  assert.equal(group.heartbeat('x', null, 0), 'COORDINATOR_NOT_AVAILABLE');
  assert.equal(group.commitError('', null, -1), 'COORDINATOR_NOT_AVAILABLE');
}

test('groups keep their invariants under any order of requests and time', () => fuzzAsync(1, run));
