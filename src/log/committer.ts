/**
 * Group commit: everything that arrived while the last commit ran goes into the next frame.
 *
 *   add ─► pending ─► frame under way (commit thread: write, sync) ─► applied: index, states, synced ends, answers
 *
 * A file that has reached its size gets its footer, and the next frame begins a new one with a checkpoint in front of its
 * own entries. One job is under way at a time: a frame, a footer or a manifest.
 *
 * Invariants
 * I1 units are applied in the order in which they were added.
 * I2 a unit is answered only after the sync that covers it, and refused only when nothing of it will ever be applied.
 * I3 when a frame fails, every append behind it fails too: its offsets would leave a gap. Units without appends are tried
 *    again once when the reserve has made space.
 * I4 lsn and manifest generation count what is durable: a failed attempt's number is used again.
 */
import { type Io, type MillraceError, messageOf, type Thread } from '../base/index.ts';
import type { CommitJob, CommitReport } from './commit-thread.ts';
import { logErrors } from './errors.ts';
import { FileIndex, type History } from './file-index.ts';
import { encodeFooter, type Footer } from './footer.ts';
import { encodeFileHeader, FILE_HEADER_BYTES, FrameBuilder } from './frame.ts';
import { journalPath } from './journal-reader.ts';
import { encodeManifest } from './manifest.ts';
import type { Partition } from './partition.ts';
import type { Recovered } from './recovery.ts';
import { Staging } from './staging.ts';
import type { StateChange, StateTables } from './state-tables.ts';

export interface AppendPart {
  readonly partition: Partition;
  readonly batch: Uint8Array;
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** See `Entries`. */
  readonly time: number;
  /** -1 when the producer is not idempotent. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  /** Whose memory the batch is; told once it is no longer needed. */
  readonly owner: { release(): void } | undefined;
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
  readonly states: StateTables;
  checkpoint(): Uint8Array;
  /** What every partition that exists has had so far. */
  histories(): Iterable<readonly [number, History]>;
  /** Files that the log consists of, ascending; the active one is added with its first frame. */
  files(): readonly FileIndex[];
  addFile(file: FileIndex): void;
  sealed(file: FileIndex, footer: Footer): void;
  /** The store takes no more writes; `isFull` when only space is missing. True when space has been made. */
  refused(error: MillraceError, isFull: boolean): boolean;
}

export interface CommitStats {
  frames: number;
  bodyBytes: number;
  writtenBytes: number;
  /** Of all syncs together, and of the last one. */
  syncMs: number;
  lastSyncMs: number;
}

type Flight =
  | {
      readonly kind: 'frame';
      readonly units: readonly Unit[];
      readonly appends: readonly AppendPart[];
      readonly bodiesPosition: number;
      readonly end: number;
    }
  | { readonly kind: 'seal'; readonly footer: Footer }
  | { readonly kind: 'manifest'; readonly done: readonly (() => void)[] };

export class Committer {
  private readonly io: Io;
  private readonly host: CommitterHost;
  private readonly thread: Thread;
  private readonly staging = new Staging();
  private pending: Unit[] = [];
  private flight: Flight | undefined;
  private file: FileIndex;
  private lsn: number;
  private generation: number;
  /** The active file's place on disk is made by the next frame. */
  private isFileNew = true;
  private isRollWanted = false;
  /** The newest file is in no manifest yet: with another one above it, a start could not tell which of them was begun. */
  private isManifestOwed: boolean;
  /** Bytes of the active file's header and first frame. */
  private headBytes = 0;
  /** Of the job under way. */
  private manifestBytes = 0;
  private isClosing = false;
  private writable: (() => void)[] = [];
  private manifestWaiters: (() => void)[] = [];
  private idle: (() => void)[] = [];
  pendingBytes = 0;
  readonly stats: CommitStats = { frames: 0, bodyBytes: 0, writtenBytes: 0, syncMs: 0, lastSyncMs: 0 };

  constructor(
    io: Io,
    host: CommitterHost,
    start: Pick<Recovered, 'isManifestOwed' | 'lsn' | 'manifestGeneration' | 'nextSequence'>,
  ) {
    this.io = io;
    this.host = host;
    this.lsn = start.lsn;
    this.generation = start.manifestGeneration;
    this.isManifestOwed = start.isManifestOwed;
    this.file = this.newFile(start.nextSequence);
    this.thread = io.threads.start(new URL('./commit-thread.ts', import.meta.url), undefined, 'millrace-commit', {
      youngHeapMb: 2,
    });
    this.thread.onMessage(report => this.reported(report as CommitReport));
    this.thread.onExit(error => {
      if (this.isClosing) return;
      const message = error ? messageOf(error) : 'the commit thread ended';
      this.refused(this.flight, { isDone: false, message, isFatal: true });
      this.next();
    });
  }

