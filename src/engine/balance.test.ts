/** Balancing: who is asked, what is given back, what a failed body leaves behind, and that the ledger adds up throughout. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertBalanced, type Held, type HoldSink, type Stand, standOf, memoryCheckpoints } from '../testing/index.ts';
import { ledgerDefects } from './index.ts';

const BALANCE = 'let $to = ["a", "b", "c"]\nfeed\nload_balance $to { hold $to }';

function three(stand: Stand): readonly [HoldSink, HoldSink, HoldSink] {
  return [stand.sink('a'), stand.sink('b'), stand.sink('c')];
}

function events(from: number, count: number): { x: bigint }[] {
  return Array.from({ length: count }, (_, i) => ({ x: BigInt(from + i) }));
}

async function finish(stand: Stand): Promise<void> {
  stand.feed.end();
  await stand.pass(1_000);
  await stand.task.finished;
  assertBalanced(stand.report().ledger);
}

test('batches go to whoever is ready, in turn, and an epoch commits when all of them are settled', async () => {
  const stand = await standOf(BALANCE);
  const [a, b, c] = three(stand);
  for (let i = 0; i < 3; i++) stand.feed.send(...events(i, 1));
  stand.feed.cut('3');
  await stand.pass();
  assert.deepEqual([a.texts, b.texts, c.texts], [['{"x":0}'], ['{"x":1}'], ['{"x":2}']]);
  a.writes[0]!.deliver();
  c.writes[0]!.deliver();
  await stand.pass();
  assert.deepEqual(stand.feed.commits, []);
  b.writes[0]!.deliver();
  await stand.pass();
  assert.deepEqual(stand.feed.commits, ['3']);
  await finish(stand);
});

test('a body that is not ready is passed over; when none is, the source waits', async () => {
  const stand = await standOf(BALANCE);
  const [a, b, c] = three(stand);
  a.isUp = false;
  for (let i = 0; i < 4; i++) stand.feed.send(...events(i, 1));
  await stand.pass();
  assert.deepEqual([a.texts.length, b.texts.length, c.texts.length], [0, 2, 2]);
  b.isUp = false;
  c.isUp = false;
  for (let i = 4; i < 8; i++) stand.feed.send(...events(i, 1));
  await stand.pass(1_000);
  assert.equal(a.texts.length + b.texts.length + c.texts.length, 4, 'nothing more is taken');
  assert.equal(stand.line('3').held, 1, 'one batch waits before the balance');
  a.up();
  await stand.pass();
  assert.deepEqual(a.texts, ['{"x":4}', '{"x":5}', '{"x":6}', '{"x":7}']);
  for (const sink of [a, b, c]) for (const held of sink.writes) held.deliver();
  await finish(stand);
});

test('rows given back go to another body as they came, also through stages that change them', async () => {
  const stand = await standOf(
    'let $to = ["a", "b"]\nfeed\nload_balance $to {\n  where x != 2\n  x = x * 10\n  if x > 20 { y = $to } else { pass }\n  echo\n  hold $to\n}',
  );
  const [a, b] = [stand.sink('a'), stand.sink('b')];
  stand.feed.send(...events(1, 5));
  stand.feed.cut('5');
  await stand.pass();
  assert.deepEqual(a.texts, ['{"x":30,"y":"a"}', '{"x":40,"y":"a"}', '{"x":50,"y":"a"}', '{"x":10}']);
  const [high, low] = a.writes;
  a.isUp = false;
  high!.giveBack([0, 2]);
  high!.delivery.delivered(1);
  low!.deliver();
  await stand.pass();
  assert.deepEqual(b.texts, ['{"x":30,"y":"b"}', '{"x":50,"y":"b"}']);
  assert.deepEqual(stand.feed.commits, []);
  for (const held of b.writes) held.deliver();
  await stand.pass();
  assert.deepEqual(stand.feed.commits, ['5']);
  assert.deepEqual(stand.line('3').ways, { '#1': 5, '#2': 2 });
  assert.equal(stand.line('3').returned, 2);
  await finish(stand);
});

test('rows given back keep the epoch of their batch, whatever was cut behind it', async () => {
  const stand = await standOf('let $to = ["a", "b"]\nfeed\nload_balance $to { hold $to }');
  const [a, b] = [stand.sink('a'), stand.sink('b')];
  b.isUp = false;
  for (let i = 0; i < 3; i++) {
    stand.feed.send(...events(i, 1));
    stand.feed.cut(String(i + 1));
  }
  await stand.pass();
  for (const held of a.writes.slice(1)) held.deliver();
  await stand.pass();
  assert.deepEqual(stand.feed.commits, []);
  a.isUp = false;
  a.writes[0]!.giveBack();
  b.up();
  await stand.pass();
  assert.deepEqual(b.texts, ['{"x":0}']);
  assert.deepEqual(stand.feed.commits, []);
  b.writes[0]!.deliver();
  await stand.pass();
  assert.equal(stand.feed.commits.at(-1), '3');
  await finish(stand);
});

test('a body that fails is set aside with a warning, its batches go to the others, and it comes back', async () => {
  const stand = await standOf(BALANCE);
  const [a, b, c] = three(stand);
  for (let i = 0; i < 2; i++) stand.feed.send(...events(i, 1));
  stand.feed.cut('2');
  await stand.pass();
  assert.equal(a.texts.length, 1);
  a.failure = new Error('out of order');
  stand.feed.send(...events(2, 1));
  stand.feed.send(...events(3, 1));
  stand.feed.cut('4');
  await stand.pass();
  assert.equal(a.isAborted, true);
  assert.equal(stand.task.report().state, 'running');
  assert.match(stand.warnings.join(), /body 1 of load_balance failed: out of order/);
  const taken = [...b.texts, ...c.texts].sort();
  assert.deepEqual(taken, ['{"x":0}', '{"x":1}', '{"x":2}', '{"x":3}'], 'also what it had and had not settled');
  assert.equal(stand.line('3').possibleDuplicates, 2);
  a.writes[0]!.deliver();
  for (const sink of [b, c]) for (const held of sink.writes) held.deliver();
  await stand.pass();
  assert.equal(stand.feed.commits.at(-1), '4');
  await stand.pass(2_000);
  const again = stand.sink('a');
  assert.notEqual(again, a);
  for (let i = 4; i < 7; i++) stand.feed.send(...events(i, 1));
  await stand.pass();
  assert.equal(again.texts.length, 1);
  again.writes[0]!.deliver();
  b.writes.at(-1)!.deliver();
  c.writes.at(-1)!.deliver();
  await finish(stand);
  assert.deepEqual(ledgerDefects(stand.report().ledger), []);
});

test('the failure of a body that keeps states is the pipeline’s', async () => {
  const stand = await standOf('let $to = ["a", "b"]\nfeed\nload_balance $to { head 5\n echo\n hold $to }');
  stand.feed.send({ fail: true });
  await stand.pass();
  await assert.rejects(stand.task.finished, /an event said so/);
});

test('states inside bodies belong to the epochs of the pipeline', async () => {
  const checkpoints = memoryCheckpoints();
  const text = 'let $to = ["a", "b"]\nfeed\nload_balance $to { summarize n=count(), s=sum(x)\n hold $to }';
  const first = await standOf(text, { checkpoints });
  for (let i = 0; i < 4; i++) first.feed.send(...events(i, 1));
  first.feed.cut('4', { urgent: true });
  await first.pass();
  for (let i = 4; i < 6; i++) first.feed.send(...events(i, 1));
  await first.pass();
  assert.deepEqual(first.feed.commits, ['4']);
  first.task.abort('killed');
  const second = await standOf(text, { checkpoints });
  assert.deepEqual(second.feed.restored, ['4']);
  for (let i = 4; i < 6; i++) second.feed.send(...events(i, 1));
  second.feed.cut('6', { urgent: true });
  await second.pass();
  for (const name of ['a', 'b']) second.sink(name).isOpen = true;
  await finish(second);
  const sums = ['a', 'b'].flatMap(name =>
    second.sink(name).texts.map(text => JSON.parse(text) as { n: number; s: number }),
  );
  assert.equal(
    sums.reduce((total, { n }) => total + n, 0),
    6,
  );
  assert.equal(
    sums.reduce((total, { s }) => total + s, 0),
    15,
  );
});

test('bodies that want no more are asked no more, and the source stops when all are like that', async () => {
  const stand = await standOf('let $to = ["a", "b"]\nfeed\nload_balance $to { head 2\n hold $to }');
  const [a, b] = [stand.sink('a'), stand.sink('b')];
  a.isOpen = b.isOpen = true;
  for (let i = 0; i < 6; i++) stand.feed.send(...events(i, 1));
  await stand.pass(500);
  assert.equal(a.texts.length + b.texts.length, 4);
  assert.equal(stand.feed.isStopped, true);
  await stand.task.finished;
  assertBalanced(stand.report().ledger);
});

test('at the end, rows that come back again and again are delivered before anything is closed', async () => {
  const stand = await standOf('let $to = ["a", "b"]\nfeed\nload_balance $to { hold $to }');
  const [a, b] = [stand.sink('a'), stand.sink('b')];
  stand.feed.send(...events(0, 1));
  stand.feed.cut('1');
  stand.feed.end();
  await stand.pass();
  const settled = new Set<Held>();
  const open = (): Held => [...a.writes, ...b.writes].find(held => !settled.has(held))!;
  for (let round = 0; round < 4; round++) {
    const held = open();
    settled.add(held);
    held.giveBack();
    await stand.pass();
  }
  assert.ok(a.writes.length > 0 && b.writes.length > 0);
  assert.equal(a.isClosed || b.isClosed, false);
  open().deliver();
  await stand.pass();
  await stand.task.finished;
  assert.deepEqual(stand.feed.commits, ['1']);
  assertBalanced(stand.report().ledger);
});

test('a watermark passes when everything before it is settled, and each body learns of it before its next batch', async () => {
  const stand = await standOf('let $to = ["a", "b"]\nfeed\nload_balance $to { hold $to }');
  const [a, b] = [stand.sink('a'), stand.sink('b')];
  stand.feed.send(...events(0, 1));
  stand.feed.send(...events(1, 1));
  stand.feed.watermark(100);
  await stand.pass();
  a.writes[0]!.deliver();
  stand.feed.send(...events(2, 1));
  await stand.pass();
  assert.equal(stand.line('3.1#1').watermarkMs, undefined);
  b.writes[0]!.deliver();
  stand.feed.send(...events(3, 1));
  await stand.pass();
  assert.equal(stand.line('3.1#2').watermarkMs, 100);
  assert.equal(stand.line('3').watermarkMs, 100);
});

test('a balance inside a body of another one balances there', async () => {
  const stand = await standOf(
    'let $outer = ["p", "q"]\nfeed\nload_balance $outer {\n  let $inner = [f"{$outer}1", f"{$outer}2"]\n  load_balance $inner { hold $inner }\n}',
  );
  for (let i = 0; i < 8; i++) stand.feed.send(...events(i, 1));
  stand.feed.cut('8');
  await stand.pass();
  const sinks = ['p1', 'p2', 'q1', 'q2'].map(name => stand.sink(name));
  assert.equal(
    sinks.reduce((sum, { texts }) => sum + texts.length, 0),
    8,
  );
  for (const { texts } of sinks) assert.ok(texts.length >= 1);
  for (const { writes } of sinks) for (const held of writes) held.deliver();
  await stand.pass();
  assert.deepEqual(stand.feed.commits, ['8']);
  await finish(stand);
});
