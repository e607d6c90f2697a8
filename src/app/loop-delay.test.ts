/** Delays of a clock that is late on purpose. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../base/index.ts';
import { LoopDelay } from './loop-delay.ts';

test('quantiles are those of the delays that were seen', () => {
  let now = 0;
  let due: () => void = () => undefined;
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    after: (_ms, callback) => {
      due = callback;
      return { cancel: () => undefined };
    },
  };
  const delay = new LoopDelay(clock);
  assert.deepEqual(delay.quantiles([0.5, 1]), [0, 0]);
  for (let i = 0; i < 100; i++) {
    now += 20 + (i === 99 ? 50 : 1);
    due();
  }
  assert.deepEqual(delay.quantiles([0.5, 0.98, 1]), [0.001, 0.001, 0.05]);
});
