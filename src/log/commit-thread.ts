/**
 * The commit thread: waits for a job, writes it, syncs, reports. Nothing else: synchronous calls here keep one slow disk
 * call from delaying anything but the commits behind it.
 *
 *   job      ranges of shared memory that go to one place of a file, a manifest to be written after them, and the mark
 *            of how far the file is durable then
 *   report   done, with the time that it took, or why not
 *
 * Invariants
 * I1 a report of success means that every byte, the file's length and name and the manifest are durable.
 * I2 one job at a time, in the order posted; after a failed sync the thread refuses all further jobs, because the kernel
 *    may have dropped the dirty pages and would report the next sync as a success.
 * I3 what a job left behind that failed for want of space is cut off again, durably: a frame may be whole and synced
 *    when there is no space for the manifest, and must not come back after it was refused.
 */
import { type File, type Io, messageOf, type Port, systemCode } from '../base/index.ts';
import { writeManifest } from './manifest.ts';
import { type Mark, MarkWriter } from './mark.ts';

export interface CommitJob {
  readonly directory: string;
  readonly path: string;
  /** Creates the file and syncs its directory. */
  readonly isNew: boolean;
  readonly position: number;
  /** (memory, offset, length)*; empty when only a manifest is written. */
  readonly ranges: readonly number[];
  /** Memories that come into use with this job. */
  readonly memories: readonly { readonly number: number; readonly memory: ArrayBufferLike }[];
  readonly manifest: { readonly generation: number; readonly bytes: Uint8Array } | undefined;
  /** Written when all is durable. */
  readonly mark: Mark | undefined;
}

export type CommitReport =
  | { readonly isDone: true; readonly writeMs: number; readonly syncMs: number }
  | { readonly isDone: false; readonly message: string; readonly isFatal: boolean };

export function main(io: Io, port: Port): void {
  const thread = new CommitThread(io);
  port.onMessage(message => {
    if (message === 'close') thread.close();
    else port.post(thread.run(message as CommitJob));
  });
}

class CommitThread {
  private readonly io: Io;
  private readonly memories = new Map<number, Uint8Array>();
  private open: { readonly path: string; readonly file: File } | undefined;
  private mark: MarkWriter | undefined;
  private hasMark = true;
  private refusal: string | undefined;

  constructor(io: Io) {
    this.io = io;
  }

  run(job: CommitJob): CommitReport {
    for (const { memory, number } of job.memories) this.memories.set(number, new Uint8Array(memory));
    if (this.refusal !== undefined) return { isDone: false, message: this.refusal, isFatal: true };
    const { clock, files } = this.io;
    const start = clock.monotonic();
    let written = start;
    let isSyncing = false;
    try {
      if (job.ranges.length > 0) {
        const file = this.fileOf(job);
        file.write(this.pieces(job.ranges), job.position);
        written = clock.monotonic();
        isSyncing = true;
        file.sync();
        if (job.isNew) files.syncDirectory(job.directory);
        isSyncing = false;
      }
      if (job.manifest) writeManifest(files, job.directory, job.manifest.generation, job.manifest.bytes);
      const syncMs = clock.monotonic() - written;
      if (job.mark) this.writeMark(job.directory, job.mark);
      return { isDone: true, writeMs: written - start, syncMs };
    } catch (error) {
      const code = systemCode(error);
      const isFull = !isSyncing && (code === 'ENOSPC' || code === 'EDQUOT');
      const message = messageOf(error);
      if (!isFull || !this.cutOff(job)) this.refusal = message;
      return { isDone: false, message, isFatal: this.refusal !== undefined };
    }
  }

  close(): void {
    this.open?.file.close();
    this.open = undefined;
    this.mark?.close();
    this.mark = undefined;
  }

  /** What it tells of is durable whether or not it can be written: without it, a start knows less. */
  private writeMark(directory: string, mark: Mark): void {
    if (!this.hasMark) return;
    try {
      this.mark ??= new MarkWriter(this.io.files, directory);
      this.mark.write(mark);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      this.hasMark = false;
    }
  }

  /** False when that fails, too. */
  private cutOff(job: CommitJob): boolean {
    if (job.ranges.length === 0 || this.open?.path !== job.path) return true;
    try {
      this.open.file.truncate(job.position);
      this.open.file.sync();
      return true;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return false;
    }
  }

  private pieces(ranges: readonly number[]): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    for (let i = 0; i < ranges.length; i += 3) {
      const memory = this.memories.get(ranges[i]!)!;
      pieces.push(memory.subarray(ranges[i + 1]!, ranges[i + 1]! + ranges[i + 2]!));
    }
    return pieces;
  }

  private fileOf(job: CommitJob): File {
    if (this.open?.path === job.path && !job.isNew) return this.open.file;
    this.open?.file.close();
    this.open = undefined;
    const { files } = this.io;
    // What an attempt without space, or without an answer, has left behind.
    if (job.isNew && files.exists(job.path)) files.remove(job.path);
    const file = files.open(job.path, job.isNew ? 'create' : 'write');
    this.open = { path: job.path, file };
    return file;
  }
}