  get activeFile(): FileIndex {
    return this.file;
  }

  add(unit: Unit): void {
    for (const { batch } of unit.appends) this.pendingBytes += batch.length;
    this.pending.push(unit);
    // What one turn of the event loop brings shares a frame.
    if (!this.flight && this.pending.length === 1) queueMicrotask(() => this.next());
  }

  /** Calls back when less than `bytes` are pending. */
  whenBelow(bytes: number, callback: () => void): void {
    if (this.pendingBytes < bytes) callback();
    else this.writable.push(callback);
  }

  /** The next frame begins a new file. */
  roll(): void {
    this.isRollWanted = !this.isFileNew;
  }

  /** Resolves when a manifest of the files as they are now is durable; never when writing has ended. */
  saveManifest(): Promise<void> {
    return new Promise(resolve => {
      this.manifestWaiters.push(resolve);
      queueMicrotask(() => this.next());
    });
  }

  /** Settles everything added so far, seals the active file, and ends the thread. */
  async close(isRefused: boolean): Promise<void> {
    if (!isRefused) {
      await this.whenIdle();
      if (!this.isFileNew) {
        this.seal(true);
        await this.whenIdle();
      }
    }
    this.isClosing = true;
    this.thread.post('close');
    await this.thread.stop();
  }

  private whenIdle(): Promise<void> {
    if (!this.flight && this.pending.length === 0) return Promise.resolve();
    return new Promise(resolve => this.idle.push(resolve));
  }

  private next(): void {
    if (this.flight) return;
    if (this.manifestWaiters.length > 0 || (this.isManifestOwed && this.pending.length > 0)) {
      this.flight = { kind: 'manifest', done: this.manifestWaiters };
      this.manifestWaiters = [];
      this.staging.reset();
      this.post(0, this.encodeManifest());
    } else if (this.pending.length > 0) {
      if (!this.isFileNew && (this.isRollWanted || this.isFileFull)) this.seal(false);
      else this.startFrame();
    } else if (this.idle.length > 0) {
      const waiting = this.idle;
      this.idle = [];
      for (const wake of waiting) wake();
    }
  }

  /** As much as it takes, and no less than its checkpoint: however large the state, it is not most of what is written. */
  private get isFileFull(): boolean {
    const bytes = this.file.endPosition;
    return bytes >= this.host.fileBytesMax && bytes >= 2 * this.headBytes;
  }

  private startFrame(): void {
    const { file, isFileNew, staging } = this;
    const units = this.pending;
    this.pending = [];
    staging.reset();
    if (isFileNew) encodeFileHeader(staging.buffer, staging.reserve(FILE_HEADER_BYTES), file.sequence, this.now());
    const start = staging.length;
    const position = isFileNew ? FILE_HEADER_BYTES : file.endPosition;
    const builder = new FrameBuilder(staging);
    if (isFileNew) {
      builder.checkpoint(this.host.checkpoint());
      for (const { key, table, value } of this.host.states.all()) builder.state(table, key, value);
    }
    for (const unit of units) {
      for (const { key, table, value } of unit.states) builder.state(table, key, value);
    }
    const appends = appendsOf(units);
    for (const append of appends) {
      const { baseOffset, batch, lastOffset, partition, time } = append;
      builder.append(partition.id, lastOffset - baseOffset, time, batch, append);
    }
    const bodiesPosition = position + builder.finish(file.sequence, this.lsn + 1, position);
    staging.addOwn(isFileNew ? 0 : start, staging.length);
    let end = bodiesPosition;
    for (const { batch } of appends) {
      staging.add(batch);
      end += batch.length;
    }
    this.flight = { kind: 'frame', units, appends, bodiesPosition, end };
    this.post(isFileNew ? 0 : position, isFileNew ? this.encodeManifest(file) : undefined, end);
  }

  /** Writes the footer. `isLast` says in the manifest that the file ends here. */
  private seal(isLast: boolean): void {
    const footer = encodeFooter(this.file, this.host.histories());
    this.flight = { kind: 'seal', footer };
    this.staging.reset();
    this.staging.add(footer.bytes);
    this.post(this.file.endPosition, isLast ? this.encodeManifest() : undefined);
  }

  /** `markEnd` is where the frames end when the job is done; a footer moves nothing. */
  private post(position: number, manifest: CommitJob['manifest'], markEnd?: number): void {
    const { file, host, isFileNew, staging } = this;
    const job: CommitJob = {
      directory: host.directory,
      path: file.path,
      isNew: isFileNew,
      position,
      ranges: staging.ranges,
      memories: staging.takeUnannounced(),
      manifest,
      mark: markEnd === undefined ? undefined : { sequence: file.sequence, end: markEnd },
    };
    this.manifestBytes = manifest?.bytes.length ?? 0;
    this.thread.post(job);
  }

