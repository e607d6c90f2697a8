/** The long suites of CI: every file `*.long.ts` under `test`, one after the other, each with a time limit. */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const LIMIT_MS = 20 * 60_000;
let passed = 0;
let failed = 0;
for (const file of globSync('test/**/*.long.ts', { cwd: root }).sort()) {
  const started = performance.now();
  process.stdout.write(`\n== ${file}\n`);
  const { status } = spawnSync(process.execPath, ['--test', '--test-reporter=spec', join(root, file)], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: LIMIT_MS,
  });
  if (status === 0) passed++;
  else failed++;
  process.stdout.write(
    `== ${status === 0 ? 'passed' : 'FAILED'} in ${((performance.now() - started) / 1_000).toFixed(0)} s\n`,
  );
}
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
