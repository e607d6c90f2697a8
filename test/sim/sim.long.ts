/** A minute of simulated runs with fresh seeds; a failure prints its seed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const SECONDS = 60;

test(`${SECONDS} s of fresh seeds violate nothing`, () => {
  const tool = join(import.meta.dirname, '../../tools/sim.ts');
  const { status } = spawnSync(process.execPath, [tool, '--seconds', String(SECONDS)], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  assert.equal(status, 0);
});
