/** Fetch sessions: what they say is what naming everything each time would say, and they are bounded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/index.ts';
import { SimBroker, type WireClient } from '../testing/index.ts';
import { ManualClock } from '../testing/sim/manual-io.ts';
import { apis, type FetchResponse, ZERO_UUID } from '../wire/index.ts';
import { FetchSessions } from './fetch-sessions.ts';
import { batch } from './rig-cases.ts';

interface Asked {
  readonly id?: number;
  readonly epoch?: number;
  /** Offsets by partition. */
  readonly offsets?: ReadonlyMap<number, number>;
  readonly forgotten?: readonly number[];
  readonly version?: number;
  readonly topicId?: string;
  readonly waitMs?: number;
  readonly topic?: string;
}

function ask(client: WireClient, asked: Asked): Promise<FetchResponse> {
  const {
    epoch = -1,
    forgotten = [],
    id = 0,
    offsets = new Map(),
    topic = 't',
    topicId = ZERO_UUID,
    version = 12,
  } = asked;
  const partitions = [...offsets].map(([partition, fetchOffset]) => ({
    partition,
    fetchOffset,
    partitionMaxBytes: 300,
  }));
  return client.ask(apis.fetch, version, {
    ...{ maxWaitMs: asked.waitMs ?? 0, minBytes: 1, maxBytes: 100_000, isolationLevel: 0, rackId: '' },
    sessionId: id,
    sessionEpoch: epoch,
    topics: partitions.length === 0 ? [] : [{ topic, topicId, partitions }],
    forgottenTopicsData: forgotten.length === 0 ? [] : [{ topic, topicId, partitions: forgotten }],
  });
}

/** What an answer says of each partition. */
function told(answer: FetchResponse): Map<number, string> {
  return new Map(
    answer.responses.flatMap(({ partitions }) =>
      partitions.map(({ errorCode, highWatermark, lastStableOffset, logStartOffset, partitionIndex, records }) => {
        const bytes = Buffer.from(records ?? []).toString('base64');
        return [partitionIndex, [errorCode, highWatermark, lastStableOffset, logStartOffset, bytes].join(' ')] as const;
      }),
    ),
  );
}

const recordsOf = (state: string): string => state.split(' ')[4]!;

async function start(partitions: number) {
  const sim = await SimBroker.start();
  const topic = await sim.finish(sim.log.createTopic('', 't', partitions));
  const append = (index: number): Promise<unknown> =>
    sim.finish(sim.log.append(topic.partitions[index]!, Uint8Array.from(batch(['x'], {}, sim.io.clock.now()))));
  return { sim, topic, append, client: await sim.client() };
}

test('only what is news is told, and everything that is', async () => {
  const { append, client, sim, topic } = await start(3);
  await append(0);
  const all = new Map([
    [0, 0],
    [1, 0],
    [2, 0],
  ]);
  const first = await sim.finish(ask(client, { epoch: 0, offsets: all }));
  const { sessionId: id } = first;
  assert.ok(id > 0);
  assert.equal(told(first).size, 3);
  const next = async (epoch: number, more: Asked = {}) => told(await sim.finish(ask(client, { id, epoch, ...more })));
  assert.deepEqual([...(await next(1)).keys()], [0], 'its records are there still');
  assert.deepEqual([...(await next(2, { offsets: new Map([[0, 1]]) })).keys()], []);
  await append(2);
  assert.deepEqual([...(await next(3)).keys()], [2]);
  assert.deepEqual([...(await next(4, { forgotten: [2], offsets: new Map([[1, 7]]) })).keys()], [1], 'an error');
  assert.deepEqual([...(await next(5)).keys()], [1], 'still');
  assert.deepEqual([...(await next(6, { offsets: new Map([[1, 0]]) })).keys()], [1], 'no more');
  assert.deepEqual([...(await next(7)).keys()], []);
  await append(2);
  assert.deepEqual([...(await next(8)).keys()], [], 'what is forgotten is not told of');
  await sim.finish(sim.log.deleteTopic(topic));
  assert.deepEqual([...(await next(9)).keys()], [0, 1]);
});

test('a session waits as any fetch does, and is told as soon as something comes', async () => {
  const { append, client, sim } = await start(2);
  const { sessionId: id } = await sim.finish(
    ask(client, {
      epoch: 0,
      offsets: new Map([
        [0, 0],
        [1, 0],
      ]),
    }),
  );
  const waiting = ask(client, { id, epoch: 1, waitMs: 20_000 });
  await sim.pass(1_000);
  await append(1);
  assert.deepEqual([...told(await sim.finish(waiting)).keys()], [1]);
  assert.equal(
    (await sim.finish(ask(client, { id, epoch: 2, offsets: new Map([[1, 1]]), waitMs: 500 }))).responses.length,
    0,
  );
});

