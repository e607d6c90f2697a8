/** A member of a group and a coordinator that does what a test says: rebalances, fences, hangs, moves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError } from '../../base/index.ts';
import { CLOSE, HANG, ScriptedCluster } from '../../testing/index.ts';
import {
  apis,
  decodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
  type ErrorName,
  errorCode,
  Reader,
  Writer,
} from '../../wire/index.ts';
import { type GroupListener, GroupMember, type GroupMemberSettings } from './member.ts';
import type { GroupOffset } from './offsets.ts';

const SETTINGS: GroupMemberSettings = {
  groupId: 'g',
  topics: ['t'],
  sessionTimeoutMs: 6_000,
  heartbeatMs: 1_000,
  rebalanceTimeoutMs: 60_000,
  instanceId: null,
};

/** Coordinator of one group, in which the member under test is the leader beside members that exist in name only. */
class Coordinator {
  readonly scripted: ScriptedCluster;
  readonly committed = new Map<number, number>();
  generation = 0;
  /** Others in the group; they do nothing but take their share. */
  others: string[] = [];
  /** What the next heartbeats are answered with; 0 when there is none. */
  readonly heartbeats: (ErrorName | typeof HANG | typeof CLOSE)[] = [];
  readonly joins: ErrorName[] = [];
  readonly commits: ErrorName[] = [];
  assignment: { topic: string; partitions: number[] }[] = [];
  private ids = 0;

  constructor(scripted: ScriptedCluster) {
    this.scripted = scripted;
    const [broker] = scripted.brokers;
    broker!.on(apis.joinGroup, ({ memberId }) => {
      const error = this.joins.shift();
      const id = memberId === '' ? `m-${++this.ids}` : memberId;
      const answer = { throttleTimeMs: 0, protocolType: 'consumer', protocolName: 'range', leader: id, memberId: id };
      if (error) return { ...answer, errorCode: errorCode(error), generationId: -1, members: [] };
      if (memberId === '') return { ...answer, errorCode: errorCode('MEMBER_ID_REQUIRED'), members: [] };
      const members = [id, ...this.others].map(name => ({ memberId: name, metadata: subscription(['t']) }));
      return { ...answer, errorCode: 0, generationId: ++this.generation, members };
    });
    broker!.on(apis.syncGroup, ({ assignments, memberId }) => {
      const own = assignments.find(entry => entry.memberId === memberId)!;
      const reader = new Reader(own.assignment);
      this.assignment = decodeConsumerProtocolAssignment(reader, reader.int16()).assignedPartitions as never;
      return { throttleTimeMs: 0, errorCode: 0, assignment: own.assignment };
    });
    broker!.on(apis.heartbeat, ({ generationId }) => {
      const answer = this.heartbeats.shift();
      if (answer === HANG || answer === CLOSE) return answer;
      const stale = generationId === this.generation ? 0 : errorCode('ILLEGAL_GENERATION');
      return { throttleTimeMs: 0, errorCode: answer ? errorCode(answer) : stale };
    });
    broker!.on(apis.offsetFetch, ({ topics }) => ({
      throttleTimeMs: 0,
      errorCode: 0,
      topics: topics!.map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map(partitionIndex => ({
          partitionIndex,
          committedOffset: this.committed.get(partitionIndex) ?? -1,
          metadata: null,
          errorCode: 0,
        })),
      })),
    }));
    broker!.on(apis.offsetCommit, ({ generationIdOrMemberEpoch, topics }) => {
      const error = this.commits.shift();
      const stale = generationIdOrMemberEpoch === this.generation ? 0 : errorCode('ILLEGAL_GENERATION');
      const code = error ? errorCode(error) : stale;
      return {
        throttleTimeMs: 0,
        topics: topics.map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(({ committedOffset, partitionIndex }) => {
            if (code === 0) this.committed.set(partitionIndex, committedOffset);
            return { partitionIndex, errorCode: code };
          }),
        })),
      };
    });
    broker!.on(apis.leaveGroup, () => ({ throttleTimeMs: 0, errorCode: 0, members: [] }));
  }
}

