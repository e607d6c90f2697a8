/** Consumers against leaders that hang, move, lag, lie and lose. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arena, makeArenaMemory, type MillraceError } from '../../base/index.ts';
import { HANG } from '../../testing/index.ts';
import { apis, errorCode } from '../../wire/index.ts';
import { BY_RESET, FROM_END, FROM_START } from './assignment.ts';
import type { FetchedBatches } from './consumer.ts';
import { code, readUntil, start, valuesOf } from './reading-cases.ts';

test('a position inside a batch gets the whole batch, and goes on behind it', async () => {
  const { make, scripted } = start();
  scripted.topic('t', [1]);
  scripted.append('t', 0, ['a', 'b', 'c']);
  scripted.append('t', 0, ['d']);
  const consumer = make();
  consumer.assign([{ topic: 't', partition: 0, offset: 1 }]);
  const [fetched] = await scripted.settle(consumer.poll());
  assert.deepEqual([fetched!.fromOffset, fetched!.nextOffset, fetched!.batches.length], [1, 4, 2]);
  assert.deepEqual(valuesOf([fetched!]), ['0:b', '0:c', '0:d']);
  assert.ok(consumer.isAtEnd);
  assert.deepEqual(await scripted.settle(consumer.poll()), []);
});

test('positions by rule: the start, the end, the reset rule', async () => {
  const { make, scripted } = start();
  for (const topic of ['s', 'e', 'r']) {
    scripted.topic(topic, [1]);
    scripted.append(topic, 0, ['old']);
  }
  const consumer = make({ reset: 'latest' });
  const offsets = [FROM_START, FROM_END, BY_RESET];
  consumer.assign(['s', 'e', 'r'].map((topic, i) => ({ topic, partition: 0, offset: offsets[i]! })));
  assert.deepEqual(await readUntil(scripted, consumer, 1), ['0:old']);
  assert.equal(scripted.seen(apis.listOffsets).length, 1, 'one question for all partitions of a leader');
  const strict = make({ reset: 'error' });
  strict.assign([{ topic: 's', partition: 0, offset: BY_RESET }]);
  await assert.rejects(readUntil(scripted, strict, 1), code('MR4205', /OFFSET_OUT_OF_RANGE/));
});

test('an offset that is not there any more goes by the reset rule, which is told', async () => {
  const { make, reports, scripted } = start();
  scripted.topic('t', [1]);
  scripted.append('t', 0, ['a', 'b']);
  const consumer = make({ reset: 'earliest' });
  consumer.assign([{ topic: 't', partition: 0, offset: 99 }]);
  assert.deepEqual(await readUntil(scripted, consumer, 2), ['0:a', '0:b']);
  assert.deepEqual(
    reports.map(({ message }) => message),
    ['t/0 has nothing at offset 99 any more; reading goes on at its start'],
  );
  const strict = make({ reset: 'error' });
  strict.assign([{ topic: 't', partition: 0, offset: 99 }]);
  await assert.rejects(
    readUntil(scripted, strict, 1),
    error =>
      code('MR4205', /at offset 99 of t\/0: OFFSET_OUT_OF_RANGE/)(error) &&
      /auto.offset.reset/.test((error as MillraceError).help),
  );
});

test('a leader that hangs keeps back nothing of another', async () => {
  const { make, reports, scripted } = start(['a', 'b']);
  scripted.topic('t', [1, 2]);
  scripted.brokers[0]!.on(apis.fetch, () => HANG);
  const consumer = make();
  consumer.assign([0, 1].map(partition => ({ topic: 't', partition, offset: 0 })));
  const started = scripted.world.time;
  for (let i = 0; i < 20; i++) {
    scripted.append('t', 1, [`${i}`]);
    assert.deepEqual(await readUntil(scripted, consumer, 1), [`1:${i}`]);
  }
  assert.ok(scripted.world.time - started < 4_000);
  // It recovers: what waited there comes too.
  scripted.append('t', 0, ['late']);
  scripted.brokers[0]!.reset(apis.fetch);
  assert.deepEqual(await readUntil(scripted, consumer, 1, 1_000), ['0:late']);
  assert.equal(reports[0]!.code, 'MR4203');
});

test('a partition without a leader is waited for, without a storm of questions, and keeps back no other', async () => {
  const { make, reports, scripted } = start();
  scripted.topic('t', [-1, 1]);
  scripted.append('t', 0, ['a']);
  scripted.append('t', 1, ['b']);
  const consumer = make();
  consumer.assign([0, 1].map(partition => ({ topic: 't', partition, offset: 0 })));
  assert.deepEqual(await readUntil(scripted, consumer, 1), ['1:b']);
  const before = scripted.requests.length;
  const started = scripted.world.time;
  while (scripted.world.time < started + 20_000) await scripted.settle(consumer.poll());
  assert.ok(scripted.requests.length - before < 300, `${scripted.requests.length - before} requests in 20 s`);
  scripted.topics.get('t')!.leaders[0] = 1;
  assert.deepEqual(await readUntil(scripted, consumer, 1), ['0:a']);
  assert.deepEqual(
    reports.map(({ code: name }) => name),
    ['MR4218'],
  );
});

test('a leader that moved is followed; requests carry the leader epoch, and a fenced one asks for metadata', async () => {
  const { make, scripted } = start(['a', 'b']);
  scripted.topic('t', [1], [3]);
  scripted.append('t', 0, ['a'], 3);
  const consumer = make();
  consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
  assert.deepEqual(await readUntil(scripted, consumer, 1), ['0:a']);
  const epochs = (): number[] =>
    scripted
      .seen(apis.fetch)
      .map(
        ({ message }) =>
          (message as { topics: { partitions: { currentLeaderEpoch: number }[] }[] }).topics[0]!.partitions[0]!
            .currentLeaderEpoch,
      );
  assert.equal(epochs().at(-1), 3);
  // The same node leads in a newer epoch: it fences whoever believes in the old one.
  Object.assign(scripted.topics.get('t')!, { leaders: [1], epochs: [4] });
  scripted.brokers[0]!.on(apis.offsetForLeaderEpoch, () => epochEnd(1));
  scripted.append('t', 0, ['b'], 4);
  assert.deepEqual(await readUntil(scripted, consumer, 1), ['0:b']);
  Object.assign(scripted.topics.get('t')!, { leaders: [2], epochs: [5] });
  scripted.brokers[1]!.on(apis.offsetForLeaderEpoch, () => epochEnd(2));
  scripted.append('t', 0, ['c'], 5);
  assert.deepEqual(await readUntil(scripted, consumer, 1), ['0:c']);
  assert.equal(epochs().at(-1), 5);
});

function epochEnd(endOffset: number): Parameters<typeof apis.offsetForLeaderEpoch.encodeResponse>[1] {
  const partitions = [{ errorCode: 0, partition: 0, leaderEpoch: 3, endOffset }];
  return { throttleTimeMs: 0, topics: [{ topic: 't', partitions }] };
}

for (const reset of ['earliest', 'error'] as const) {
  test(`records that a new leader does not have are noticed (reset rule ${reset})`, async () => {
    const { make, reports, scripted } = start(['a', 'b']);
    scripted.topic('t', [1], [1]);
    scripted.append('t', 0, ['a'], 1);
    scripted.append('t', 0, ['lost 1'], 1);
    scripted.append('t', 0, ['lost 2'], 1);
    const consumer = make({ reset });
    consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
    assert.deepEqual(await readUntil(scripted, consumer, 3), ['0:a', '0:lost 1', '0:lost 2']);
    Object.assign(scripted.topics.get('t')!, { leaders: [2], epochs: [2] });
    scripted.logs.get('t/0')!.length = 1;
    for (const value of ['new 1', 'new 2', 'new 3']) scripted.append('t', 0, [value], 2);
    scripted.brokers[1]!.on(apis.offsetForLeaderEpoch, () => epochEnd(1));
    if (reset === 'error') {
      await assert.rejects(readUntil(scripted, consumer, 1), code('MR4221'));
      return;
    }
    assert.deepEqual(await readUntil(scripted, consumer, 3), ['0:new 1', '0:new 2', '0:new 3']);
    assert.deepEqual(
      reports.filter(report => code('MR4221')(report)).map(({ message }) => message),
      ['t/0 lost the records from 1 on that were read up to 3; reading goes on at 1'],
    );
  });
}

for (const reset of ['latest', 'error'] as const) {
  test(`a topic created again is read from its start, not from the old offset (reset rule ${reset})`, async () => {
    const { make, reports, scripted } = start();
    scripted.topic('t', [1]);
    scripted.append('t', 0, ['old 0', 'old 1']);
    const consumer = make({ reset });
    consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
    assert.deepEqual(await readUntil(scripted, consumer, 2), ['0:old 0', '0:old 1']);
    scripted.topic('t', [1]);
    scripted.append('t', 0, ['new 0', 'new 1', 'new 2']);
    if (reset === 'error') {
      await assert.rejects(readUntil(scripted, consumer, 1), code('MR4220'));
      return;
    }
    assert.deepEqual(await readUntil(scripted, consumer, 3), ['0:new 0', '0:new 1', '0:new 2']);
    assert.deepEqual(
      reports.map(({ code: name }) => name),
      ['MR4220'],
    );
  });
}

test('under a limit on the answer every partition comes first in time', async () => {
  const { make, scripted } = start();
  const PARTITIONS = 5;
  scripted.topic(
    't',
    Array.from({ length: PARTITIONS }, () => 1),
  );
  const body = 'x'.repeat(500);
  for (let i = 0; i < 20; i++) for (let p = 0; p < PARTITIONS; p++) scripted.append('t', p, [body]);
  const consumer = make({ maxBytes: 600 });
  consumer.assign(Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: 't', partition, offset: 0 })));
  const values = await readUntil(scripted, consumer, 3 * PARTITIONS);
  const counts = Array.from({ length: PARTITIONS }, (_, p) => values.filter(value => value.startsWith(`${p}:`)).length);
  assert.deepEqual(counts, [3, 3, 3, 3, 3]);
});

test('a paused partition is not handed over, starves no other, and goes on where it was', async () => {
  const { make, scripted } = start();
  scripted.topic('t', [1, 1]);
  for (let i = 0; i < 3; i++) for (const p of [0, 1]) scripted.append('t', p, [`${i}`]);
  // One batch of each.
  const consumer = make({ partitionMaxBytes: 100 });
  consumer.assign([0, 1].map(partition => ({ topic: 't', partition, offset: 0 })));
  const first = valuesOf(await scripted.settle(consumer.poll()));
  assert.deepEqual(first.sort(), ['0:0', '1:0']);
  // What was fetched ahead of partition 0 is not handed over either.
  await scripted.pass(50);
  consumer.pause('t', 0, true);
  assert.deepEqual(await readUntil(scripted, consumer, 2), ['1:1', '1:2']);
  assert.deepEqual(await scripted.settle(consumer.poll()), []);
  consumer.pause('t', 0, false);
  assert.deepEqual(await readUntil(scripted, consumer, 2), ['0:1', '0:2']);
});

test('what is taken away while its fetch is under way is not handed over', async () => {
  const { make, scripted } = start();
  scripted.topic('t', [1, 1]);
  const consumer = make({ maxWaitMs: 1_000 });
  consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
  const polled = consumer.poll();
  await scripted.pass(100);
  for (const partition of [0, 1]) scripted.append('t', partition, ['x']);
  consumer.assign([{ topic: 't', partition: 1, offset: 0 }]);
  assert.deepEqual(valuesOf(await scripted.settle(polled)), []);
  assert.deepEqual(await readUntil(scripted, consumer, 1), ['1:x']);
});

test('an error that does not pass is told once for each poll that meets it; one that passes is waited out', async () => {
  const { make, scripted } = start();
  scripted.topic('t', [1]);
  scripted.append('t', 0, ['a']);
  const broker = scripted.brokers[0]!;
  let error: Parameters<typeof errorCode>[0] = 'TOPIC_AUTHORIZATION_FAILED';
  broker.on(apis.fetch, () => ({
    throttleTimeMs: 0,
    responses: [
      {
        topicId: scripted.topics.get('t')!.id,
        partitions: [
          {
            partitionIndex: 0,
            errorCode: errorCode(error),
            highWatermark: -1,
            abortedTransactions: null,
            records: null,
          },
        ],
      },
    ],
  }));
  const consumer = make();
  consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
  for (let i = 0; i < 2; i++)
    await assert.rejects(readUntil(scripted, consumer, 1, 9), code('MR4230', /of t\/0: TOPIC_AUTHORIZATION_FAILED/));
  error = 'KAFKA_STORAGE_ERROR';
  await scripted.settle(consumer.poll());
  broker.reset(apis.fetch);
  assert.deepEqual(await readUntil(scripted, consumer, 1), ['0:a']);
});

const SLAB = 256 * 1024;

test('memory stays within (prefetch + 2) × leaders × maximum bytes, and comes back whatever happens', async () => {
  const LEADERS = 3;
  const { make, scripted } = start(['a', 'b', 'c']);
  const arena = new Arena(makeArenaMemory(64 * SLAB), { slabBytes: SLAB, reservedBytes: SLAB });
  const all = arena.freeSlabs;
  scripted.topic('t', [1, 2, 3]);
  const body = 'x'.repeat(60_000);
  for (let i = 0; i < 40; i++) for (let p = 0; p < 3; p++) scripted.append('t', p, [body]);
  const consumer = make({ maxBytes: SLAB }, arena);
  consumer.assign([0, 1, 2].map(partition => ({ topic: 't', partition, offset: 0 })));
  // The caller holds the last round while it works on the next, as a stage does.
  let before: FetchedBatches[] = [];
  let least = all;
  let records = 0;
  while (records < 120) {
    const fetched = await scripted.settle(consumer.poll());
    await scripted.pass(50);
    least = Math.min(least, arena.freeSlabs);
    for (const { owner } of before) owner?.release();
    for (const { batches } of fetched) records += batches.length;
    before = fetched;
  }
  for (const { owner } of before) owner?.release();
  const used = (all - least) * SLAB;
  assert.ok(used > 0 && used <= (1 + 2) * LEADERS * SLAB, `${used} bytes`);
  // A round ahead that nobody takes, an answer with an error in it, a fetch under way: all of it is given back.
  for (let p = 0; p < 3; p++) scripted.append('t', p, [body]);
  await scripted.settle(consumer.poll()).then(fetched => fetched.forEach(({ owner }) => owner?.release()));
  await scripted.pass(200);
  for (let p = 0; p < 3; p++) scripted.append('t', p, [body]);
  scripted.logs.get('t/1')![41]!.set([1], 18);
  const failed = scripted.settle(
    (async () => {
      for (;;) for (const { owner } of await consumer.poll()) owner?.release();
    })(),
  );
  await assert.rejects(failed, code('MR4219'));
  await scripted.pass(200);
  consumer.close();
  await scripted.pass(1_000);
  // The slab that rooms are cut from stays open.
  assert.ok(arena.freeSlabs >= all - 1, `${all - arena.freeSlabs} slabs are not free`);
  await assert.rejects(scripted.settle(consumer.poll()), code('MR4208'));
});

test('a topic that does not exist ends the poll with its name; one that comes later is read', async () => {
  const { make, scripted } = start();
  const consumer = make();
  consumer.assign([{ topic: 'never', partition: 0, offset: 0 }]);
  await assert.rejects(readUntil(scripted, consumer, 1), code('MR4209', /topic never does not exist/));
  scripted.topic('never', [1]);
  scripted.append('never', 0, ['a']);
  assert.deepEqual(await readUntil(scripted, consumer, 1), ['0:a']);
});
