/** Where reading begins and ends, in the embedded log and over the wire: both ways give the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryCheckpoints } from '../../../testing/index.ts';
import { type KafkaStand, startKafka, until, WAYS } from './kafka-cases.ts';

const PRINT = '\nwrite_lines\nsave_stdout';

/** Ten records in each of two partitions: `p0`…; record n has the time 1,000 + n. */
async function twoPartitions(stand: KafkaStand): Promise<void> {
  await stand.topic('t', 2);
  for (const [partition, name] of ['p', 'q'].entries()) {
    for (let i = 0; i < 10; i += 5) {
      const records = Array.from({ length: 5 }, (_, j) => ({ value: `${name}${i + j}`, timestampMs: 1_000 + i + j }));
      await stand.produce('t', partition, records);
    }
  }
}

const lines = (output: string): string[] =>
  output
    .split('\n')
    .filter(line => line !== '')
    .sort();

for (const way of WAYS) {
  test(`${way}: of transactions only what is committed is read, in order, unless everything is asked for`, async t => {
    const stand = await startKafka(t);
    await stand.topic('t', 1);
    const abort = await stand.transaction('x', 't', ['lost 1', 'lost 2']);
    await stand.produce('t', 0, ['a']);
    const running = await stand.running(`from_kafka "t"${stand.options(way)}${PRINT}`);
    const commit = await stand.transaction('y', 't', ['b']);
    await new Promise(resolve => setTimeout(resolve, 50));
    assert.deepEqual(running.seen, [], 'an open transaction holds back what follows');
    await abort(false);
    await until(() => running.seen.length === 1, 'what stands before the other');
    await commit(true);
    await stand.produce('t', 0, ['c']);
    await until(() => running.seen.length === 3, 'the rest');
    assert.deepEqual(running.seen, ['a', 'b', 'c']);
    await running.stop();
    const uncommitted = stand.options(way, { 'isolation.level': 'read_uncommitted' });
    const all = await stand.run(`from_kafka "t", offset="beginning", exit=true${uncommitted}${PRINT}`);
    assert.deepEqual(lines(all.output), ['a', 'b', 'c', 'lost 1', 'lost 2']);
  });

  test(`${way}: every form of \`offset\` begins and ends where it says`, async t => {
    const stand = await startKafka(t);
    await twoPartitions(stand);
    const both = (from: number, to = 10): string[] =>
      ['p', 'q'].flatMap(name => Array.from({ length: Math.max(0, to - from) }, (_, i) => `${name}${from + i}`)).sort();
    for (const [offset, expected] of [
      ['"beginning"', both(0)],
      ['"end"', []],
      ['"stored"', both(0)],
      ['7', both(7)],
      ['"7"', both(7)],
      ['-3', both(7)],
      ['"-3"', both(7)],
      ['-100', both(0)],
      ['99', both(0)],
      ['"s@1004"', both(4)],
      ['"s@5000"', []],
      ['"e@1003"', both(0, 3)],
      ['"s@1002, e@1006"', both(2, 6)],
      ['"s@1002,e@9000"', both(2)],
    ] as const) {
      const group = `g${offset.replace(/\W/g, '_')}`;
      const { failure, output } = await stand.run(
        `from_kafka "t", exit=true, offset=${offset}, group_id="${group}"${stand.options(way)}${PRINT}`,
      );
      assert.equal(failure, undefined);
      assert.deepEqual(lines(output), expected, offset);
      const ends = offset.includes('e@1003') ? 3 : offset.includes('e@1006') ? 6 : 10;
      assert.deepEqual(stand.committed(group, 't'), [ends, ends], offset);
    }
  });

  test(`${way}: what was stored is where the next run begins; nothing stored is left to \`auto.offset.reset\``, async t => {
    const stand = await startKafka(t);
    await twoPartitions(stand);
    const from = (group: string, more: Readonly<Record<string, string>> = {}): string =>
      `from_kafka "t", exit=true, options=${stand.options(way, { 'group.id': group, ...more }).slice(', options='.length)}${PRINT}`;
    assert.equal(lines((await stand.run(from('g'))).output).length, 20);
    await stand.produce('t', 1, ['new']);
    assert.deepEqual(lines((await stand.run(from('g'))).output), ['new']);
    assert.deepEqual(lines((await stand.run(from('other', { 'auto.offset.reset': 'latest' }))).output), []);
    assert.deepEqual(stand.committed('other', 't'), [10, 11], 'where it began is committed');
    const refused = await stand.run(from('third', { 'auto.offset.reset': 'error' }));
    assert.match(refused.failure ?? '', /no offset to begin with/);
  });

  test(`${way}: it ends when partitions of unequal lengths are all at their ends, empty ones among them`, async t => {
    const stand = await startKafka(t);
    await stand.topic('t', 4);
    const values = Array.from({ length: 3_000 }, (_, i) => `${i}`);
    for (let i = 0; i < values.length; i += 500) await stand.produce('t', 0, values.slice(i, i + 500));
    await stand.produce('t', 1, ['one']);
    await stand.produce('t', 3, ['x', 'y']);
    const { output } = await stand.run(`from_kafka "t", exit=true${stand.options(way)}${PRINT}`);
    assert.deepEqual(lines(output), [...values, 'one', 'x', 'y'].sort());
    assert.deepEqual(stand.committed('test', 't'), [3_000, 1, 0, 2], 'the group is the pipeline’s id');
    const { output: none } = await stand.run(`load_kafka "t", exit=true${stand.options(way)}\nread_lines${PRINT}`);
    assert.equal(none, '');
  });

  test(`${way}: \`count\` takes so many and commits behind them, over several runs`, async t => {
    const stand = await startKafka(t);
    await stand.topic('t', 1);
    for (let i = 0; i < 100; i += 10)
      await stand.produce(
        't',
        0,
        Array.from({ length: 10 }, (_, j) => `${i + j}`),
      );
    const seen: string[] = [];
    for (const count of [7, 1, 25, 0, 67]) {
      const { output } = await stand.run(`from_kafka "t", count=${count}${stand.options(way)}${PRINT}`);
      seen.push(...output.split('\n').filter(line => line !== ''));
      assert.deepEqual(stand.committed('test', 't'), [seen.length]);
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 100 }, (_, i) => `${i}`),
    );
  });

  test(`${way}: the position that it begins with is committed before the first event is delivered`, async t => {
    const stand = await startKafka(t);
    await stand.topic('t', 2);
    await stand.produce('t', 0, ['old']);
    const pipeline = `from_kafka "t", offset="end", commit_timeout=1h${stand.options(way)}${PRINT}`;
    const running = await stand.running(pipeline);
    await until(() => stand.committed('test', 't')[0] === 1, 'the first commit');
    await running.kill();
    await stand.produce('t', 0, ['while it was away']);
    const { output } = await stand.run(`from_kafka "t", exit=true${stand.options(way)}${PRINT}`);
    assert.deepEqual(lines(output), ['while it was away']);
  });

  test(`${way}: a regular expression takes topics with whole names, also those that come later`, async t => {
    const stand = await startKafka(t);
    for (const name of ['tenant-a.alerts', 'tenant-b.alerts', 'tenant-a.alerts.old', 'other'])
      await stand.topic(name, 1);
    for (const name of ['tenant-a.alerts', 'tenant-b.alerts', 'tenant-a.alerts.old', 'other'])
      await stand.produce(name, 0, [name]);
    const running = await stand.running(`from_kafka "^tenant-.*\\\\.alerts$"${stand.options(way)}${PRINT}`);
    await until(() => running.seen.length >= 2, 'both topics');
    assert.deepEqual([...running.seen].sort(), ['tenant-a.alerts', 'tenant-b.alerts']);
    if (way === 'embedded') {
      await stand.topic('tenant-c.alerts', 1);
      await stand.produce('tenant-c.alerts', 0, ['tenant-c.alerts']);
      await until(() => running.seen.length >= 3, 'the new topic');
    }
  });

  test(`${way}: records that retention removed before they were read are counted and told`, async t => {
    const stand = await startKafka(t);
    await stand.topic('t', 1);
    for (let i = 0; i < 20; i++) await stand.produce('t', 0, [`${i}`]);
    await stand.run(`from_kafka "t", count=5${stand.options(way)}${PRINT}`);
    const { log } = stand.server;
    await log.setLogStart(log.topic('', 't')!.partitions[0]!, 12);
    const { diagnostics, ledger, output } = await stand.run(`from_kafka "t", exit=true${stand.options(way)}${PRINT}`);
    assert.deepEqual(output.split('\n').slice(0, 2), ['12', '13']);
    assert.equal(ledger[0]!.overtaken, 7);
    assert.match(diagnostics.join(), /t\/0 goes on at 12, because offset 5 is gone: 7 records were removed/);
  });

  test(`${way}: with states the checkpoint’s position holds, without them what the group has committed`, async t => {
    const stand = await startKafka(t);
    await stand.topic('t', 1);
    await stand.produce('t', 0, ['1', '2', '3']);
    const checkpoints = memoryCheckpoints();
    const options = stand.options(way);
    const sum = `from_kafka "t", exit=true${options}\nx = message.int()\nsummarize s=sum(x)${PRINT}`;
    await stand.run(sum, { checkpoints });
    await stand.server.coordination.store('', 'test', [
      { topic: 't', partition: 0, offset: 0, leaderEpoch: 0, metadata: null },
    ]);
    await stand.produce('t', 0, ['4']);
    assert.equal((await stand.run(sum, { checkpoints })).output, '4\n');
    const plain = `from_kafka "t", exit=true${options}${PRINT}`;
    await stand.run(plain, { checkpoints });
    await stand.server.coordination.store('', 'test', [
      { topic: 't', partition: 0, offset: 2, leaderEpoch: 0, metadata: null },
    ]);
    assert.equal((await stand.run(plain, { checkpoints })).output, '3\n4\n', 'a reset of the group is followed');
  });
}