function subscription(topics: string[]): Uint8Array {
  const w = new Writer();
  w.int16(0);
  encodeConsumerProtocolSubscription(w, { topics, userData: null }, 0);
  return Buffer.concat(w.finish());
}

interface Running {
  readonly scripted: ScriptedCluster;
  readonly coordinator: Coordinator;
  readonly member: GroupMember;
  /** `+0@5,1` for an assignment with committed offsets, `-` for one given back, `-lost`, and failures by code. */
  readonly events: string[];
}

function prepare(settings: Partial<GroupMemberSettings> = {}, listener: Partial<GroupListener> = {}): Running {
  const scripted = new ScriptedCluster();
  scripted.topic('t', [1, 1]);
  const coordinator = new Coordinator(scripted);
  const events: string[] = [];
  const member = new GroupMember(
    scripted.client({}, { requestTimeoutMs: 5_000 }),
    { ...SETTINGS, ...settings },
    {
      onAssign: async partitions => {
        events.push(`+${partitions.map(show).join(',')}`);
        await listener.onAssign?.(partitions);
      },
      onRevoke: async isLost => {
        events.push(isLost ? '-lost' : '-');
        await listener.onRevoke?.(isLost);
      },
      onFailure: error => events.push((error as MillraceError).code),
    },
  );
  return { scripted, coordinator, member, events };
}

const show = ({ offset, partition }: GroupOffset): string => `${partition}${offset < 0 ? '' : `@${offset}`}`;

async function started(...parts: Parameters<typeof prepare>): Promise<Running> {
  const running = prepare(...parts);
  await running.scripted.settle(running.member.start());
  return running;
}

const at = (offset: number): GroupOffset[] => [{ topic: 't', partition: 0, offset }];

function code(expected: string, text = /./): (error: unknown) => boolean {
  return error => error instanceof MillraceError && error.code === expected && text.test(error.message);
}

test('a member joins with the id it is given, shares the partitions by range, and begins at what was committed', async () => {
  const running = prepare();
  running.coordinator.others = ['a', 'z'];
  running.coordinator.committed.set(1, 5);
  running.scripted.topic('t', [1, 1, 1, 1]);
  await running.scripted.settle(running.member.start());
  // a has 0 and 1, m-1 has 2, z has 3.
  assert.deepEqual(running.events, ['+2']);
  assert.equal(running.scripted.seen(apis.joinGroup).length, 2);
});

test('heartbeats keep a membership; commits carry its generation', async () => {
  const { coordinator, events, member, scripted } = await started();
  await scripted.pass(30_000);
  assert.ok(scripted.seen(apis.heartbeat).length >= 25);
  assert.equal(await scripted.settle(member.commit(at(7))), true);
  assert.equal(coordinator.committed.get(0), 7);
  assert.deepEqual(events, ['+0,1']);
});

test('a commit during a rebalance is refused or taken, and told so; the next generation begins at what was taken', async () => {
  const { coordinator, events, member, scripted } = await started();
  coordinator.commits.push('REBALANCE_IN_PROGRESS');
  assert.equal(await scripted.settle(member.commit(at(3))), false);
  assert.equal(await scripted.settle(member.commit(at(4))), true);
  coordinator.heartbeats.push('REBALANCE_IN_PROGRESS');
  await scripted.pass(2_000);
  assert.deepEqual(events, ['+0,1', '-', '+0@4,1']);
  assert.equal(coordinator.generation, 2);
});

test('a commit that is tried again ends with the membership, and takes none back that came later', async () => {
  const { coordinator, member, scripted } = await started();
  coordinator.commits.push('COORDINATOR_LOAD_IN_PROGRESS');
  const commits = [member.commit(at(3)), member.commit(at(4))];
  assert.deepEqual(await scripted.settle(Promise.all(commits)), [true, true]);
  assert.equal(coordinator.committed.get(0), 4);
  coordinator.commits.push(...Array.from({ length: 100 }, () => 'COORDINATOR_LOAD_IN_PROGRESS' as const));
  const late = member.commit(at(5));
  coordinator.heartbeats.push('UNKNOWN_MEMBER_ID');
  assert.equal(await scripted.settle(late), false);
  assert.equal(coordinator.committed.get(0), 4);
  await scripted.settle(member.close());
});

