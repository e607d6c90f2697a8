/**
 * Recovery: which files belong to the log, what the newest holds, and where the journal ends.
 *
 * Every file begins with a checkpoint and all state, so only the newest is replayed; of the older ones the manifest says
 * that they belong to the log and how far their frames go, and their footers are read when they are needed. Every start
 * begins a new file.
 *
 *   newest file without a complete first frame, in no manifest   it was being created: removed, the one before is replayed
 *   newest file ends in half a frame, behind the mark            torn tail: nobody was told of it; it is cut off
 *   file below the newest that the manifest lists no more        its unlinking was under way: removed
 *   anything else that does not fit                              damage: the start is refused, with file and position
 *
 * How much is looked at: the two newest files byte for byte, of the others that they are there and long enough (the
 * scrubber reads them through). Without a manifest that can be relied on, the tables or directories of all files, which
 * must tell of every offset.
 *
 * What recovery believes is made durable before anybody builds on it: after a kill the last frame may stand in the page
 * cache only, and after a failed sync the kernel may even hold it for clean. So it is written again and synced, and the
 * file gets its footer.
 *
 * Invariants
 * I1 nothing is cut or removed but a torn tail, a file without a complete frame, and files taken out by the manifest.
 * I2 when recovery ends, a manifest with all files and their ends is durable (but for a full disk).
 */
import { type File, type FileSystem, systemCode } from '../base/index.ts';
import { lostIn } from './check.ts';
import { logErrors } from './errors.ts';
import { FileIndex, type History } from './file-index.ts';
import { encodeFooter, readDirectory } from './footer.ts';
import type { TableCursor } from './frame-table.ts';
import {
  indexFrames,
  journalFiles,
  journalPath,
  nextIntactFrame,
  openJournal,
  sequenceOf,
  type Walk,
  walkFrames,
  WindowReader,
} from './journal-reader.ts';
import { encodeManifest, type Manifest, readManifest, writeManifest } from './manifest.ts';
import { type Mark, readMark } from './mark.ts';

export interface Recovered {
  readonly files: readonly FileIndex[];
  readonly nextSequence: number;
  readonly lsn: number;
  readonly manifestGeneration: number;
  /** There was no space for a manifest with the newest file: the next file may not be begun before there is one. */
  readonly isManifestOwed: boolean;
  /** Bytes of a torn tail that were cut off. */
  readonly tornBytes: number;
  /** Offsets that no file has; those behind a partition's start were lost. */
  readonly gaps: readonly Gap[];
}

/** Offsets of a partition that are missing before a file. */
export interface Gap {
  readonly partitionId: number;
  readonly from: number;
  readonly to: number;
  readonly path: string;
}

interface Found {
  readonly sequence: number;
  readonly path: string;
}

/** How far every partition had come at a file's end. */
type Ends = ReadonlyMap<number, number>;

const COPY_BYTES = 1 << 20;
const UNKNOWN_LOSS = 'without it a lost file would go unnoticed; remove it to have all files checked instead';

export function recover(files: FileSystem, directory: string, visit: (entry: TableCursor) => void): Recovered {
  return new Recovery(files, directory, visit).run();
}

class Recovery {
  private readonly files: FileSystem;
  private readonly directory: string;
  private readonly visit: (entry: TableCursor) => void;
  private readonly manifest: Manifest | undefined;
  /** Listed by the manifest, which may be the last but one. */
  private readonly listed: ReadonlyMap<number, number>;
  private readonly newestListed: number;
  private readonly mark: Mark | undefined;
  /** What it lists no more does not belong to the log, what it lists does. */
  private isRelied: boolean;
  private readonly gaps: Gap[] = [];

  constructor(files: FileSystem, directory: string, visit: (entry: TableCursor) => void) {
    this.files = files;
    this.directory = directory;
    this.visit = visit;
    const { damaged, manifest } = readManifest(files, directory);
    if (!manifest && damaged.length > 0) {
      const reason = 'the manifest cannot be read, and there is no other copy';
      throw logErrors.damaged({ file: damaged[0], position: 0, reason, lost: UNKNOWN_LOSS });
    }
    this.manifest = manifest;
    this.listed = new Map(manifest?.files.map(({ end, sequence }) => [sequence, end]));
    this.newestListed = manifest?.files.at(-1)?.sequence ?? 0;
    this.mark = readMark(files, directory);
    this.isRelied = this.newestListed > 0 && damaged.length === 0;
  }

