/**
 * `millrace log check`: reads every frame, every batch, every footer and the manifest of a data directory and reports what
 * does not fit, with file and position, and which offsets of which partitions are lost. Changes nothing. A process may have
 * the log open meanwhile: then the frame that it is writing may look like a torn tail.
 *
 *   damage        bytes that were acknowledged are wrong or missing
 *   torn tail     the unacknowledged end of the newest file; a start cuts it off
 *   rebuildable   a footer or a copy of the manifest is damaged; a start does without it
 */
import { type File, type FileSystem, MillraceError } from '../base/index.ts';
import { decodeCheckpoint } from './checkpoint.ts';
import type { Row } from './directory.ts';
import { readDirectory, readEntries } from './footer.ts';
import { TableCursor } from './frame-table.ts';
import {
  type FramePlace,
  isIntact,
  journalFiles,
  journalPath,
  nextIntactFrame,
  openJournal,
  openTable,
  walkFrames,
  walkFrom,
  WindowReader,
} from './journal-reader.ts';
import { type Manifest, readManifest } from './manifest.ts';
import { readMark } from './mark.ts';
import { StateTables } from './state-tables.ts';
import { Topics } from './topics.ts';

export interface LogFinding {
  readonly path: string;
  readonly position: number;
  readonly kind: 'damage' | 'torn tail' | 'rebuildable';
  readonly reason: string;
}

export interface LogCheck {
  readonly files: number;
  readonly frames: number;
  readonly bytes: number;
  readonly findings: readonly LogFinding[];
}

export function checkLog(files: FileSystem, directory: string): LogCheck {
  return new Checker(files, directory, true).run();
}

const LOSSES_TOLD = 20;

/** What damage to one journal file has cost, in words. */
export function lostIn(files: FileSystem, directory: string, sequence: number): string {
  const lost = new Checker(files, directory, false).lostIn(sequence);
  if (lost.length === 0) return 'lost: no offsets that can be told';
  const more = lost.length > LOSSES_TOLD ? [`${lost.length - LOSSES_TOLD} more ranges`] : [];
  return `lost: ${[...lost.slice(0, LOSSES_TOLD), ...more].join(', ')}`;
}

interface Loss {
  readonly partitionId: number;
  readonly from: number;
  readonly to: number;
  readonly path: string;
  /** Of the damaged batch, or of the first thing behind what is missing. */
  readonly position: number;
  readonly isMissing: boolean;
}

class Checker {
  private readonly files: FileSystem;
  private readonly directory: string;
  /** False: begins in the middle of the log. */
  private readonly isWhole: boolean;
  private readonly findings: LogFinding[] = [];
  private readonly losses: Loss[] = [];
  /** Next offset of each partition number. */
  private readonly ends = new Map<number, number>();
  private states = new StateTables();
  private frames = 0;
  private bytes = 0;

  constructor(files: FileSystem, directory: string, isWhole: boolean) {
    this.files = files;
    this.directory = directory;
    this.isWhole = isWhole;
  }

  run(): LogCheck {
    const manifest = this.checkManifest();
    const mark = readMark(this.files, this.directory);
    const listed = new Set(manifest?.files.map(({ sequence }) => sequence));
    const newest = manifest?.files.at(-1)?.sequence ?? 0;
    const isUnlinked = (sequence: number): boolean => sequence < newest && !listed.has(sequence);
    const journal = journalFiles(this.files, this.directory).filter(({ sequence }) => !isUnlinked(sequence));
    for (const { path, sequence } of journal) {
      const listedEnd = manifest?.files.find(file => file.sequence === sequence)?.end ?? -1;
      const end = Math.max(listedEnd, mark?.sequence === sequence ? mark.end : -1);
      this.checkFile(path, sequence, sequence === journal.at(-1)?.sequence, end, listed.has(sequence));
    }
    if (mark && mark.sequence > newest) listed.add(mark.sequence);
    for (const sequence of listed) {
      if (journal.some(file => file.sequence === sequence) || !this.isListed(sequence)) continue;
      this.add(journalPath(this.directory, sequence), 0, 'damage', 'this file belongs to the log, and it is missing');
    }
    for (const { text, loss } of this.kept()) {
      const { isMissing, path, position } = loss;
      this.add(path, position, 'damage', isMissing ? `${text} are missing before this place` : `${text} are damaged`);
    }
    return { files: journal.length, frames: this.frames, bytes: this.bytes, findings: this.findings };
  }

  lostIn(sequence: number): string[] {
    const journal = journalFiles(this.files, this.directory);
    const before = journal.findLast(file => file.sequence < sequence);
    const behind = journal.find(file => file.sequence > sequence);
    const damaged = journal.find(file => file.sequence === sequence);
    for (const file of [before, damaged, behind]) if (file) this.checkFile(file.path, file.sequence, false, -1, true);
    return this.kept().map(({ text }) => text);
  }