test('partitions are given back while a slow sink still has their batch: heartbeats go on, and it commits in time', async () => {
  let finish: (() => void) | undefined;
  const revoking = new Promise<void>(resolve => {
    finish = resolve;
  });
  const { coordinator, events, member, scripted } = await started({}, { onRevoke: () => revoking });
  coordinator.heartbeats.push('REBALANCE_IN_PROGRESS');
  await scripted.pass(30_000);
  // Five session time-outs later it is still a member, and has not joined again.
  assert.deepEqual(events, ['+0,1', '-']);
  assert.ok(scripted.seen(apis.heartbeat).length >= 25);
  assert.equal(coordinator.generation, 1);
  assert.equal(await scripted.settle(member.commit(at(9))), true);
  finish!();
  await scripted.pass(1_000);
  assert.deepEqual(events, ['+0,1', '-', '+0@9,1']);
});

test('nothing is committed for partitions that were given back', async () => {
  const { coordinator, member, scripted } = await started();
  coordinator.joins.push('COORDINATOR_LOAD_IN_PROGRESS', 'COORDINATOR_LOAD_IN_PROGRESS');
  coordinator.heartbeats.push('REBALANCE_IN_PROGRESS');
  await scripted.pass(1_010);
  const before = scripted.seen(apis.offsetCommit).length;
  assert.equal(await scripted.settle(member.commit(at(9))), false);
  await scripted.settle(member.close());
  assert.equal(await scripted.settle(member.commit(at(9))), false);
  assert.equal(scripted.seen(apis.offsetCommit).length, before);
});

for (const [error, firstId] of [
  ['ILLEGAL_GENERATION', 'm-1'],
  ['UNKNOWN_MEMBER_ID', ''],
] as const) {
  test(`a membership that is over (${error}) is lost, and taken anew`, async () => {
    const { coordinator, events, scripted } = await started();
    const joins = scripted.seen(apis.joinGroup).length;
    coordinator.heartbeats.push(error);
    await scripted.pass(2_000);
    assert.deepEqual(events, ['+0,1', '-lost', '+0,1']);
    assert.equal((scripted.seen(apis.joinGroup)[joins]!.message as { memberId: string }).memberId, firstId);
  });
}

test('a rebalance while the offsets are asked for gives nobody the old partitions', async () => {
  const { coordinator, events, member, scripted } = prepare();
  const answer = (): Promise<void> => new Promise(resolve => scripted.world.after(4_000, resolve));
  const [broker] = scripted.brokers;
  let isFirst = true;
  broker!.on(apis.offsetFetch, async ({ topics }) => {
    if (isFirst) await answer();
    isFirst = false;
    const partitions = topics![0]!.partitionIndexes.map(partitionIndex => ({
      partitionIndex,
      committedOffset: coordinator.generation,
      metadata: null,
      errorCode: 0,
    }));
    return { throttleTimeMs: 0, errorCode: 0, topics: [{ name: 't', partitions }] };
  });
  coordinator.heartbeats.push('REBALANCE_IN_PROGRESS');
  await scripted.settle(member.start());
  assert.deepEqual(events, ['+0@2,1@2']);
});

test('a lost connection, a coordinator that moves or is loading cost no membership', async () => {
  const { coordinator, events, scripted } = await started();
  coordinator.heartbeats.push(CLOSE, 'NOT_COORDINATOR', 'COORDINATOR_LOAD_IN_PROGRESS', 'COORDINATOR_NOT_AVAILABLE');
  await scripted.pass(20_000);
  assert.deepEqual(events, ['+0,1']);
  assert.ok(scripted.seen(apis.findCoordinator).length >= 4);
  assert.ok(scripted.seen(apis.heartbeat).length >= 15);
});

