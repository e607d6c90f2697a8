/** `npm pack` and `npm run build`: JavaScript and declarations into `dist`, with the assets that are read at run time. */
import { spawnSync } from 'node:child_process';
import { cpSync, globSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
rmSync(join(root, 'dist'), { recursive: true, force: true });
const { status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);
for (const asset of globSync('**/*.wasm', { cwd: join(root, 'src') }))
  cpSync(join(root, 'src', asset), join(root, 'dist', asset));
