/** A minute of simulated runs with fresh seeds, a failure prints its seed; and bugs planted on purpose, which must be found. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { PLANTS, violationsOf } from './plants.ts';

const SECONDS = 60;

test(`${SECONDS} s of fresh seeds violate nothing`, () => {
  const tool = join(import.meta.dirname, '../../tools/sim.ts');
  const { status } = spawnSync(process.execPath, [tool, '--seconds', String(SECONDS)], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  assert.equal(status, 0);
});

for (const [what, expected, plant] of PLANTS) {
  test(`planted: ${what} is found`, async () => {
    const found = await violationsOf(expected, plant);
    assert.ok(
      found.some(violation => expected.test(violation)),
      found.slice(0, 5).join('\n'),
    );
  });
}