test('a coordinator that hangs costs one heartbeat; one that hangs for a session costs the partitions', async () => {
  const { coordinator, events, scripted } = await started();
  coordinator.heartbeats.push(HANG);
  await scripted.pass(20_000);
  assert.deepEqual(events, ['+0,1']);
  coordinator.heartbeats.push(...(Array.from({ length: 4 }, () => HANG) as (typeof HANG)[]));
  await scripted.pass(8_000);
  assert.deepEqual(events, ['+0,1', '-lost', '+0,1']);
});

test('a static member that is fenced fails, and does not come back', async () => {
  const { coordinator, events, scripted } = await started({ instanceId: 'i' });
  coordinator.heartbeats.push('FENCED_INSTANCE_ID');
  await scripted.pass(20_000);
  assert.deepEqual(events, ['+0,1', '-lost', 'MR4205']);
  assert.equal(coordinator.generation, 1);
});

test('a static member does not leave when it closes, another does', async () => {
  for (const [instanceId, leaves] of [
    ['i', 0],
    [null, 1],
  ] as const) {
    const { member, scripted } = await started({ instanceId });
    await scripted.settle(member.close());
    assert.equal(scripted.seen(apis.leaveGroup).length, leaves);
    const before = scripted.requests.length;
    await scripted.pass(20_000);
    assert.equal(scripted.requests.length, before, 'nothing is asked after it');
  }
});

test('closing does not wait for a join, a stuck handler or a coordinator that is gone', async () => {
  const joining = prepare();
  joining.scripted.brokers[0]!.on(apis.joinGroup, ({ memberId }) =>
    memberId === ''
      ? {
          throttleTimeMs: 0,
          errorCode: errorCode('MEMBER_ID_REQUIRED'),
          protocolName: '',
          leader: '',
          memberId: 'm',
          members: [],
        }
      : HANG,
  );
  const start = joining.member.start();
  await joining.scripted.pass(1_000);
  await joining.scripted.settle(joining.member.close(), 100);
  assert.equal(joining.scripted.seen(apis.leaveGroup).length, 1);
  await joining.scripted.settle(start, 1_000);
  assert.deepEqual(joining.events, []);

  const stuck = await started({}, { onRevoke: () => new Promise(() => undefined) });
  stuck.coordinator.heartbeats.push('REBALANCE_IN_PROGRESS');
  await stuck.scripted.pass(2_000);
  await stuck.scripted.settle(stuck.member.close(), 100);

  const gone = await started();
  gone.scripted.brokers[0]!.stop();
  await gone.scripted.settle(gone.member.close(), 3_500);
});

test('the leader has partitions assigned that are new, and a topic that another member wishes and nobody has made', async () => {
  const { coordinator, events, scripted } = await started();
  scripted.topics.get('t')!.leaders.push(1);
  scripted.topics.get('t')!.epochs.push(0);
  await scripted.pass(10_000);
  assert.deepEqual(events, ['+0,1'], 'not before metadata is old');
  await scripted.pass(300_000);
  assert.deepEqual(events, ['+0,1', '-', '+0,1,2']);
  assert.equal(coordinator.generation, 2);
});

test('a topic that does not exist and a right that is missing are told at the start', async () => {
  const missing = prepare({ topics: ['never'] });
  await assert.rejects(missing.scripted.settle(missing.member.start()), code('MR4209', /topic never does not exist/));
  const refused = prepare();
  refused.coordinator.joins.push('GROUP_AUTHORIZATION_FAILED');
  await assert.rejects(
    refused.scripted.settle(refused.member.start()),
    code('MR4230', /JoinGroup of g: GROUP_AUTHORIZATION_FAILED/),
  );
  const later = await started();
  later.coordinator.heartbeats.push('GROUP_AUTHORIZATION_FAILED');
  await later.scripted.pass(5_000);
  assert.deepEqual(later.events, ['+0,1', '-lost', 'MR4230']);
});

test('an error of the owner is not taken for one of the group', async () => {
  const boom = new Error('boom');
  const { coordinator, events, scripted } = await started({}, { onRevoke: () => Promise.reject(boom) });
  coordinator.heartbeats.push('REBALANCE_IN_PROGRESS');
  await scripted.pass(5_000);
  assert.deepEqual(events, ['+0,1', '-', undefined]);
});