  run(): Recovered {
    const { files } = this;
    let found = journalFiles(files, this.directory);
    // One file is begun after a manifest; with more above it, it is not the newest that there was.
    if (found.filter(({ sequence }) => sequence > this.newestListed).length > 1) this.isRelied = false;
    const newestKnown = Math.max(this.newestListed, this.mark?.sequence ?? 0);
    if ((found.at(-1)?.sequence ?? 0) < newestKnown) {
      this.refuse(journalPath(this.directory, newestKnown), 0, 'the newest file of the journal is missing');
    }
    if (this.isRelied) found = this.removeUnlisted(found);
    const generation = this.manifest?.generation ?? 0;
    while (found.length > 0) {
      const newest = found.at(-1)!;
      const replayed = this.replay(newest, found.length > 1);
      if (!replayed) {
        files.remove(newest.path);
        files.syncDirectory(this.directory);
        found = found.slice(0, -1);
        continue;
      }
      const older = this.openOlder(found.slice(0, -1), newest, replayed.before);
      const all = [...older, replayed.index];
      const manifestGeneration = replayed.isClean ? generation : this.saveManifest(generation + 1, all);
      return {
        files: all,
        nextSequence: newest.sequence + 1,
        lsn: replayed.lsn,
        tornBytes: replayed.tornBytes,
        manifestGeneration,
        isManifestOwed: !replayed.isClean && manifestGeneration === generation,
        gaps: this.gaps,
      };
    }
    const nothing = { files: [], nextSequence: 1, lsn: 0, tornBytes: 0, gaps: [] };
    return { ...nothing, manifestGeneration: generation, isManifestOwed: false };
  }

  /** Files whose unlinking was still to come. Those above the manifest's newest were begun after it. */
  private removeUnlisted(found: Found[]): Found[] {
    const isUnlisted = ({ sequence }: Found): boolean => sequence < this.newestListed && !this.listed.has(sequence);
    const unlisted = found.filter(isUnlisted);
    if (unlisted.length === 0) return found;
    // The manifest that lists them no more may have its name, and not yet keep it.
    this.files.syncDirectory(this.directory);
    for (const { path } of unlisted) this.files.remove(path);
    this.files.syncDirectory(this.directory);
    return found.filter(file => !isUnlisted(file));
  }

  /** Undefined when the file was being created and may go. */
  private replay(
    { path, sequence }: Found,
    isSecond: boolean,
  ):
    | {
        readonly index: FileIndex;
        readonly before: ReadonlyMap<number, History>;
        readonly lsn: number;
        readonly tornBytes: number;
        readonly isClean: boolean;
      }
    | undefined {
    const file = openJournal(this.files, path);
    try {
      const reader = new WindowReader(file);
      const walk = walkFrames(reader, sequence);
      const known = Math.max(this.listed.get(sequence) ?? -1, this.mark?.sequence === sequence ? this.mark.end : -1);
      // Without a manifest to rely on, a second file may have been acknowledged.
      const isListed = this.isRelied ? sequence <= this.newestListed : isSecond || this.newestListed > 0;
      if ((known >= 0 && walk.end < known) || (walk.frames.length === 0 && isListed))
        this.refuseWalk(path, walk, reader, known);
      this.refuseDamage(path, reader, walk, sequence);
      if (walk.frames.length === 0) return undefined;
      const { before, damage, index } = indexFrames(reader, path, sequence, walk, true, this.visit);
      if (damage) this.refuse(path, damage.position, damage.defect);
      const isClean = this.isRelied && this.listed.get(sequence) === walk.end && walk.hasFooter;
      if (isClean) index.parts = undefined;
      else makeDurable(this.files, path, index, walk, before);
      return { index, before, lsn: walk.frames.at(-1)!.head.lsn, tornBytes: walk.limit - walk.end, isClean };
    } finally {
      file.close();
    }
  }

  /** The files before the newest. Those that the manifest vouches for are not opened, but for the last of them. */
  private openOlder(found: readonly Found[], newest: Found, before: ReadonlyMap<number, History>): FileIndex[] {
    if (this.isRelied) this.expectListed(found, newest);
    const beginOfNewest = new Map(before.entries().map(([id, { end }]) => [id, end]));
    let ends: Ends | undefined = this.isRelied ? undefined : new Map();
    const indexes = found.map(({ path, sequence }, i) => {
      const end = this.listed.get(sequence) ?? -1;
      const isLast = i === found.length - 1;
      if (this.isRelied && !isLast && end >= 0) return new FileIndex(sequence, path, end);
      const older = this.look(path, sequence, end, isLast);
      ends = this.follow(ends, older.begin, older.end, path);
      return older.index;
    });
    if (ends) this.follow(ends, beginOfNewest, beginOfNewest, newest.path);
    return indexes;
  }

  /** A listed file that is gone, or shorter than its frames. */
  private expectListed(found: readonly Found[], newest: Found): void {
    const there = new Map(found.map(({ path, sequence }) => [sequence, path]));
    for (const [sequence, end] of this.listed) {
      if (sequence >= newest.sequence) continue;
      const path = there.get(sequence);
      if (path === undefined) {
        this.refuse(journalPath(this.directory, sequence), 0, 'the manifest lists this file, and it is missing');
      }
      const { size } = this.files.stat(path!);
      if (size < end) this.refuse(path!, size, `the file is shorter than its frames, which end at ${end}`);
    }
  }

