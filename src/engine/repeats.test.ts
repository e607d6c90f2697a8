/** Equal diagnostics are told once in four hours, and no more of them are remembered than there is room for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Repeats } from './repeats.ts';

const HOUR_MS = 3_600_000;

test('a diagnostic is told again when four hours have passed since it was told', () => {
  let now = 0;
  const repeats = new Repeats({ monotonic: () => now });
  const due = (hours: number, key: string): boolean => {
    now = hours * HOUR_MS;
    return repeats.isDue(key);
  };
  assert.deepEqual([due(0, 'a'), due(0, 'a'), due(1, 'b'), due(3.99, 'a')], [true, false, true, false]);
  assert.deepEqual([due(4, 'a'), due(4.5, 'b'), due(5, 'b'), due(7.9, 'a')], [true, false, true, false]);
});

test('of very many the oldest are forgotten', () => {
  const repeats = new Repeats({ monotonic: () => 0 });
  for (let i = 0; i < 5_000; i++) assert.equal(repeats.isDue(String(i)), true);
  assert.equal(repeats.isDue('4999'), false);
  assert.equal(repeats.isDue('0'), true);
});
