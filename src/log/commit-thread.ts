/**
 * The commit thread: waits for a job, writes its pieces, syncs, reports. Nothing else: synchronous calls here keep one
 * slow disk call from delaying anything but the commits behind it.
 *
 *   job      { path, isNew, position, pieces }   pieces are views of the arena or copies, in order
 *   report   { ok: true } | { ok: false, code, message, isSync }
 *
 * Invariants
 * I1 a report of success means that every piece and the file's length are durable.
 * I2 one job at a time, in the order posted; after a failed sync the thread refuses all further jobs, because the kernel
 *    may have dropped the dirty pages and would report the next sync as a success.
 */
import { type File, type Io, messageOf, type Port, systemCode } from '../base/index.ts';

export interface CommitJob {
  readonly path: string;
  /** Creates the file and syncs its directory. */
  readonly isNew: boolean;
  readonly directory: string;
  readonly position: number;
  readonly pieces: readonly Uint8Array[];
}

export type CommitReport =
  | { readonly isDone: true; readonly syncMs: number }
  | { readonly isDone: false; readonly code: string | undefined; readonly message: string; readonly isFatal: boolean };

export function main(io: Io, port: Port): void {
  let open: { readonly path: string; readonly file: File } | undefined;
  let refusal: string | undefined;

  const fileFor = (job: CommitJob): File => {
    if (open?.path === job.path) return open.file;
    open?.file.close();
    open = undefined;
    if (job.isNew && io.files.exists(job.path)) io.files.remove(job.path);
    const file = io.files.open(job.path, job.isNew ? 'create' : 'write');
    open = { path: job.path, file };
    return file;
  };

  const run = (job: CommitJob): CommitReport => {
    if (refusal !== undefined) return { isDone: false, code: 'EIO', message: refusal, isFatal: true };
    let isSyncing = false;
    try {
      const file = fileFor(job);
      file.write(job.pieces, job.position);
      isSyncing = true;
      const before = io.clock.monotonic();
      file.sync();
      if (job.isNew) io.files.syncDirectory(job.directory);
      return { isDone: true, syncMs: io.clock.monotonic() - before };
    } catch (error) {
      const code = systemCode(error);
      const isFatal = isSyncing || (code !== 'ENOSPC' && code !== 'EDQUOT');
      if (isFatal) refusal = messageOf(error);
      return { isDone: false, code, message: messageOf(error), isFatal };
    }
  };

  port.onMessage(message => {
    if (message === 'close') {
      open?.file.close();
      open = undefined;
      return;
    }
    port.post(run(message as CommitJob));
  });
}
