/** A few simulated runs; `sim.long.ts` has the many, and the proof that the checks see what they are for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runScenario } from './scenario.ts';

test('seed 1: everything that the checks are for holds', async () => {
  const { acknowledged, violations } = await runScenario({ seed: 1, faultMs: 6_000 });
  assert.deepEqual(violations, []);
  assert.ok(acknowledged > 300);
});

test('a seed gives the same run each time', async () => {
  const settings = { seed: 9, faultMs: 2_000 };
  const first = await runScenario(settings);
  assert.deepEqual(await runScenario(settings), first);
  assert.notEqual((await runScenario({ ...settings, seed: 10 })).trace, first.trace);
});
