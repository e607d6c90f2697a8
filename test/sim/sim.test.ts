/** A few simulated runs; `sim.long.ts` has the many, and the proof that the checks see what they are for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runScenario } from './scenario.ts';

for (const seed of [1, 2]) {
  test(`seed ${seed}: nothing acknowledged is lost, doubled or out of order, and everything is copied`, async () => {
    const { acknowledged, copied, violations } = await runScenario({ seed, faultMs: 8_000 });
    assert.deepEqual(violations, []);
    assert.ok(acknowledged > 300 && copied >= acknowledged);
  });
}

test('a seed gives the same run each time', async () => {
  const [first, second] = [
    await runScenario({ seed: 9, faultMs: 5_000 }),
    await runScenario({ seed: 9, faultMs: 5_000 }),
  ];
  assert.deepEqual(first, second);
  const { trace } = await runScenario({ seed: 10, faultMs: 5_000 });
  assert.notEqual(trace, first.trace);
});
