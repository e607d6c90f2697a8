/** Transactions over the wire, in both of their protocols: what readers see, who is fenced, what a crash leaves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimBroker } from '../testing/index.ts';
import { apis } from '../wire/index.ts';
import { batch, Rig } from './rig-cases.ts';
import { type Protocol, readAll, TransactionClient } from './transaction-cases.ts';

async function rigOf(): Promise<Rig> {
  const sim = await SimBroker.start();
  const rig = new Rig(sim, await sim.client());
  await rig.topic('t', 3);
  return rig;
}

async function begun(rig: Rig, id = 'x', protocol: Protocol = 1): Promise<TransactionClient> {
  const client = new TransactionClient(rig, id, protocol);
  assert.equal(await client.init(), 0);
  return client;
}

/** Adds in the way of the protocol: from 2 on the batch does it by itself. */
async function write(client: TransactionClient, values: readonly string[], index = 0): Promise<void> {
  if (client.protocol === 1) assert.equal(await client.add([index]), 0);
  assert.equal(await client.produce(values, index), 0);
}

async function committedOffset(rig: Rig, requireStable = false): Promise<{ offset: number; error: number }> {
  const answer = await rig.ask(apis.offsetFetch, 7, {
    groupId: 'g',
    topics: [{ name: 't', partitionIndexes: [0] }],
    requireStable,
  });
  const { committedOffset: offset, errorCode } = answer.topics[0]!.partitions[0]!;
  return { offset, error: errorCode };
}

for (const protocol of [1, 2] as const) {
  test(`protocol ${protocol}: what is committed is seen, what is aborted or open is not`, async () => {
    const rig = await rigOf();
    const x = await begun(rig, 'x', protocol);
    const y = await begun(rig, 'y', protocol);
    await write(x, ['a', 'b']);
    assert.deepEqual(await readAll(rig, true), { values: [], lastStable: 0, end: 2 });
    assert.deepEqual((await readAll(rig, false)).values, ['a', 'b']);
    assert.equal(await rig.produce(9, batch(['plain'], {}, rig.sim.io.clock.now())), 0);
    await write(y, ['c']);
    assert.equal(await x.end(true), 0);
    assert.deepEqual((await readAll(rig, true)).values, ['a', 'b', 'plain'], 'the open one holds back what follows');
    await write(x, ['d']);
    assert.equal(await y.end(false), 0);
    assert.equal(await x.end(true), 0);
    const read = await readAll(rig, true);
    assert.deepEqual(read.values, ['a', 'b', 'plain', 'd']);
    assert.equal(read.lastStable, read.end);
    assert.deepEqual((await readAll(rig, false)).values, ['a', 'b', 'plain', 'c', 'd']);
  });

  test(`protocol ${protocol}: a transaction over partitions and offsets ends as one, and survives a crash`, async () => {
    const rig = await rigOf();
    const x = await begun(rig, 'x', protocol);
    for (const index of [0, 1, 2]) await write(x, [`p${index}`], index);
    if (protocol === 1) assert.equal(await x.addGroup(), 0);
    assert.equal(await x.commitOffset(7), 0);
    assert.deepEqual(await committedOffset(rig), { offset: -1, error: 0 });
    assert.deepEqual(await committedOffset(rig, true), { offset: -1, error: 88 });
    assert.equal(await x.end(true), 0);
    await rig.restart();
    for (const index of [0, 1, 2]) assert.deepEqual((await readAll(rig, true, index)).values, [`p${index}`]);
    assert.deepEqual(await committedOffset(rig, true), { offset: 7, error: 0 });
  });

  test(`protocol ${protocol}: an open transaction is still open behind a crash, and its end is what it was`, async () => {
    const rig = await rigOf();
    const x = await begun(rig, 'x', protocol);
    await write(x, ['a']);
    await rig.restart();
    assert.deepEqual(await readAll(rig, true), { values: [], lastStable: 0, end: 1 });
    assert.equal(await x.produce(['b']), 0);
    assert.equal(await x.end(true), 0);
    assert.deepEqual((await readAll(rig, true)).values, ['a', 'b']);
    await write(x, ['c']);
    assert.equal(await x.end(false), 0);
    await rig.restart();
    assert.deepEqual((await readAll(rig, true)).values, ['a', 'b']);
  });

  test(`protocol ${protocol}: a new producer of the id fences the old one, whose transaction is aborted`, async () => {
    const rig = await rigOf();
    const old = await begun(rig, 'x', protocol);
    await write(old, ['lost']);
    const fresh = await begun(rig, 'x', protocol);
    assert.equal(fresh.producerId, old.producerId);
    assert.ok(fresh.producerEpoch > old.producerEpoch);
    assert.equal(await old.produce(['zombie']), 47);
    assert.equal(await old.add([1]), 90);
    assert.equal(await old.end(true), 90);
    await write(fresh, ['kept']);
    assert.equal(await fresh.end(true), 0);
    assert.deepEqual((await readAll(rig, true)).values, ['kept']);
  });

  test(`protocol ${protocol}: a transaction that is open for too long is aborted, and its producer fenced`, async () => {
    const rig = await rigOf();
    const x = new TransactionClient(rig, 'x', protocol);
    assert.equal(await x.init(20_000), 0);
    await write(x, ['a']);
    await rig.sim.pass(15_000);
    assert.equal((await readAll(rig, true)).lastStable, 0);
    await rig.sim.pass(20_000);
    const read = await readAll(rig, true);
    assert.deepEqual([read.values, read.lastStable], [[], read.end]);
    assert.equal(await x.produce(['late']), 47);
    assert.equal(await x.end(true), 90);
    assert.equal(await x.init(), 0);
    await write(x, ['b']);
    assert.equal(await x.end(true), 0);
    assert.deepEqual((await readAll(rig, true)).values, ['b']);
  });
}

