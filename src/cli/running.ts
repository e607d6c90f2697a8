/** The process that runs on this machine: found by its data directory, asked over its control socket. */
import { controlPath, findConfig, loadConfig } from '../app/index.ts';
import type { FileSystem } from '../base/index.ts';
import { connectLocal, type LocalConnection } from '../base/io/local-server.ts';
import { cliErrors } from './errors.ts';

/** Where `millrace up` and `npm start` keep their data when nothing else is said. */
const USUAL = ['.millrace/data', '.millrace/demo'];

/** Data directories to look in: the one that is named, else that of the configuration and the usual ones. */
function candidates(files: FileSystem, data: string | undefined): string[] {
  if (data !== undefined) return [data];
  const path = process.env['MILLRACE_CONFIG'] ?? findConfig(files, process.env, process.cwd());
  const config = path === undefined ? undefined : loadConfig(files, process.env, path).config;
  return [...new Set([...(config ? [config.data] : []), ...USUAL])];
}

/** A connection to the process; throws when none answers. */
export async function connectToProcess(files: FileSystem, data: string | undefined): Promise<LocalConnection> {
  const directories = candidates(files, data);
  for (const directory of directories) {
    try {
      return await connectLocal(controlPath(directory));
    } catch {
      // The next one may answer; when none does, that is what is reported.
    }
  }
  throw cliErrors.noProcess({ directory: directories.join(', ') });
}

/** Address of the running process's Kafka listener; undefined when none answers. */
export async function runningBroker(files: FileSystem): Promise<string | undefined> {
  let connection: LocalConnection;
  try {
    connection = await connectToProcess(files, undefined);
  } catch {
    return undefined;
  }
  const answer = new Promise<string | undefined>(resolve => {
    connection.onLine(line => resolve((JSON.parse(line) as { readonly kafka?: string }).kafka));
    connection.onClose(() => resolve(undefined));
  });
  connection.send(JSON.stringify({ command: 'status' }));
  const address = await answer;
  connection.close();
  return address?.replace(/^0\.0\.0\.0:|^\[::\]:/, '127.0.0.1:');
}
