/** `summarize` where time, limits and restarts matter; what it computes is in the corpus (`op-summarize-*`). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertBalanced, memoryCheckpoints, type Stand, standOf } from '../testing/index.ts';

const x = (...values: readonly number[]): { x: bigint }[] => values.map(value => ({ x: BigInt(value) }));

async function finish(stand: Stand): Promise<void> {
  stand.feed.end();
  await stand.pass(1_000);
  await stand.task.finished;
  assertBalanced(stand.report().ledger);
}

async function opened(text: string, options: Parameters<typeof standOf>[1] = {}): Promise<Stand> {
  const stand = await standOf(text, options);
  stand.sink('a').isOpen = true;
  return stand;
}

test('a timer begins with the first event, gives what came within it, and nothing when nothing came', async () => {
  for (const [mode, second] of [
    ['reset', '{"s":4}'],
    ['cumulative', '{"s":7}'],
  ] as const) {
    const stand = await opened(`feed\nsummarize s=sum(x), options={emit: 2s, mode: "${mode}"}\nhold "a"`);
    const { texts } = stand.sink('a');
    await stand.pass(5_000);
    stand.feed.send(...x(1));
    await stand.pass(1_500);
    stand.feed.send(...x(2));
    await stand.pass(400);
    assert.deepEqual(stand.sink('a').texts, []);
    await stand.pass(300);
    assert.deepEqual(stand.sink('a').texts, ['{"s":3}'], texts.join());
    await stand.pass(5_000);
    stand.feed.send(...x(4));
    await stand.pass(2_300);
    assert.deepEqual(stand.sink('a').texts, ['{"s":3}', second]);
    await finish(stand);
    assert.deepEqual(stand.sink('a').texts, ['{"s":3}', second], 'nothing is left for the end');
  }
});

test('with groups a timer gives those that got events, and the rest at the end', async () => {
  const stand = await opened('feed\nsummarize x, n=count(), options={emit: 1s, mode: "cumulative"}\nhold "a"');
  stand.feed.send(...x(1, 2));
  await stand.pass(1_200);
  stand.feed.send(...x(2));
  await finish(stand);
  assert.deepEqual(stand.sink('a').texts, ['{"x":1,"n":1}', '{"x":2,"n":1}', '{"x":2,"n":2}']);
});

test('beyond the limit an event is a dead letter with its reason; groups that are there go on', async () => {
  const stand = await opened('feed\nsummarize x, n=count(), options={limit: 2}\nhold "a"');
  stand.feed.send(...x(1, 2, 3, 1, 4));
  await finish(stand);
  assert.deepEqual(stand.sink('a').texts, ['{"x":1,"n":2}', '{"x":2,"n":1}']);
  assert.deepEqual(
    stand.letters.map(({ code, value }) => [code, Buffer.from(value!).toString()]),
    [
      ['MR6213', 'original 2'],
      ['MR6213', 'original 4'],
    ],
  );
  assert.match(stand.letters[0]!.message, /keeps 2 groups already/);
});

test('events that wait for the end are bounded as well, and are part of the state', async () => {
  const checkpoints = memoryCheckpoints();
  const text = 'feed\nsummarize s=sum(x), options={output: "events", limit: 3}\nhold "a"';
  const first = await opened(text, { checkpoints });
  first.feed.send(...x(1, 2));
  first.feed.cut('2', { urgent: true });
  await first.pass();
  first.task.drain();
  await first.pass();
  await first.task.finished;
  const second = await opened(text, { checkpoints });
  second.feed.send(...x(3, 4));
  second.feed.cut('4', { urgent: true });
  await finish(second);
  assert.deepEqual(second.sink('a').texts, ['{"x":1,"s":6}', '{"x":2,"s":6}', '{"x":3,"s":6}']);
  assert.match(second.letters[0]!.message, /keeps 3 events already/);
});

test('a count goes on where the state has it, with the event that waits for it', async () => {
  const text = 'feed\nsummarize s=sum(x), options={emit: 3, mode: "reset"}\nhold "a"';
  for (const more of [[], [3], [3, 4], [3, 4, 5, 6]]) {
    const checkpoints = memoryCheckpoints();
    const first = await opened(text, { checkpoints });
    first.feed.send(...x(1, 2));
    first.feed.cut('2', { urgent: true });
    await first.pass();
    first.task.drain();
    await first.pass();
    await first.task.finished;
    const second = await opened(text, { checkpoints });
    second.feed.send(...x(...more));
    second.feed.cut('end', { urgent: true });
    await finish(second);
    const whole = await opened(text);
    whole.feed.send(...x(1, 2, ...more));
    await finish(whole);
    assert.deepEqual(second.sink('a').texts, whole.sink('a').texts);
  }
});
