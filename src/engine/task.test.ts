/** A running pipeline: epochs in flight, markers at fan-outs and joins, dead letters, `on_error`, credits, drain, failure. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeadLetter } from '../sdk/index.ts';
import { assertBalanced, memoryCheckpoints, type Stand, standOf } from '../testing/index.ts';

const x = (...values: readonly number[]): { x: bigint }[] => values.map(value => ({ x: BigInt(value) }));

async function finish(stand: Stand): Promise<void> {
  stand.feed.end();
  await stand.pass(1_000);
  await stand.task.finished;
  assertBalanced(stand.report().ledger);
}

test('several epochs are in flight; they commit in order, those that are covered together', async () => {
  const stand = await standOf('feed\nhold "a"');
  const sink = stand.sink('a');
  for (let i = 1; i <= 4; i++) {
    stand.feed.send(...x(i));
    stand.feed.cut(String(i));
  }
  await stand.pass();
  assert.equal(stand.report().openEpochs, 4);
  for (const held of sink.writes.slice(1)) held.deliver();
  await stand.pass();
  assert.deepEqual(stand.feed.commits, [], 'the first one is not settled');
  sink.writes[0]!.deliver();
  await stand.pass();
  assert.equal(stand.feed.commits.at(-1), '4');
  assert.equal(stand.report().openEpochs, 0);
  await finish(stand);
});

test('an epoch commits only when the copies of a fork and both ways of a branch are settled', async () => {
  const stand = await standOf('feed\nfork { hold "copies" }\nif x > 2 { hold "high" } else { y = 1 }\nhold "rest"');
  stand.feed.send(...x(1, 2, 3));
  stand.feed.cut('1');
  stand.feed.send(...x(4));
  await stand.pass();
  const [copies, high, rest] = ['copies', 'high', 'rest'].map(name => stand.sink(name)) as [
    ReturnType<Stand['sink']>,
    ReturnType<Stand['sink']>,
    ReturnType<Stand['sink']>,
  ];
  assert.deepEqual(copies.texts, ['{"x":1}', '{"x":2}', '{"x":3}', '{"x":4}']);
  assert.deepEqual(high.texts, ['{"x":3}', '{"x":4}']);
  assert.deepEqual(rest.texts, ['{"x":1,"y":1}', '{"x":2,"y":1}']);
  for (const sink of [copies, high, rest]) {
    assert.deepEqual(stand.feed.commits, []);
    for (const held of sink.writes) held.deliver();
    await stand.pass();
  }
  assert.deepEqual(stand.feed.commits, ['1']);
  assert.deepEqual(stand.line('2').ways, { fork: 4 });
  assert.deepEqual(stand.line('3').ways, { then: 2, else: 2 });
  await finish(stand);
});

test('where ways of a branch meet again, a marker comes once, behind everything of both', async () => {
  const checkpoints = memoryCheckpoints();
  const stand = await standOf('feed\nif x > 2 { y = 1 } else { z = 1 }\nsummarize n=count()\nhold "a"', {
    checkpoints,
  });
  stand.feed.send(...x(1, 2, 3));
  stand.feed.cut('3', { urgent: true });
  stand.feed.send(...x(4, 5));
  stand.feed.cut('5', { urgent: true });
  await stand.pass();
  assert.deepEqual(stand.feed.commits.at(-1), '5');
  assert.match(checkpoints.saved.get('stand')!.states['3']!, /5/);
  stand.sink('a').isOpen = true;
  await finish(stand);
  assert.deepEqual(stand.sink('a').texts, ['{"n":5}']);
});

test('a refused event is a dead letter with its key, value, headers and place, durable before its epoch commits', async () => {
  const stand = await standOf('feed\ny = x + 1\nhold "a"');
  stand.feed.send(...x(1, 2));
  stand.feed.cut('2');
  await stand.pass();
  const [held] = stand.sink('a').writes;
  held!.refuse(1, { code: 'MR7', message: 'refused', position: 3 });
  held!.delivery.delivered(1);
  await stand.pass();
  assert.deepEqual(stand.feed.commits, ['2']);
  const [letter] = stand.letters;
  assert.deepEqual(
    { ...letter, key: String(letter!.key), value: String(letter!.value), headers: undefined, timeMs: 0 },
    {
      pipelineId: 'stand',
      stageId: '3',
      code: 'MR7',
      message: 'refused',
      origin: 't/0/1',
      position: 3,
      timeMs: 0,
      key: '107,49',
      value: [...Buffer.from('original 1')].join(),
      headers: undefined,
    },
  );
  assert.deepEqual(
    letter!.headers.map(([name, value]) => `${name}=${Buffer.from(value!)}`),
    ['h=v'],
  );
  assert.deepEqual(stand.line('3').refusals, { MR7: 1 });
  await finish(stand);
});

test('a dead letter that cannot be written holds the epoch, shows why, and goes when it can', async () => {
  const written: DeadLetter[] = [];
  let refusal: string | undefined = 'the disk is full';
  const deadLetters = {
    write: (letters: readonly DeadLetter[]) => {
      if (refusal !== undefined) return Promise.reject(new Error(refusal));
      written.push(...letters);
      return Promise.resolve();
    },
  };
  const stand = await standOf('feed\nhold "a"', { deadLetters });
  stand.feed.send(...x(1));
  stand.feed.cut('1');
  await stand.pass();
  stand.sink('a').writes[0]!.refuse(0);
  await stand.pass(10_000);
  assert.deepEqual(stand.feed.commits, []);
  assert.match(stand.report().reason ?? '', /MR|dead letters of pipeline stand cannot be written: the disk is full/);
  refusal = undefined;
  await stand.pass(2_000);
  assert.deepEqual(stand.feed.commits, ['1']);
  assert.equal(written.length, 1);
  assert.equal(stand.report().reason, undefined);
  await finish(stand);
});

test('dead letters that wait are bounded: the source stops until they can be written', async () => {
  let isFull = true;
  const written: DeadLetter[] = [];
  const deadLetters = {
    write: (letters: readonly DeadLetter[]) =>
      isFull ? Promise.reject(new Error('full')) : Promise.resolve(void written.push(...letters)),
  };
  const stand = await standOf('feed\nhold "a"', { deadLetters });
  const message = 'x'.repeat(1_000);
  for (let i = 0; i < 100; i++) {
    stand.feed.send(...Array.from({ length: 1_000 }, (_, row) => ({ x: BigInt(i * 1_000 + row) })));
    await stand.pass();
    const held = stand.sink('a').writes[i];
    if (!held) break;
    for (let row = 0; row < 1_000; row++) held.refuse(row, { code: 'MR1', message });
  }
  const before = stand.sink('a').writes.length;
  assert.ok(before < 60, `stopped after ${before} batches`);
  isFull = false;
  await stand.pass(5_000);
  assert.ok(stand.sink('a').writes.length > before);
});

test('`on_error: drop` counts and keeps nothing; `stop` ends the pipeline and commits nothing', async () => {
  const dropping = await standOf('feed\nhold "a"', { onError: 'drop' });
  dropping.feed.send(...x(1, 2));
  dropping.feed.cut('2');
  await dropping.pass();
  const [held] = dropping.sink('a').writes;
  held!.refuse(0, { code: 'MR5', message: 'no' });
  held!.delivery.delivered(1);
  await dropping.pass();
  assert.deepEqual(dropping.feed.commits, ['2']);
  assert.deepEqual(dropping.letters, []);
  assert.equal(dropping.line('2').dropped, 1);
  assert.deepEqual(dropping.line('2').refusals, { MR5: 1 });
  await finish(dropping);

  const stopping = await standOf('feed\nhold "a"', { onError: 'stop' });
  stopping.feed.send(...x(1));
  stopping.feed.cut('1');
  await stopping.pass();
  stopping.sink('a').writes[0]!.refuse(0, { code: 'MR5', message: 'no such index' });
  await assert.rejects(stopping.task.finished, {
    code: 'MR6218',
    message: /stage 2 refused an event \(MR5\): no such/,
  });
  assert.deepEqual(stopping.feed.commits, []);
  assert.equal(stopping.report().mayRestart, false, 'it would meet the same event again');
});

test('a sink that holds stops the source at the credits of the pipeline; what is held is bounded and goes on', async () => {
  const stand = await standOf('feed\nwhere x == 0\nhold "a"', { bytesMax: 500 });
  for (let i = 0; i < 50; i++) stand.feed.send(...Array.from({ length: 100 }, (_, row) => ({ x: BigInt(row) })));
  await stand.pass(1_000);
  assert.equal(stand.sink('a').texts.length, 5, 'one event of each batch keeps it all');
  assert.equal(stand.report().buffers[0]!.bytes, 500);
  assert.ok(stand.sink('a').flushes > 0, 'the sink was asked to send');
  stand.sink('a').isOpen = true;
  for (const held of stand.sink('a').writes) held.deliver();
  await finish(stand);
  assert.equal(stand.sink('a').texts.length, 50);
  assert.equal(stand.report().buffers[0]!.bytes, 0);
});

test('a failure commits nothing more, closes the source, and lets go of every batch', async () => {
  const stand = await standOf('feed\nfork { hold "b" }\necho\nhold "a"');
  stand.feed.send({ x: 1n });
  stand.feed.cut('1');
  await stand.pass();
  stand.feed.send({ fail: true });
  await stand.pass();
  await assert.rejects(stand.task.finished, /an event said so/);
  stand.sink('a').writes[0]!.deliver();
  for (const held of stand.sink('b').writes) held.deliver();
  await stand.pass(1_000);
  assert.deepEqual(stand.feed.commits, []);
  assert.equal(stand.feed.isClosed, true);
  assert.equal(stand.sink('a').isAborted && stand.sink('b').isAborted, true);
  assert.equal(stand.report().buffers[0]!.bytes, 0, 'all credits came back');
  assert.equal(stand.report().state, 'failed');
  assert.match(stand.report().reason ?? '', /stage 3 \(echo\) of pipeline stand failed: echo: an event said so/);
  assert.deepEqual(stand.line('3').errors, { failure: 1 });
});

test('a batch that waits in a balance when the pipeline is aborted is let go of, and nobody waits for ever', async () => {
  const stand = await standOf('let $to = ["a"]\nfeed\nload_balance $to { hold $to }');
  stand.sink('a').isUp = false;
  stand.feed.send(...x(1));
  stand.feed.send(...x(2));
  await stand.pass();
  stand.task.abort('over');
  await stand.pass();
  assert.equal(stand.report().buffers[0]!.bytes, 0);
});

test('a drained pipeline keeps what waits for the end of the data in its state, and goes on from there', async () => {
  const checkpoints = memoryCheckpoints();
  const text = 'feed\nsummarize n=count(), s=sum(x)\nhold "a"';
  const first = await standOf(text, { checkpoints });
  first.feed.send(...x(1, 2));
  first.feed.cut('2', { urgent: true });
  await first.pass();
  first.task.drain();
  await first.pass();
  await first.task.finished;
  assert.equal(first.report().state, 'stopped');
  assert.deepEqual(first.sink('a').texts, []);
  const second = await standOf(text, { checkpoints });
  second.sink('a').isOpen = true;
  second.feed.send(...x(3));
  second.feed.cut('3', { urgent: true });
  await finish(second);
  assert.deepEqual(second.sink('a').texts, ['{"n":3,"s":6}']);
  const third = await standOf(text, { checkpoints });
  third.sink('a').isOpen = true;
  third.feed.send(...x(10));
  await finish(third);
  assert.deepEqual(third.sink('a').texts, ['{"n":1,"s":10}'], 'results that were given are given once');
});

test('where no progress is kept, a drained pipeline gives what it has', async () => {
  const stand = await standOf('feed\nsummarize n=count()\nhold "a"');
  stand.sink('a').isOpen = true;
  stand.feed.send(...x(1, 2));
  await stand.pass();
  stand.task.drain();
  await stand.pass();
  await stand.task.finished;
  assert.deepEqual(stand.sink('a').texts, ['{"n":2}']);
});

test('kill and restore behind every n events gives what an undisturbed run gives', async () => {
  const text = 'feed\nsummarize g, n=count(), s=sum(x), lo=min(x), hi=max(x), m=mean(x)\nhold "a"';
  const all = Array.from({ length: 12 }, (_, i) => ({ g: `g${i % 3}`, x: BigInt((i * 7) % 11) }));
  const expected = ['g0', 'g1', 'g2'].map(g => {
    const values = all.filter(event => event.g === g).map(event => Number(event.x));
    const sum = values.reduce((total, value) => total + value, 0);
    return { g, n: 4, s: sum, lo: Math.min(...values), hi: Math.max(...values), m: sum / 4 };
  });
  for (let every = 1; every <= all.length; every++) {
    const checkpoints = memoryCheckpoints();
    for (let from = 0; from < all.length; ) {
      const stand = await standOf(text, { checkpoints });
      assert.deepEqual(stand.feed.restored, [from === 0 ? undefined : String(from)]);
      const to = Math.min(all.length, from + every);
      for (const event of all.slice(from, to)) stand.feed.send(event);
      stand.feed.cut(String(to), { urgent: true });
      // Read behind the last epoch and lost with the kill: they come again.
      for (const event of all.slice(to, to + 2)) stand.feed.send(event);
      await stand.pass();
      assert.equal(stand.feed.commits.at(-1), String(to));
      if (to < all.length) stand.task.abort('killed');
      else {
        stand.sink('a').isOpen = true;
        await finish(stand);
        assert.deepEqual(
          stand.sink('a').texts.map(line => JSON.parse(line) as unknown),
          expected,
          `every ${every}`,
        );
      }
      from = to;
    }
  }
});

test('while snapshots are large, epochs that come too soon are left out, but not the last', async () => {
  const checkpoints = memoryCheckpoints();
  const stand = await standOf('feed\nsummarize n=count()\nhold "a"', { checkpoints });
  const { clock } = stand.io;
  const { monotonic } = clock;
  let extra = 0;
  // Every look at the clock takes 1 ms: so a snapshot takes some of them.
  Object.assign(clock, { monotonic: () => monotonic() + extra++ });
  for (let i = 1; i <= 20; i++) {
    stand.feed.send(...x(i));
    stand.feed.cut(String(i));
  }
  await stand.pass();
  assert.ok(stand.feed.commits.length < 10, `${stand.feed.commits.length} commits`);
  extra += 1_000;
  await stand.pass(200);
  assert.equal(stand.feed.commits.at(-1), '20', 'with the next tick');
});

test('watermarks pass a fork and a branch behind what they follow, and reach every sink', async () => {
  const stand = await standOf('feed\nfork { hold "b" }\nif x > 1 { y = 1 } else { z = 1 }\nhold "a"');
  stand.feed.send(...x(1, 2));
  stand.feed.watermark(100);
  await stand.pass();
  assert.equal(stand.line('2.1').watermarkMs, 100);
  assert.equal(stand.line('4').watermarkMs, 100);
});

test('how long events were under way is known of each sink, by rows', async () => {
  const stand = await standOf('feed\ny = x\nsummarize n=count()\nhold "a"');
  stand.feed.send(...x(1, 2, 3));
  await stand.pass(30);
  stand.feed.end();
  await stand.pass();
  await stand.pass(100);
  stand.sink('a').writes[0]!.deliver();
  await stand.pass();
  const { latency } = stand.line('4');
  assert.equal(
    latency!.counts.reduce((sum, count) => sum + count, 0),
    1,
  );
  assert.ok(latency!.sumMs >= 100, String(latency!.sumMs));
});

test('an argument that is known only at the start is checked there', async () => {
  await assert.rejects(
    standOf('let $n = random() * 0 - 1\nfeed\nto_splunk "http://h", hec_token="t", buffer_timeout=1s * $n'),
    /to_splunk: `buffer_timeout` must be greater than zero/,
  );
});
