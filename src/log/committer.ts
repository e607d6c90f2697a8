/**
 * Group commit: everything that arrived while the last commit ran goes into the next frame.
 *
 *   add ─► pending ─► frame in flight (commit thread: write, sync) ─► applied: index, synced ends, states, answers
 *
 * Invariants
 * I1 one frame is in flight; its units are applied in the order in which they were added.
 * I2 a unit is answered only after the sync that covers it, and refused only when nothing of it will ever be applied.
 * I3 when a frame fails, everything pending behind it fails too: its offsets would leave a gap.
 */
import type { Io, MillraceError, Thread } from '../base/index.ts';
import type { CommitJob, CommitReport } from './commit-thread.ts';
import { logErrors } from './errors.ts';
import { FileIndex } from './file-index.ts';
import { encodeFileHeader, FILE_HEADER_BYTES, FrameBuilder } from './frame.ts';
import type { Partition } from './partition.ts';
import type { StateChange, StateTables } from './state-tables.ts';

export interface AppendPart {
  readonly partition: Partition;
  readonly batch: Uint8Array;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly maxTimestamp: number;
  readonly producerId: number;
  /** Gives the batch's memory back. */
  release?(): void;
}

/** What is durable together. */
export interface Unit {
  readonly appends: readonly AppendPart[];
  readonly states: readonly StateChange[];
  applied(): void;
  failed(error: MillraceError): void;
}

export interface CommitterHost {
  readonly directory: string;
  readonly fileBytesMax: number;
  /** First frame of a new file. */
  checkpoint(): Uint8Array;
  readonly states: StateTables;
  addFile(file: FileIndex): void;
  /** The store takes no more writes; `isFull` when only space is missing. */
  refused(error: MillraceError, isFull: boolean): void;
}

interface Placed {
  readonly append: AppendPart;
  readonly position: number;
}

export interface CommitStats {
  frames: number;
  bodyBytes: number;
  writtenBytes: number;
  syncMs: number;
}

export class Committer {
  private readonly io: Io;
  private readonly host: CommitterHost;
  private readonly thread: Thread;
  private pending: Unit[] = [];
  private inFlight: { units: readonly Unit[]; placed: readonly Placed[]; file: FileIndex; end: number } | undefined;
  private file: FileIndex;
  private lsn: number;
  /** The active file's place on disk is made by the next frame. */
  private isFileNew: boolean;
  private writable: (() => void)[] = [];
  private sealJob: FileIndex | undefined;
  pendingBytes = 0;
  readonly stats: CommitStats = { frames: 0, bodyBytes: 0, writtenBytes: 0, syncMs: 0 };

  constructor(io: Io, host: CommitterHost, start: { readonly sequence: number; readonly lsn: number }) {
    this.io = io;
    this.host = host;
    this.lsn = start.lsn;
    this.file = this.newFile(start.sequence);
    this.isFileNew = true;
    this.thread = io.threads.start(new URL('./commit-thread.ts', import.meta.url), undefined, 'millrace-commit');
    this.thread.onMessage(report => this.reported(report as CommitReport));
  }

  get activeFile(): FileIndex {
    return this.file;
  }

  add(unit: Unit): void {
    for (const { batch } of unit.appends) this.pendingBytes += batch.length;
    this.pending.push(unit);
    // What one turn of the event loop brings shares a frame.
    if (!this.inFlight && this.pending.length === 1) queueMicrotask(() => this.start());
  }

  /** Calls back when less than `bytes` are pending. */
  whenBelow(bytes: number, callback: () => void): void {
    if (this.pendingBytes < bytes) callback();
    else this.writable.push(callback);
  }

  /** Resolves when everything added so far is settled. */
  drain(): Promise<void> {
    if (!this.inFlight && this.pending.length === 0) return Promise.resolve();
    return new Promise(resolve => {
      this.add({ appends: [], states: [], applied: resolve, failed: () => resolve() });
    });
  }

  async close(): Promise<void> {
    this.thread.post('close');
    await this.thread.stop();
  }

  /** Drops what waits and undoes its reservations: the store refuses writes. */
  failPending(error: MillraceError): void {
    const units = this.pending;
    this.pending = [];
    this.fail(units, error);
  }

  private start(): void {
    if (this.inFlight || this.pending.length === 0) return;
    if (!this.isFileNew && this.file.endPosition >= this.host.fileBytesMax) {
      this.seal();
      return;
    }
    const units = this.pending;
    this.pending = [];
    const { file } = this;
    const pieces: Uint8Array[] = [];
    let position = file.endPosition;
    if (this.isFileNew) {
      pieces.push(encodeFileHeader(file.sequence, this.io.clock.now()), this.checkpointFrame(file, FILE_HEADER_BYTES));
      position = FILE_HEADER_BYTES + pieces[1]!.length;
    }
    const { head, bodies, placed, end } = this.frame(units, file, position);
    pieces.push(head, ...bodies);
    this.inFlight = { units, placed, file, end };
    this.stats.frames++;
    this.stats.writtenBytes += end - (this.isFileNew ? 0 : file.endPosition);
    this.post({ pieces, position: this.isFileNew ? 0 : file.endPosition, isNew: this.isFileNew, path: file.path });
  }

