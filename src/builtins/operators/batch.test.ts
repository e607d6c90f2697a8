/** `batch`: by number, by bytes, by time and by name; nothing is held across an epoch, and no memory behind it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Value } from '../../data/index.ts';
import { standOf, type Stand } from '../../testing/index.ts';

const x = (from: number, to: number, more: Readonly<Record<string, Value>> = {}): Record<string, Value>[] =>
  Array.from({ length: to - from }, (_, i) => ({ x: BigInt(from + i), ...more }));

async function opened(operator: string): Promise<Stand> {
  const stand = await standOf(`feed\n${operator}\nhold "a"`);
  stand.sink('a').isOpen = true;
  return stand;
}

const sizes = (stand: Stand): readonly number[] => stand.sink('a').writes.map(({ batch }) => batch.count);

test('batches are cut and joined to the size, in order', async () => {
  const stand = await opened('batch 5');
  for (const [from, to] of [
    [0, 3],
    [3, 4],
    [4, 16],
    [16, 18],
  ] as const)
    stand.feed.send(...x(from, to));
  await stand.pass();
  assert.deepEqual(sizes(stand), [5, 5, 5]);
  stand.feed.end();
  await stand.pass(1_000);
  assert.deepEqual(sizes(stand), [5, 5, 5, 3]);
  assert.deepEqual(
    stand.sink('a').texts,
    x(0, 18).map(({ x: value }) => `{"x":${String(value as bigint)}}`),
  );
  assert.equal(stand.report().buffers[0]!.bytes, 0);
});

test('large events go on before the number is reached', async () => {
  const stand = await opened('batch 1000');
  const text = 'a'.repeat(1024 * 1024);
  for (let i = 0; i < 6; i++) stand.feed.send(...x(i, i + 1, { text }));
  await stand.pass();
  assert.deepEqual(sizes(stand), [4]);
  stand.feed.send(...x(6, 12, { text }));
  await stand.pass();
  assert.deepEqual(sizes(stand), [4, 4, 4]);
});

test('what is incomplete goes on when its time is over, at an epoch, and at the end', async () => {
  const stand = await opened('batch 10, timeout=2s');
  stand.feed.send(...x(0, 2));
  await stand.pass(1_500);
  assert.deepEqual(sizes(stand), []);
  await stand.pass(700);
  assert.deepEqual(sizes(stand), [2]);
  stand.feed.send(...x(2, 4));
  stand.feed.cut('4');
  await stand.pass();
  assert.deepEqual(sizes(stand), [2, 2]);
  assert.deepEqual(stand.feed.commits, ['4']);
});

test('a source that waits for memory gets it, though few events of large batches are held', async () => {
  const stand = await standOf('feed\nwhere x == 0\nbatch 1000\nhold "a"', { bytesMax: 80 });
  stand.sink('a').isOpen = true;
  for (let i = 0; i < 8; i++) stand.feed.send(...x(0, 40, { text: 'a'.repeat(100) }));
  await stand.pass(3_000);
  const passed = (): number => sizes(stand).reduce((sum, count) => sum + count, 0);
  assert.equal(passed(), 6, 'nobody waits for the memory of the last two');
  stand.feed.end();
  await stand.pass(1_000);
  assert.equal(passed(), 8);
});
