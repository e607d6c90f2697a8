/** Command lines in a process that is started once for all of them (`cli-host.ts`). */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Command, Outcome } from './cli-host.ts';

export type Session = (command: Command) => Promise<Outcome>;

export function startSession(t: TestContext, environment: Readonly<Record<string, string>> = {}): Session {
  const inherited = Object.entries(process.env).filter(([name]) => !/^MILLRACE|COLOR|^XDG|^LC_|^LANG/.test(name));
  const host = fork(join(import.meta.dirname, 'cli-host.ts'), {
    env: { ...Object.fromEntries(inherited), ...environment },
    execArgv: [],
  });
  // Commands have taken SIGTERM for themselves.
  t.after(() => host.kill('SIGKILL'));
  return command =>
    new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`ended with ${code}: ${command.args.join(' ')}`));
      host.once('exit', ended);
      host.once('message', outcome => {
        host.removeListener('exit', ended);
        resolve(outcome as Outcome);
      });
      host.send(command);
    });
}
