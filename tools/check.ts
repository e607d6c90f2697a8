/** `npm run check`: types, format, lint and the layout, without the other tests. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const bin = (name: string): string => join(root, 'node_modules/.bin', name);
const steps: readonly (readonly [string, readonly string[]])[] = [
  [bin('tsc'), ['-p', '.']],
  [bin('biome'), ['check', '.']],
  [bin('oxlint'), ['src', 'test', 'tools']],
  [process.execPath, ['--test', 'test/tidy.test.ts']],
];
for (const [command, args] of steps) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
