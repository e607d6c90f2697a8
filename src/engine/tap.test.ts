/** Taps: every edge can be looked at, samples are bounded, and a row has the same id wherever it is seen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Stand, standOf } from '../testing/index.ts';
import { compileTql, SourceText } from '../lang/index.ts';
import { compilePredicate, type Predicate } from './index.ts';

const TEXT = `let $to = ["a", "b"]
feed
where x > 0
if x > 2 { y = 1 } else { z = 1 }
fork { hold "copy" }
load_balance $to { w = $to
 hold $to }`;

async function stand(): Promise<Stand> {
  const made = await standOf(TEXT);
  for (const name of ['a', 'b', 'copy']) made.sink(name).isOpen = true;
  return made;
}

async function predicateOf(text: string, made: Stand): Promise<Predicate> {
  const options = { id: 'tap', hasImplicitEnds: true };
  const { plan } = compileTql(new SourceText('<where>', `where ${text}`), made.registry, options);
  return compilePredicate(plan, { io: made.io, registry: made.registry });
}

const events = [0, 1, 2, 3].map(value => ({ x: BigInt(value) }));

test('every edge can be tapped, by id, by way and by operator; without a name it is what ends the pipeline', async () => {
  const made = await stand();
  const open = (stage?: string): { take(): { samples: readonly string[] } } => made.task.tap(stage, undefined, 100);
  const taps = {
    2: open('2'),
    feed: open('feed'),
    where: open('where'),
    '4.then': open('4.then'),
    '4.else': open('4.else'),
    4: open('4'),
    '5.fork': open('5.fork'),
    '6.#1': open('6.#1'),
    '6.1': open('6.1'),
    last: open(),
  };
  made.feed.send(...events);
  await made.pass();
  const seen = Object.fromEntries(Object.entries(taps).map(([name, tap]) => [name, tap.take().samples]));
  const all = ['{"x":0}', '{"x":1}', '{"x":2}', '{"x":3}'];
  const low = ['{"x":1,"z":1}', '{"x":2,"z":1}'];
  assert.deepEqual(seen, {
    2: all,
    feed: all,
    where: all.slice(1),
    '4.then': ['{"x":3}'],
    '4.else': ['{"x":1}', '{"x":2}'],
    4: ['{"x":3,"y":1}', ...low],
    '5.fork': ['{"x":3,"y":1}', ...low],
    '6.#1': ['{"x":3,"y":1}'],
    '6.1': ['{"x":3,"y":1,"w":"a"}', '{"x":1,"z":1,"w":"b"}', '{"x":2,"z":1,"w":"b"}'],
    last: ['{"x":3,"y":1}', ...low],
  });
});

test('a name that several stages have is refused with their ids, an unknown one with all', async () => {
  const made = await stand();
  assert.throws(() => made.task.tap('hold', undefined, 1), { code: 'MR6216', message: /5\.1, 6\.2$/ });
  assert.throws(() => made.task.tap('nowhere', undefined, 1), { code: 'MR6209', message: /2 \(feed\), 3 \(where\)/ });
});

test('a row has one id on every edge, whatever was made of it, and knows where it came from', async () => {
  const made = await stand();
  const [first, last] = [made.task.tap('feed', undefined, 10), made.task.tap('6.1', undefined, 10)];
  made.feed.send(...events);
  await made.pass();
  const before = first.take();
  const behind = last.take();
  for (const [i, { origin, row }] of behind.rows.entries()) {
    const at = before.rows.findIndex(other => other.row === row);
    const [left, right] = [before.samples[at]!, behind.samples[i]!].map(text => (JSON.parse(text) as { x: number }).x);
    assert.equal(left, right);
    assert.equal(origin, before.rows[at]!.origin);
    assert.equal(origin, `t/0/${left}`);
  }
  assert.equal(new Set(before.rows.map(({ row }) => row)).size, 4);
});

test('a condition is evaluated at the edge; a full ring drops samples and counts them; closing ends it', async () => {
  const made = await stand();
  const tap = made.task.tap('feed', await predicateOf('x > 0', made), 2);
  made.feed.send(...events);
  await made.pass();
  const report = tap.take();
  assert.deepEqual(report.samples, ['{"x":1}', '{"x":2}']);
  assert.deepEqual([report.seen, report.matched, report.dropped], [4, 3, 1]);
  made.feed.send(...events);
  await made.pass();
  assert.equal(tap.take().samples.length, 2, 'the ring is free again');
  tap.close();
  made.feed.send(...events);
  await made.pass();
  const after = tap.take();
  assert.deepEqual([after.samples, after.seen], [[], 8]);
  assert.deepEqual(made.sink('copy').texts.length, 9, 'the stream had all of them');
});

test('the ring is bounded in characters, too', async () => {
  const made = await stand();
  const tap = made.task.tap('feed', undefined, 1_000);
  const text = 'y'.repeat(1024 * 1024);
  for (let i = 0; i < 6; i++) made.feed.send({ x: 0n, text });
  await made.pass();
  const { dropped, samples } = tap.take();
  assert.equal(samples.length, 3);
  assert.equal(dropped, 3);
});