  private encodeManifest(active?: FileIndex): NonNullable<CommitJob['manifest']> {
    const generation = this.generation + 1;
    const isActive = (file: FileIndex): boolean => file === this.file && !this.isSealing;
    const files = this.host.files().map(file => ({
      sequence: file.sequence,
      end: isActive(file) ? -1 : file.endPosition,
    }));
    if (active) files.push({ sequence: active.sequence, end: -1 });
    return { generation, bytes: encodeManifest({ generation, files }) };
  }

  private get isSealing(): boolean {
    return this.flight?.kind === 'seal';
  }

  private reported(report: CommitReport): void {
    const { flight } = this;
    if (!flight) return;
    this.flight = undefined;
    if (report.isDone) {
      this.stats.writtenBytes += this.manifestBytes;
      this.stats.syncMs += report.syncMs;
      this.stats.lastSyncMs = report.syncMs;
      if (flight.kind === 'frame') this.apply(flight);
      else if (flight.kind === 'seal') this.sealed(flight.footer);
      else {
        this.generation++;
        this.isManifestOwed = false;
      }
      if (flight.kind === 'manifest') for (const done of flight.done) done();
    } else if (flight.kind === 'seal' && !report.isFatal) {
      // No space for the footer: the file does without, what it would say stays in memory.
      this.file.directory = flight.footer.directory;
      this.beginFile();
    } else this.refused(flight, report);
    this.next();
  }

  private sealed(footer: Footer): void {
    const { file } = this;
    this.stats.writtenBytes += footer.bytes.length;
    this.host.sealed(file, footer);
    this.beginFile();
  }

  private beginFile(): void {
    this.file = this.newFile(this.file.sequence + 1);
    this.isFileNew = true;
    this.isRollWanted = false;
  }

  private apply(flight: Extract<Flight, { kind: 'frame' }>): void {
    const { file, stats } = this;
    const { appends, units } = flight;
    stats.frames++;
    stats.bodyBytes += flight.end - flight.bodiesPosition;
    stats.writtenBytes += flight.end - file.endPosition;
    this.lsn++;
    file.endPosition = flight.end;
    if (this.isFileNew) {
      this.isFileNew = false;
      this.generation++;
      this.headBytes = flight.bodiesPosition;
      this.host.addFile(file);
    }
    let position = flight.bodiesPosition;
    for (const { baseOffset, batch, lastOffset, partition, producerId, time } of appends) {
      const part = file.partOf(partition.id, () => partition.history);
      part.add(baseOffset, lastOffset, position, batch.length, time);
      partition.appended(batch.length, time);
      if (producerId >= 0) partition.producers.markSynced(producerId);
      position += batch.length;
      this.pendingBytes -= batch.length;
    }
    for (const unit of units) {
      for (const change of unit.states) this.host.states.apply(change);
    }
    for (const { lastOffset, partition } of appends) partition.syncedEnd = lastOffset + 1;
    // Answers first, then waiting readers: both see the new end.
    for (const unit of units) {
      for (const { owner } of unit.appends) owner?.release();
      unit.applied();
    }
    for (const { partition } of appends) partition.advanced();
    this.wakeWritable();
  }

  private refused(flight: Flight | undefined, report: Extract<CommitReport, { isDone: false }>): void {
    const error = report.isFatal
      ? logErrors.writeFailed({ file: this.file.path, reason: report.message })
      : logErrors.diskFull({ directory: this.host.directory });
    const waiting = [...(flight?.kind === 'frame' ? flight.units : []), ...this.pending];
    this.pending = [];
    this.flight = undefined;
    const hasSpace = this.host.refused(error, !report.isFatal);
    const isKept = (unit: Unit): boolean => hasSpace && unit.appends.length === 0;
    this.fail(
      waiting.filter(unit => !isKept(unit)),
      error,
    );
    this.pending.push(...waiting.filter(isKept));
    if (flight?.kind === 'manifest' && hasSpace) this.manifestWaiters.push(...flight.done);
  }

  private fail(units: readonly Unit[], error: MillraceError): void {
    for (const unit of units) {
      for (const { batch, owner, partition } of unit.appends) {
        partition.nextOffset = partition.syncedEnd;
        partition.producers.forgetUnsynced();
        partition.transactions.forgetUnsynced(partition.syncedEnd);
        this.pendingBytes -= batch.length;
        owner?.release();
      }
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
    return new FileIndex(sequence, journalPath(this.host.directory, sequence), 0, new Map());
  }

  private now(): number {
    return this.io.clock.now();
  }
}

/** Batches of one partition keep their order and lie side by side. */
function appendsOf(units: readonly Unit[]): AppendPart[] {
  const appends: AppendPart[] = [];
  for (const unit of units) for (const append of unit.appends) appends.push(append);
  return appends.length > 1 ? appends.sort((a, b) => a.partition.id - b.partition.id) : appends;
}
