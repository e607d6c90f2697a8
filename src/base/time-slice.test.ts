/** A slice passes only when its time is used up, and what waits runs then. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from './io/types.ts';
import { TimeSlice } from './time-slice.ts';

test('work goes on within its slice, and lets others run after it', async () => {
  let nowMs = 0;
  const waiting: (() => void)[] = [];
  const clock: Clock = {
    now: () => nowMs,
    monotonic: () => nowMs,
    after: (_ms, callback) => {
      waiting.push(callback);
      return { cancel: () => undefined };
    },
  };
  const slice = new TimeSlice(clock);
  nowMs = 1.9;
  await slice.pass();
  assert.equal(waiting.length, 0);
  nowMs = 2.1;
  let isPassed = false;
  const passing = slice.pass().then(() => {
    isPassed = true;
  });
  await Promise.resolve();
  assert.equal(isPassed, false);
  nowMs = 9;
  waiting.shift()!();
  await passing;
  nowMs = 10.9;
  await slice.pass();
  assert.equal(waiting.length, 0);
});