test('embedded: partitions that are added later are read from their beginning', async t => {
  const stand = await startKafka(t);
  await stand.topic('t', 1);
  const running = await stand.running(`from_kafka "t", offset="end"${PRINT}`);
  await until(() => stand.committed('test', 't')[0] === 0, 'the start');
  const { log } = stand.server;
  await log.addPartitions(log.topic('', 't')!, 3);
  await stand.produce('t', 2, ['new']);
  await until(() => running.seen.includes('new'), 'the record of the new partition');
});

test('embedded: a topic that was deleted and made again is read from its beginning', async t => {
  const stand = await startKafka(t);
  await stand.topic('^', 1).catch(() => undefined);
  await stand.topic('t-1', 1);
  await stand.produce('t-1', 0, ['a', 'b', 'c']);
  const running = await stand.running(`from_kafka "^t-.*"${PRINT}`);
  await until(() => running.seen.length === 3, 'the first records');
  const { log } = stand.server;
  await log.deleteTopic(log.topic('', 't-1')!);
  await stand.topic('t-1', 1);
  await stand.produce('t-1', 0, ['d', 'e', 'f', 'g']);
  await until(() => running.seen.length === 7, 'the records of the new topic');
  assert.deepEqual(running.seen.slice(3), ['d', 'e', 'f', 'g']);
});

