/** The command line as a process of its own, for tests of what only a process shows: signals, exit, sockets, terminals. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Outcome } from '../runners/cli-host.ts';
import { type Session, startSession } from '../runners/cli-session.ts';

export const root = join(import.meta.dirname, '../..');
const DEADLINE_MS = 30_000;
/** That of the launcher. */
const NODE_COMPILE_CACHE = join(root, 'node_modules/.cache/millrace-compile');

export interface Running {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Resolves with the match once stderr has it. */
  until(pattern: RegExp): Promise<RegExpMatchArray>;
}

export function directoryOf(t: TestContext, files: Readonly<Record<string, string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'millrace-e2e-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

/** Starts `millrace` in `cwd`. `viaLauncher` goes through `tools/run.mjs`, in a process group of its own, as in a terminal. */
export function start(
  t: TestContext,
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly viaLauncher?: boolean;
    readonly environment?: Readonly<Record<string, string>>;
  } = {},
): Running {
  const launcher = options.viaLauncher
    ? [join(root, 'tools/run.mjs'), 'src/cli/main.ts']
    : [join(root, 'src/cli/main.ts')];
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^MILLRACE|COLOR|^XDG|^LC_|^LANG|^NODE_/.test(name),
  );
  const child = spawn(process.execPath, [...launcher, ...args], {
    cwd: options.cwd ?? root,
    detached: options.viaLauncher === true,
    env: { ...Object.fromEntries(inherited), LC_ALL: 'C.UTF-8', NODE_COMPILE_CACHE, ...options.environment },
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', chunk => {
      output[name] += String(chunk);
    });
  const ended = new Promise<number | NodeJS.Signals>(resolve =>
    child.once('close', (code, signal) => resolve(code ?? signal!)),
  );
  t.after(() => {
    if (child.exitCode === null && child.signalCode === null)
      process.kill(options.viaLauncher ? -child.pid! : child.pid!, 'SIGKILL');
  });
  return {
    child,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    ended,
    until: async pattern => {
      for (const end = Date.now() + DEADLINE_MS; Date.now() < end; ) {
        const found = pattern.exec(output.stderr);
        if (found) return found;
        if (child.exitCode !== null) break;
        await new Promise(resolve => setTimeout(resolve, 10));
      }
      throw new Error(`${pattern} does not come; stderr is:\n${output.stderr}`);
    },
  };
}

/** Commands of one test run in one process beside, one after the other. */
const sessions = new WeakMap<TestContext, Session>();

/** Runs a command to its end. */
export function millrace(
  t: TestContext,
  args: readonly string[],
  options: { readonly cwd?: string; readonly input?: string } = {},
): Promise<Outcome> {
  let session = sessions.get(t);
  if (!session) {
    session = startSession(t, { NODE_COMPILE_CACHE });
    sessions.set(t, session);
  }
  return session({ args, cwd: options.cwd ?? root, environment: { LC_ALL: 'C.UTF-8' }, input: options.input ?? '' });
}

/** Waits until `check` holds, and fails with `what` when it does not. */
export async function until(check: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = Date.now() + DEADLINE_MS; Date.now() < end; ) {
    if (await check()) return;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  throw new Error(`timed out: ${what}`);
}