  private frame(
    units: readonly Unit[],
    file: FileIndex,
    position: number,
  ): { head: Uint8Array; bodies: Uint8Array[]; placed: Placed[]; end: number } {
    const builder = new FrameBuilder();
    for (const unit of units) {
      for (const { table, key, value } of unit.states) builder.state(table, key, value);
    }
    const appends = units.flatMap(unit => unit.appends);
    // Stable: batches of one partition keep their order and lie side by side.
    if (appends.length > 1) appends.sort((a, b) => a.partition.id - b.partition.id);
    for (const { partition, batch, baseOffset, lastOffset, maxTimestamp } of appends) {
      builder.append(partition.id, lastOffset - baseOffset, maxTimestamp, batch);
    }
    const { head, bodyBytes } = builder.finish(file.sequence, ++this.lsn, position);
    let at = position + head.length;
    const placed = appends.map(append => {
      const entry = { append, position: at };
      at += append.batch.length;
      return entry;
    });
    this.stats.bodyBytes += bodyBytes;
    return { head, bodies: appends.map(append => append.batch), placed, end: at };
  }

  private checkpointFrame(file: FileIndex, position: number): Uint8Array {
    const builder = new FrameBuilder();
    builder.checkpoint(this.host.checkpoint());
    for (const { table, key, value } of this.host.states.all()) builder.state(table, key, value);
    return builder.finish(file.sequence, ++this.lsn, position).head;
  }

  /** Writes the footer; the next frame begins a new file. */
  private seal(): void {
    const { file } = this;
    const footer = file.encodeFooter();
    this.sealJob = file;
    this.inFlight = { units: [], placed: [], file, end: file.endPosition };
    this.stats.writtenBytes += footer.length;
    this.post({ pieces: [footer], position: file.endPosition, isNew: false, path: file.path });
  }

  private post(job: Omit<CommitJob, 'directory'>): void {
    this.thread.post({ ...job, directory: this.host.directory, pieces: job.pieces.map(forThread) });
  }

  private reported(report: CommitReport): void {
    const flight = this.inFlight;
    if (!flight) return;
    this.inFlight = undefined;
    if (!report.isDone) {
      this.refused(flight.units, report);
      return;
    }
    this.stats.syncMs += report.syncMs;
    if (this.sealJob) {
      this.sealJob.isSealed = true;
      this.sealJob = undefined;
      this.file = this.newFile(flight.file.sequence + 1);
      this.isFileNew = true;
    } else this.apply(flight);
    if (this.pending.length > 0) this.start();
  }

  private apply(flight: { units: readonly Unit[]; placed: readonly Placed[]; file: FileIndex; end: number }): void {
    const { file, placed, units } = flight;
    file.endPosition = flight.end;
    if (this.isFileNew) {
      this.isFileNew = false;
      this.host.addFile(file);
    }
    for (const { append, position } of placed) {
      const { partition, baseOffset, lastOffset, batch, maxTimestamp } = append;
      if (partition.files.at(-1) !== file) partition.files.push(file);
      file.add(partition.id, baseOffset, lastOffset, position, batch.length, maxTimestamp);
      if (append.producerId >= 0) partition.producers.markSynced(append.producerId, baseOffset);
      this.pendingBytes -= batch.length;
    }
    for (const unit of units) {
      for (const change of unit.states) this.host.states.apply(change);
    }
    // Answers first, then waiting readers: both see the new end.
    for (const { append } of placed) append.partition.syncedEnd = append.lastOffset + 1;
    for (const unit of units) {
      for (const append of unit.appends) append.release?.();
      unit.applied();
    }
    for (const { append } of placed) append.partition.advanceTo(append.partition.syncedEnd);
    this.wakeWritable();
  }

  private refused(units: readonly Unit[], report: Extract<CommitReport, { isDone: false }>): void {
    this.sealJob = undefined;
    const error = report.isFatal
      ? logErrors.writeFailed({ file: this.file.path, reason: report.message })
      : logErrors.diskFull({ directory: this.host.directory });
    const behind = this.pending;
    this.pending = [];
    this.fail([...units, ...behind], error);
    this.host.refused(error, !report.isFatal);
  }

  private fail(units: readonly Unit[], error: MillraceError): void {
    const touched = new Set<Partition>();
    for (const unit of units) {
      for (const append of unit.appends) {
        touched.add(append.partition);
        this.pendingBytes -= append.batch.length;
        append.release?.();
      }
    }
    for (const partition of touched) {
      partition.nextOffset = partition.syncedEnd;
      partition.producers.forgetUnsynced();
    }
    for (const unit of units) unit.failed(error);
    this.wakeWritable();
  }

  private wakeWritable(): void {
    const waiters = this.writable;
    this.writable = [];
    for (const wake of waiters) wake();
  }

  private newFile(sequence: number): FileIndex {
    const name = String(sequence).padStart(10, '0');
    return new FileIndex(sequence, `${this.host.directory}/${name}.mrj`, 0);
  }
}

/** Views of shared memory travel as they are; private bytes are copied into shared memory once, instead of cloned. */
function forThread(piece: Uint8Array): Uint8Array {
  if (piece.buffer instanceof SharedArrayBuffer) return piece;
  const shared = new Uint8Array(new SharedArrayBuffer(piece.length));
  shared.set(piece);
  return shared;
}