test('embedded: a topic that does not exist is made, or refused with the nearest name', async t => {
  const making = await startKafka(t);
  assert.equal((await making.run(`from_kafka "fresh", exit=true${PRINT}`)).failure, undefined);
  assert.equal(making.server.log.topic('', 'fresh')!.partitions.length, 1);
  const refusing = await startKafka(t, { isAllowed: false });
  await refusing.topic('events', 1);
  const { failure } = await refusing.run(`from_kafka "evens", exit=true${PRINT}`);
  assert.match(failure ?? '', /topic evens does not exist; did you mean events\?/);
});

test('members of a group end when what they were given is at its end, though partitions changed hands meanwhile', async t => {
  const stand = await startKafka(t);
  await stand.topic('t', 3);
  const all: string[] = [];
  for (const [partition, count] of [2_000, 1_200, 700].entries()) {
    const values = Array.from({ length: count }, (_, i) => `${partition}-${i}`);
    all.push(...values);
    for (let i = 0; i < count; i += 100) await stand.produce('t', partition, values.slice(i, i + 100));
  }
  const pipeline = `from_kafka "t", exit=true, batch_size=50, commit_batch_size=100, group_id="g"${stand.options('cluster', { 'max.partition.fetch.bytes': '2000' })}${PRINT}`;
  const first = await stand.running(pipeline);
  await until(() => first.seen.length > 200, 'the first member reads');
  const second = await stand.run(pipeline);
  const firstRun = await first.stop();
  assert.deepEqual([firstRun.failure, second.failure], [undefined, undefined]);
  assert.deepEqual([...firstRun.diagnostics, ...second.diagnostics], []);
  assert.deepEqual(lines(firstRun.output + second.output), all.sort());
  assert.deepEqual(stand.committed('g', 't'), [2_000, 1_200, 700]);
});

test('embedded: what was read of a topic that is gone is not committed for the next one of its name', async t => {
  const stand = await startKafka(t);
  await stand.topic('t-1', 1);
  await stand.produce('t-1', 0, ['a', 'b', 'c']);
  const service = stand.service;
  const [before] = await service.locate([{ topic: 't-1', partition: 0, offset: 0 }], 0, 0);
  const { log } = stand.server;
  await log.deleteTopic(log.topic('', 't-1')!);
  await service.commit('g', [{ topic: 't-1', partition: 0, offset: 3 }]);
  assert.equal((await service.committed('g', 't-1')).size, 0);
  await stand.topic('t-1', 1);
  await service.commit('g', [{ topic: 't-1', partition: 0, offset: 3, topicId: before!.topicId }]);
  assert.equal((await service.committed('g', 't-1')).size, 0);
  const [now] = await service.locate([{ topic: 't-1', partition: 0, offset: 0 }], 0, 0);
  await service.commit('g', [{ topic: 't-1', partition: 0, offset: 0, topicId: now!.topicId }]);
  assert.deepEqual([...(await service.committed('g', 't-1'))], [[0, 0]]);
});