test('numbers out of turn, versions of another kind and other clients are refused, and change nothing', async () => {
  const { client, sim, topic } = await start(1);
  const offsets = new Map([[0, 0]]);
  const { sessionId: id } = await sim.finish(ask(client, { epoch: 0, offsets }));
  const code = async (asked: Asked): Promise<number> => (await sim.finish(ask(client, asked))).errorCode;
  assert.equal(await code({ id, epoch: 2 }), 71);
  assert.equal(await code({ id: id + 1, epoch: 1 }), 70);
  assert.equal(await code({ id: 0, epoch: 1 }), 70);
  assert.equal(await code({ id, epoch: 1, version: 13, topicId: topic.id }), 106);
  assert.equal(await code({ id, epoch: 1 }), 0);
  assert.equal(await code({ id, epoch: 1 }), 71);
  assert.equal(await code({ id, epoch: -1, offsets }), 0);
  assert.equal(await code({ id, epoch: 2 }), 70, 'it has been ended');
  const again = await sim.finish(ask(client, { id, epoch: 0, offsets }));
  assert.ok(again.sessionId > 0 && again.sessionId !== id);
  const byId = await sim.finish(ask(client, { epoch: 0, offsets, version: 13, topicId: topic.id, topic: '' }));
  assert.equal(await code({ id: byId.sessionId, epoch: 1, version: 13 }), 0);
});

test('over any changes a session says what naming everything would say', async () => {
  const { append, client, sim } = await start(5);
  const failures: unknown[] = [];
  for (let seed = 1; seed <= 12; seed++) {
    const random = new SeededRandom(seed);
    const wanted = new Map<number, number>();
    for (const partition of [0, 1, 2, 3, 4]) if (random.below(2) === 0) wanted.set(partition, random.below(3));
    wanted.set(0, 0);
    let answer = await sim.finish(ask(client, { epoch: 0, offsets: wanted }));
    const { sessionId: id } = answer;
    const known = told(answer);
    for (let epoch = 1; epoch < 25; epoch++) {
      const changed = new Map<number, number>();
      const forgotten: number[] = [];
      for (const partition of [0, 1, 2, 3, 4]) {
        if (random.below(4) === 0) await append(partition);
        const what = random.below(6);
        if (what === 0 && wanted.size > 1 && wanted.delete(partition)) {
          forgotten.push(partition);
          known.delete(partition);
        } else if (what < 3) {
          const offset = random.below(9) - 1;
          wanted.set(partition, offset);
          changed.set(partition, offset);
        }
      }
      answer = await sim.finish(ask(client, { id, epoch, offsets: changed, forgotten }));
      assert.equal(answer.errorCode, 0);
      const whole = told(await sim.finish(ask(client, { offsets: wanted })));
      const news = told(answer);
      for (const [partition, state] of news) known.set(partition, state);
      for (const [partition, state] of whole) {
        if (news.has(partition) || recordsOf(state) !== '') assert.equal(news.get(partition), state, `seed ${seed}`);
        else if (known.get(partition)!.split(' ').slice(0, 4).join(' ') !== state.split(' ').slice(0, 4).join(' '))
          failures.push([seed, epoch, partition, known.get(partition), state]);
      }
      for (const partition of news.keys()) assert.ok(whole.has(partition), `seed ${seed}: ${partition} is not wanted`);
    }
  }
  assert.deepEqual(failures, []);
});

test('sessions and their partitions are bounded: the longest unused make room, those in use do not', async () => {
  const clock = new ManualClock();
  const sessions = new FetchSessions(clock, seeded(), { sessionsMax: 3, partitionsMax: 10 });
  const topics = (count: number): never[] => [
    {
      topic: 't',
      topicId: ZERO_UUID,
      partitions: Array.from({ length: count }, (_, partition) => ({ partition, fetchOffset: 0 })),
    } as never,
  ];
  const made = [1, 2, 3].map(count => sessions.open('a', topics(count), false)!);
  assert.equal(sessions.open('a', topics(1), false), undefined);
  await clock.pass(130_000);
  sessions.next({ sessionId: made[0]!.id, sessionEpoch: 1, topics: [], forgottenTopicsData: [] } as never, 'a', false);
  assert.ok(sessions.open('b', topics(1), false), 'the second made room');
  assert.equal(sessions.size, 3);
  assert.equal(sessions.open('b', topics(11), false), undefined, 'more than all may have');
  const request = { sessionId: made[0]!.id, sessionEpoch: 2, topics: topics(11), forgottenTopicsData: [] };
  assert.equal(sessions.next(request as never, 'b', false), 'FETCH_SESSION_ID_NOT_FOUND', 'of another client');
  assert.notEqual(typeof sessions.next(request as never, 'a', false), 'string');
  assert.equal(sessions.next({ ...request, sessionEpoch: 3 } as never, 'a', false), 'FETCH_SESSION_ID_NOT_FOUND');
});

function seeded(): { float(): number; bytes(length: number): Uint8Array } {
  const random = new SeededRandom(1);
  return { float: () => random.float(), bytes: length => Uint8Array.from({ length }, () => random.below(256)) };
}
