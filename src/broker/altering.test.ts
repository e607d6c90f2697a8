/** Changes of configs and of where partitions begin: what they do, at once and behind a restart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimBroker } from '../testing/index.ts';
import { apis } from '../wire/index.ts';
import { batch, Rig } from './rig-cases.ts';

async function start(): Promise<Rig> {
  const sim = await SimBroker.start();
  const rig = new Rig(sim, await sim.client());
  await rig.topic('t', 2, { 'max.message.bytes': '9000' });
  return rig;
}

const configsOf = (rig: Rig): Readonly<Record<string, string>> =>
  Object.fromEntries(rig.sim.log.topic('', 't')!.configs);

test('AlterConfigs replaces all, IncrementalAlterConfigs what it names; both last', async () => {
  const rig = await start();
  assert.equal(
    await rig.alterBy([
      ['retention.ms', 0, '5000'],
      ['segment.bytes', 0, '1000'],
    ]),
    0,
  );
  assert.deepEqual(configsOf(rig), { 'max.message.bytes': '9000', 'retention.ms': '5000', 'segment.bytes': '1000' });
  assert.equal(await rig.alterBy([['max.message.bytes', 1, null]]), 0);
  await rig.restart();
  assert.deepEqual(configsOf(rig), { 'retention.ms': '5000', 'segment.bytes': '1000' });
  assert.equal(await rig.alter({ 'retention.bytes': '7' }), 0);
  await rig.restart();
  assert.deepEqual(configsOf(rig), { 'retention.bytes': '7' });
});

test('a trial, and a wish of which a part cannot be, change nothing', async () => {
  const rig = await start();
  assert.equal(await rig.alterBy([['retention.ms', 0, '5000']], { isTrial: true }), 0);
  assert.equal(await rig.alterBy([['retention.ms', 0, 'x']], { isTrial: true }), 40);
  assert.equal(
    await rig.alterBy([
      ['retention.ms', 0, '5000'],
      ['retention.bytes', 0, 'x'],
    ]),
    40,
  );
  assert.deepEqual(configsOf(rig), { 'max.message.bytes': '9000' });
});

test('changes at the same time all count', async () => {
  const rig = await start();
  const names = ['retention.ms', 'retention.bytes', 'segment.bytes', 'segment.ms', 'flush.ms'];
  await Promise.all(names.map(name => rig.alterBy([[name, 0, '5000']])));
  assert.equal(Object.keys(configsOf(rig)).length, 1 + names.length);
});

test('lists get entries once and lose them', async () => {
  const rig = await start();
  assert.equal(await rig.alterBy([['cleanup.policy', 2, 'delete']]), 0);
  assert.equal(configsOf(rig)['cleanup.policy'], 'delete');
  assert.equal(await rig.alterBy([['cleanup.policy', 3, 'compact']]), 0);
  assert.equal(configsOf(rig)['cleanup.policy'], 'delete');
});

test('a new limit holds at once', async () => {
  const rig = await start();
  const large = batch(['x'.repeat(500)], {}, rig.sim.io.clock.now());
  assert.equal(await rig.produce(9, large), 0);
  assert.equal(await rig.alterBy([['max.message.bytes', 0, '100']]), 0);
  assert.equal(await rig.produce(9, large), 10);
});

test('records that are deleted cannot be read any more, and stay so', async () => {
  const rig = await start();
  for (let i = 0; i < 4; i++) await rig.produce(9, batch(['a', 'b'], {}, rig.sim.io.clock.now()));
  assert.deepEqual(await rig.deleteRecords(3), [0, 3]);
  assert.equal(await rig.fetch(12, 2), 1);
  assert.equal(await rig.fetch(12, 3), 0);
  assert.deepEqual(await rig.deleteRecords(1), [0, 3], 'what was deleted before stays so');
  await rig.restart();
  assert.equal(await rig.fetch(12, 2), 1);
  assert.deepEqual(await rig.deleteRecords(-1), [0, 8]);
  assert.equal(await rig.fetch(12, 7), 1);
  assert.equal(await rig.produce(9, batch(['c'], {}, rig.sim.io.clock.now())), 0);
  assert.equal(rig.sim.log.topic('', 't')!.partitions[0]!.syncedEnd, 9, 'offsets go on');
});

test('the data directory is described with the bytes of each partition', async () => {
  const rig = await start();
  const bytes = batch(['a'], {}, rig.sim.io.clock.now());
  await rig.produce(9, bytes);
  const whole = await rig.ask(apis.describeLogDirs, 4, { topics: null });
  const [first] = whole.results;
  const sizes = first!.topics.flatMap(({ partitions }) => partitions.map(({ partitionSize }) => partitionSize));
  assert.deepEqual([first!.logDir, sizes], ['/data', [bytes.length, 0]]);
  assert.equal(first!.totalBytes, first!.usableBytes + bytes.length);
  const some = await rig.ask(apis.describeLogDirs, 4, { topics: [{ topic: 't', partitions: [1, 9] }] });
  assert.equal(some.results[0]!.topics[0]!.partitions.length, 1);
});
