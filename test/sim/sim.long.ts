/**
 * Two minutes of simulated runs with fresh seeds, a failure prints its seed; memory over many runs; and bugs planted on purpose,
 * which must be found.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { PLANTS, violationsOf } from './plants.ts';

const SECONDS = 130;
const MIB = 1024 * 1024;

function tool(options: readonly string[], node: readonly string[] = []): { status: number | null; output: string } {
  const path = join(import.meta.dirname, '../../tools/sim.ts');
  const { status, stdout } = spawnSync(process.execPath, [...node, path, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  process.stdout.write(stdout);
  return { status, output: stdout };
}

test(`${SECONDS} s of fresh seeds violate nothing`, () => {
  assert.equal(tool(['--seconds', String(SECONDS)]).status, 0);
});

test('runs leave no memory behind', () => {
  const { output, status } = tool(['--seed', '1', '--runs', '24', '--faults', '4000'], ['--expose-gc']);
  assert.equal(status, 0);
  const heaps = [...output.matchAll(/ heap (\d+)/g)].map(match => Number(match[1]));
  assert.equal(heaps.length, 24);
  // The first runs load and compile; of the others the least of the late ones is compared with the least of the early ones.
  const [early, late] = [Math.min(...heaps.slice(4, 10)), Math.min(...heaps.slice(-6))];
  assert.ok(late - early < 3 * MIB, `${early} bytes at first, ${late} at last`);
});

for (const bug of PLANTS) {
  test(`planted: ${bug.what} is found`, async () => {
    const found = await violationsOf(bug);
    assert.ok(
      found.some(violation => bug.found.test(violation)),
      found.slice(0, 5).join('\n'),
    );
  });
}
