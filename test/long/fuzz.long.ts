/**
 * Every `*.fuzz.ts` from a fresh seed, which is printed, for longer than the suite has. A failure names the seed of its step.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const ms = process.env['FUZZ_MS'] ?? '3000';
const seed = process.env['FUZZ_SEED'] ?? String(Math.floor(Math.random() * 2 ** 31));

for (const file of globSync('src/**/*.fuzz.ts', { cwd: root }).sort()) {
  test(`${file}, FUZZ_SEED=${seed}`, () => {
    const { status, stdout } = spawnSync(process.execPath, ['--test', '--test-isolation=none', join(root, file)], {
      cwd: root,
      env: { ...process.env, FUZZ_MS: ms, FUZZ_SEED: seed, NODE_TEST_CONTEXT: '' },
      encoding: 'utf8',
    });
    assert.equal(status, 0, stdout);
  });
}
