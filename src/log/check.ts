/**
 * `millrace log check`: reads every frame, every batch, every footer and the manifest of a data directory and reports what
 * does not fit, with file and position, and which offsets of which partitions are lost. Changes nothing. Meant for a
 * log that no process has open (the process's lock sees to it).
 *
 *   damage        bytes that were acknowledged are wrong or missing
 *   torn tail     the unacknowledged end of the newest file; a start cuts it off
 *   rebuildable   a footer or a copy of the manifest is damaged; a start does without it
 */
import type { FileSystem } from '../base/index.ts';
import { decodeCheckpoint } from './checkpoint.ts';
import { FileIndex } from './file-index.ts';
import { readEntries, readFooter } from './footer.ts';
import type { FrameEntry } from './frame.ts';
import {
  bodyDefect,
  type FramePlace,
  forEachEntry,
  journalFiles,
  journalPath,
  nextIntactFrame,
  walkFrames,
  walkFrom,
  WindowReader,
} from './journal-reader.ts';
import { type Manifest, readManifest } from './manifest.ts';
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
  return new Checker(files, directory).run();
}

interface Gap {
  readonly partitionId: number;
  readonly from: number;
  readonly to: number;
  readonly path: string;
  readonly position: number;
}

class Checker {
  private readonly files: FileSystem;
  private readonly directory: string;
  private readonly findings: LogFinding[] = [];
  private readonly gaps: Gap[] = [];
  /** Next offset of each partition number. */
  private readonly ends = new Map<number, number>();
  private readonly states = new StateTables();
  private frames = 0;
  private bytes = 0;

  constructor(files: FileSystem, directory: string) {
    this.files = files;
    this.directory = directory;
  }

  run(): LogCheck {
    const manifest = this.checkManifest();
    const listed = new Set(manifest?.files.map(({ sequence }) => sequence));
    const newest = manifest?.files.at(-1)?.sequence ?? 0;
    const isUnlinked = (sequence: number): boolean => sequence < newest && !listed.has(sequence);
    const journal = journalFiles(this.files, this.directory).filter(({ sequence }) => !isUnlinked(sequence));
    for (const { path, sequence } of journal) {
      const end = manifest?.files.find(file => file.sequence === sequence)?.end ?? -1;
      this.checkFile(path, sequence, sequence === journal.at(-1)?.sequence, end, listed.has(sequence));
    }
    for (const sequence of listed) {
      if (journal.some(file => file.sequence === sequence)) continue;
      this.add(journalPath(this.directory, sequence), 0, 'damage', 'the manifest lists this file, and it is missing');
    }
    this.reportGaps();
    return { files: journal.length, frames: this.frames, bytes: this.bytes, findings: this.findings };
  }

  private checkManifest(): Manifest | undefined {
    const { damaged, manifest } = readManifest(this.files, this.directory);
    for (const path of damaged) {
      this.add(path, 0, manifest ? 'rebuildable' : 'damage', 'this copy of the manifest cannot be read');
    }
    return manifest;
  }

  private checkFile(path: string, sequence: number, isNewest: boolean, end: number, isListed: boolean): void {
    const file = this.files.open(path, 'read');
    try {
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
      this.checkFooter(path, sequence, reader, end);
    } finally {
      file.close();
    }
  }

  private visit(path: string, reader: WindowReader, frames: readonly FramePlace[]): void {
    this.frames += frames.length;
    for (const frame of frames) {
      const defect = bodyDefect(reader, frame);
      if (defect !== undefined) this.add(path, frame.position, 'damage', defect);
      forEachEntry(reader, frame, (entry, position) => this.follow(entry, path, position));
    }
  }

  private follow(entry: FrameEntry, path: string, position: number): void {
    if (entry.kind === 'state') this.states.apply(entry);
    else if (entry.kind === 'append') {
      this.expect(entry.partitionId, entry.baseOffset, path, position);
      this.ends.set(entry.partitionId, entry.lastOffset + 1);
    } else {
      for (const { end, id } of decodeCheckpoint(entry.bytes)) this.expect(id, end, path, position);
    }
  }

  private expect(partitionId: number, offset: number, path: string, position: number): void {
    const from = this.ends.get(partitionId) ?? 0;
    if (offset <= from) return;
    this.gaps.push({ partitionId, from, to: offset - 1, path, position });
    this.ends.set(partitionId, offset);
  }

  private checkFooter(path: string, sequence: number, reader: WindowReader, end: number): void {
    const index = new FileIndex(sequence, path, 0);
    if (!readFooter(index, reader.file)) {
      if (end >= 0 && reader.size > end) this.add(path, end, 'rebuildable', 'the footer cannot be read');
      return;
    }
    for (const [partitionId, part] of index.parts) {
      if (readEntries(part, reader.file)) continue;
      const position = part.stored!.position;
      this.add(path, position, 'rebuildable', `the footer’s entries of partition number ${partitionId} do not match`);
    }
  }

  private reportGaps(): void {
    const topics = new Topics(this.states, { float: () => 0, bytes: length => new Uint8Array(length) }, async () => {});
    topics.restore();
    for (const { partitionId, path, position, to, from } of this.gaps) {
      const partition = topics.partitions.get(partitionId);
      if (!partition || to < partition.startOffset) continue;
      const first = Math.max(from, partition.startOffset);
      const name = `${partition.topic.name}/${partition.index}`;
      this.add(path, position, 'damage', `offsets ${first} to ${to} of ${name} are missing before this place`);
    }
  }

  private add(path: string, position: number, kind: LogFinding['kind'], reason: string): void {
    this.findings.push({ path, position, kind, reason });
  }
}