  private checkManifest(): Manifest | undefined {
    const { damaged, manifest } = readManifest(this.files, this.directory);
    for (const path of damaged) {
      this.add(path, 0, manifest ? 'rebuildable' : 'damage', 'this copy of the manifest cannot be read');
    }
    return manifest;
  }

  /** By the manifest as it is now: a running log may have taken the file out since it was read. */
  private isListed(sequence: number): boolean {
    const { manifest } = readManifest(this.files, this.directory);
    return (
      !manifest ||
      sequence >= manifest.files.at(-1)!.sequence ||
      manifest.files.some(file => file.sequence === sequence)
    );
  }

  private checkFile(path: string, sequence: number, isNewest: boolean, end: number, isListed: boolean): void {
    let file: File | undefined;
    try {
      file = openJournal(this.files, path);
      const reader = new WindowReader(file);
      this.bytes += reader.size;
      let walk = walkFrames(reader, sequence);
      this.visit(path, reader, walk.frames);
      let defect = walk.defect ?? (end >= 0 && walk.end < end ? 'the file is shorter than it was' : undefined);
      while (defect !== undefined) {
        const next = nextIntactFrame(reader, sequence, walk.end + 1);
        const isLost = walk.hasFooter || next !== undefined || walk.end < end || (isListed && walk.frames.length === 0);
        const isFooter = !isNewest && end === walk.end;
        if (!isFooter) this.add(path, walk.end, isLost ? 'damage' : 'torn tail', defect);
        if (next === undefined) break;
        const frames: FramePlace[] = [];
        const rest = walkFrom(reader, sequence, next, walk.limit, frames);
        this.visit(path, reader, frames);
        walk = { ...walk, frames, end: rest.end };
        ({ defect } = rest);
      }
      this.checkFooter(path, reader, end);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      if (!this.files.exists(path) && !this.isListed(sequence)) return;
      this.add(path, Number(error.details['position']), 'damage', error.message);
    } finally {
      file?.close();
    }
  }

  private visit(path: string, reader: WindowReader, frames: readonly FramePlace[]): void {
    this.frames += frames.length;
    const entry = new TableCursor();
    for (const frame of frames) {
      openTable(reader, frame, entry);
      while (entry.advance()) this.follow(path, reader, frame, entry);
    }
  }

  private follow(path: string, reader: WindowReader, frame: FramePlace, entry: TableCursor): void {
    if (entry.kind === 'append') {
      const { baseOffset: from, lastOffset: to, partitionId, position } = entry;
      if (!isIntact(reader, entry)) this.losses.push({ partitionId, from, to, path, position, isMissing: false });
      this.expect(partitionId, from, path, position);
      this.ends.set(partitionId, to + 1);
    } else if (entry.kind === 'state') this.states.apply(entry.change);
    else {
      // All state follows. What was deleted in a file that is gone must not come back.
      this.states = new StateTables();
      for (const { history, id } of decodeCheckpoint(entry.checkpoint)) {
        this.expect(id, history.end, path, frame.position);
      }
    }
  }

  /** The partition has come to `offset`, says what stands at the place. */
  private expect(partitionId: number, offset: number, path: string, position: number): void {
    const from = this.ends.get(partitionId) ?? (this.isWhole ? 0 : offset);
    if (offset < from) return;
    if (offset > from) this.losses.push({ partitionId, from, to: offset - 1, path, position, isMissing: true });
    this.ends.set(partitionId, offset);
  }

  private checkFooter(path: string, reader: WindowReader, end: number): void {
    const footer = readDirectory(reader.file);
    if (!footer) {
      if (end >= 0 && reader.size > end) this.add(path, end, 'rebuildable', 'the footer cannot be read');
      return;
    }
    for (const row of footer.directory.rows()) {
      this.expect(row.partitionId, row.end, path, footer.end);
      this.checkEntries(path, reader, row);
    }
  }

  private checkEntries(path: string, reader: WindowReader, row: Row): void {
    if (row.entriesCount === 0 || readEntries(row, reader.file)) return;
    const reason = `the footer’s entries of partition number ${row.partitionId} do not match`;
    this.add(path, row.entriesPosition, 'rebuildable', reason);
  }

  /** Losses of records that would still be there. */
  private kept(): { readonly loss: Loss; readonly text: string }[] {
    const topics = new Topics(this.states, { float: () => 0, bytes: length => new Uint8Array(length) }, async () => {});
    topics.restore();
    return this.losses.flatMap(loss => {
      const partition = topics.partitions.get(loss.partitionId);
      if (!partition || loss.to < partition.startOffset) return [];
      const from = Math.max(loss.from, partition.startOffset);
      return [{ loss, text: `offsets ${from} to ${loss.to} of ${partition.topic.name}/${partition.index}` }];
    });
  }

  private add(path: string, position: number, kind: LogFinding['kind'], reason: string): void {
    this.findings.push({ path, position, kind, reason });
  }
}