test('with an epoch for each transaction a delayed request cannot meet the next one', async () => {
  const rig = await rigOf();
  const x = await begun(rig, 'x', 2);
  await write(x, ['a']);
  const before = x.copy();
  assert.equal(await x.end(true), 0);
  assert.ok(x.producerEpoch > before.producerEpoch);
  assert.equal(await before.produce(['late']), 47);
  const again = before.copy();
  assert.equal(await again.end(true), 0, 'the answer was lost: it is given again');
  assert.deepEqual([again.producerId, again.producerEpoch], [x.producerId, x.producerEpoch]);
  assert.equal(await before.copy().end(false), 90, 'what was committed is not aborted later');
  await write(x, ['b']);
  assert.equal(await before.copy().end(false), 90);
  assert.equal(await x.end(true), 0);
  assert.deepEqual((await readAll(rig, true)).values, ['a', 'b']);
});

test('an end is repeated below version 5, and another end of nothing is refused', async () => {
  const rig = await rigOf();
  const x = await begun(rig);
  await write(x, ['a']);
  assert.equal(await x.end(true), 0);
  assert.equal(await x.end(true), 0);
  assert.equal(await x.end(false), 48);
  assert.deepEqual((await readAll(rig, true)).values, ['a']);
});

test('InitProducerId that names what it has is answered the same again, unless somebody else came between', async () => {
  const rig = await rigOf();
  const x = await begun(rig);
  const before = x.copy();
  assert.equal(await x.init(60_000, true), 0);
  const again = before.copy();
  assert.equal(await again.init(60_000, true), 0);
  assert.deepEqual([again.producerId, again.producerEpoch], [x.producerId, x.producerEpoch]);
  await begun(rig);
  assert.equal(await x.init(60_000, true), 90);
});

