/**
 * The control socket: lock of the data directory and channel for commands of the same user, one JSON object a line.
 *
 *   {"command":"status"}                          → {"pid", "kafka", "http", "pipelines"}
 *   {"command":"tap","pipeline","stage","where"}  → a report each tenth of a second: {"samples", "seen", …}
 *   what fails                                    → {"error", "code"}
 *
 * Invariants
 * I1 one process a data directory. Who finds the socket of a process that is gone takes it over alone: a file that is
 *    created exclusively keeps a second one from removing what the first has just made.
 */
import { exitCodeOf, type Io, messageOf, MillraceError, systemCode, systemReason } from '../base/index.ts';
import { connectLocal, listenLocal, type LocalConnection } from '../base/io/local-server.ts';
import { appErrors } from './errors.ts';

/** What the kernel takes as the path of a socket, in bytes. */
const PATH_BYTES_MAX = 103;
const TAKEOVER_MS = 10_000;
const TURN_MS = 20;

export function controlPath(directory: string): string {
  return `${directory}/control.sock`;
}

export type ControlAnswer = (command: Readonly<Record<string, unknown>>, connection: LocalConnection) => Promise<void>;

/** Takes the directory for this process; resolves with what gives it back. */
export async function takeDirectory(io: Io, directory: string, answer: ControlAnswer): Promise<() => void> {
  const path = controlPath(directory);
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
    const reason = `the path of its control socket is longer than ${PATH_BYTES_MAX} bytes; a relative path may be shorter`;
    throw appErrors.badDataDirectory({ directory, reason });
  }
  try {
    io.files.makeDirectory(directory);
    return await takeSocket(io, path, directory, connection => serve(connection, answer));
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    throw appErrors.badDataDirectory({ directory, reason: systemReason(error) }, error);
  }
}

async function takeSocket(
  io: Io,
  path: string,
  directory: string,
  onConnection: (connection: LocalConnection) => void,
): Promise<() => void> {
  const { clock, files } = io;
  const turn = `${path}.lock`;
  while (!isCreated(io, turn)) {
    await refuseIfServed(path, directory);
    // Of one that ended in the middle of this.
    if (files.exists(turn) && clock.now() - files.stat(turn).mtimeMs > TAKEOVER_MS) files.remove(turn);
    await new Promise<void>(resolve => clock.after(TURN_MS, resolve));
  }
  try {
    await refuseIfServed(path, directory);
    if (files.exists(path)) files.remove(path);
    return await listenLocal(path, onConnection);
  } finally {
    files.remove(turn);
  }
}

function isCreated({ files }: Io, path: string): boolean {
  try {
    files.open(path, 'create').close();
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function refuseIfServed(path: string, directory: string): Promise<void> {
  try {
    (await connectLocal(path)).close();
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return;
    throw error;
  }
  throw appErrors.inUse({ directory });
}

function serve(connection: LocalConnection, answer: ControlAnswer): void {
  const failed = (error: unknown): void => {
    const code = systemCode(error);
    connection.send(JSON.stringify({ error: messageOf(error), code, exit: exitCodeOf(code) }));
  };
  connection.onLine(line => {
    try {
      answer(JSON.parse(line) as Readonly<Record<string, unknown>>, connection).catch(failed);
    } catch (error) {
      failed(error);
    }
  });
}
