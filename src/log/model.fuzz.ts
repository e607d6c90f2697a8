/** Random operations, crashes and returns, compared with a model after each step. */
import { test } from 'node:test';
import { fuzzAsync } from '../testing/fuzz.ts';
import { ModelRun } from './model-cases.ts';

const STEPS = 120;

test('the log shows what its model shows, whatever happens to it', async () => {
  await fuzzAsync(1, async (_random, seed) => {
    const run = new ModelRun(seed);
    try {
      await run.run(STEPS);
    } catch (error) {
      const last = run.trail.slice(-12).join(', ');
      throw new Error(`after ${run.trail.length} steps: ${last}`, { cause: error });
    }
  });
});