  /** Reads an older file's tables or directory, and with `isDeep` every byte. */
  private look(
    path: string,
    sequence: number,
    end: number,
    isDeep: boolean,
  ): { readonly index: FileIndex; readonly begin: Ends; readonly end: Ends } {
    const file = openJournal(this.files, path);
    try {
      const footer = readDirectory(file);
      if (!footer || isDeep) {
        const reader = new WindowReader(file);
        const walk = walkFrames(reader, sequence);
        if (end >= 0 ? walk.end !== end : walk.frames.length === 0) this.refuseWalk(path, walk, reader, end);
        this.refuseDamage(path, reader, walk, sequence);
        const { before, damage, index } = indexFrames(reader, path, sequence, walk, isDeep);
        if (damage) this.refuse(path, damage.position, damage.defect);
        if (!footer) {
          index.directory = encodeFooter(index, before).directory;
          return { index, ...endsOf(index.directory.rows()) };
        }
      }
      return { index: new FileIndex(sequence, path, footer.end), ...endsOf(footer.directory.rows()) };
    } finally {
      file.close();
    }
  }

  /** Notes the offsets missing between a file and what was before it. */
  private follow(ends: Ends | undefined, begin: Ends, end: Ends, path: string): Ends {
    if (ends) {
      for (const [partitionId, first] of begin) {
        const from = ends.get(partitionId) ?? 0;
        if (from < first) this.gaps.push({ partitionId, from, to: first - 1, path });
      }
    }
    return end;
  }

  /** Refuses what cannot be a torn tail: a defect with a complete frame behind it, or in front of a footer. */
  private refuseDamage(path: string, reader: WindowReader, walk: Walk, sequence: number): void {
    if (walk.defect === undefined) return;
    if (walk.format !== undefined || walk.hasFooter || nextIntactFrame(reader, sequence, walk.end + 1) !== undefined)
      this.refuseWalk(path, walk, reader);
  }

  /** `end` is where the frames are known to have ended; what is not there can only be told by its place. */
  private refuseWalk(path: string, walk: Walk, reader: WindowReader, end = -1): never {
    if (walk.format !== undefined) throw logErrors.otherFormat({ file: path, format: walk.format });
    const isFollowed = walk.hasFooter || nextIntactFrame(reader, sequenceOf(path), walk.end + 1) !== undefined;
    const isTail = end > walk.end && !isFollowed;
    const tail = isTail ? `, and all that was written from there to byte ${end}` : '';
    return this.refuse(path, walk.end, walk.defect ?? 'the file is shorter than it was', tail);
  }

  private refuse(path: string, position: number, reason: string, tail = ''): never {
    const lost = lostIn(this.files, this.directory, sequenceOf(path)) + tail;
    throw logErrors.damaged({ file: path, position, reason, lost });
  }

  /** Returns the generation that is durable now. */
  private saveManifest(generation: number, all: readonly FileIndex[]): number {
    const listed = all.map(({ endPosition: end, sequence }) => ({ sequence, end }));
    try {
      writeManifest(this.files, this.directory, generation, encodeManifest({ generation, files: listed }));
      return generation;
    } catch (error) {
      if (!isFull(error)) throw error;
      return generation - 1;
    }
  }
}

function endsOf(rows: Iterable<{ readonly partitionId: number; readonly before: History; readonly end: number }>): {
  readonly begin: Ends;
  readonly end: Ends;
} {
  const begin = new Map<number, number>();
  const ends = new Map<number, number>();
  for (const { before, end, partitionId } of rows) {
    begin.set(partitionId, before.end);
    ends.set(partitionId, end);
  }
  return { begin, end: ends };
}

/** Cuts the torn tail off, writes the last frame again, gives the file its footer, and syncs. */
function makeDurable(
  files: FileSystem,
  path: string,
  index: FileIndex,
  walk: Walk,
  before: ReadonlyMap<number, History>,
): void {
  const file = files.open(path, 'write');
  try {
    if (file.size() > walk.end) file.truncate(walk.end);
    // The first frame was written together with the file's header.
    rewrite(file, walk.frames.length === 1 ? 0 : walk.frames.at(-1)!.position, walk.end);
    // Before the footer: one that outlived the frames in front of it would make their loss look like damage.
    file.sync();
    const footer = encodeFooter(index, before);
    try {
      file.write([footer.bytes], walk.end);
      index.parts = undefined;
    } catch (error) {
      if (!isFull(error)) throw error;
      file.truncate(walk.end);
      index.directory = footer.directory;
    }
    file.sync();
  } finally {
    file.close();
  }
  files.syncDirectory(path.slice(0, path.lastIndexOf('/')));
}

function rewrite(file: File, from: number, to: number): void {
  const bytes = new Uint8Array(Math.min(COPY_BYTES, to - from));
  for (let at = from; at < to; at += bytes.length) {
    const got = file.read(bytes, 0, Math.min(bytes.length, to - at), at);
    file.write([bytes.subarray(0, got)], at);
  }
}

function isFull(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}