test('epochs that are used up give a new producer id', async () => {
  const rig = await rigOf();
  const x = await begun(rig, 'x', 2);
  const { producerId } = x;
  const transaction = rig.sim.coordination.transactions.find('', 'x')!;
  transaction.producer = { producerId, producerEpoch: 32_766 };
  x.producerEpoch = 32_766;
  assert.equal(await x.produce(['a']), 0);
  assert.equal(await x.end(true), 0);
  assert.notEqual(x.producerId, producerId);
  assert.equal(x.producerEpoch, 0);
  await write(x, ['b']);
  assert.equal(await x.end(true), 0);
  assert.deepEqual((await readAll(rig, true)).values, ['a', 'b']);
});

test('ids that nobody uses are forgotten, durably', async () => {
  const rig = await rigOf();
  const x = await begun(rig);
  await rig.sim.pass(604_800_000 + 20_000);
  assert.equal(rig.sim.coordination.transactions.find('', 'x'), undefined);
  await rig.restart();
  assert.equal(await x.add(), 49);
  assert.equal(rig.sim.coordination.transactions.find('', 'x'), undefined);
});

test('a topic that is deleted leaves its transactions behind it', async () => {
  const rig = await rigOf();
  const x = await begun(rig);
  await write(x, ['a']);
  assert.equal(await rig.deleteTopic({ name: 't' }), 0);
  await rig.topic('t', 1);
  assert.equal(await x.end(true), 0);
  const read = await readAll(rig, true);
  assert.deepEqual([read.values, read.lastStable, read.end], [[], 0, 0]);
  await rig.restart();
  assert.equal(await x.add(), 0);
});

test('what is known of transactions is listed and described', async () => {
  const rig = await rigOf();
  const x = await begun(rig, 'x-1');
  await begun(rig, 'y');
  await write(x, ['a'], 2);
  const listed = await rig.ask(apis.listTransactions, 2, {
    ...{ stateFilters: ['Ongoing', 'Odd'], producerIdFilters: [], durationFilter: -1 },
    transactionalIdPattern: 'x-.*',
  });
  assert.deepEqual(listed.unknownStateFilters, ['Odd']);
  assert.deepEqual(
    listed.transactionStates.map(({ transactionalId, transactionState }) => [transactionalId, transactionState]),
    [['x-1', 'Ongoing']],
  );
  const described = await rig.ask(apis.describeTransactions, 0, { transactionalIds: ['x-1', 'z'] });
  const [found, missing] = described.transactionStates;
  assert.deepEqual(
    [found!.transactionState, found!.topics, missing!.errorCode],
    ['Ongoing', [{ topic: 't', partitions: [2] }], 105],
  );
  const producers = await rig.ask(apis.describeProducers, 0, { topics: [{ name: 't', partitionIndexes: [2] }] });
  const [active] = producers.topics[0]!.partitions[0]!.activeProducers;
  assert.deepEqual([active!.producerId, active!.currentTxnStartOffset], [x.producerId, 0]);
});

test('what was refused for want of space is no part of the transaction until it is durable', async () => {
  const rig = await rigOf();
  const x = await begun(rig, 'x', 2);
  const { disk } = rig.sim;
  disk.fullAt = disk.calls + 1;
  const refused = async (): Promise<void> => {
    assert.equal(await x.produce(['a']), 56);
    assert.equal(await x.commitOffset(7), 15);
  };
  await refused();
  disk.fullAt = Number.POSITIVE_INFINITY;
  await rig.sim.pass(6_000);
  assert.equal(await x.produce(['a']), 0);
  await rig.restart();
  const described = await rig.ask(apis.describeTransactions, 0, { transactionalIds: ['x'] });
  assert.equal(described.transactionStates[0]!.transactionState, 'Ongoing', 'the batch brought its row');
  assert.equal(await x.end(true), 0);
  assert.deepEqual((await readAll(rig, true)).values, ['a']);
  assert.deepEqual(await committedOffset(rig), { offset: -1, error: 0 }, 'offsets that were refused are not committed');
});
