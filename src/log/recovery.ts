/**
 * Recovery: which files belong to the log, what they hold, and where the journal ends.
 *
 * Every file begins with a checkpoint and all state, so only the newest is replayed; older files give the directories of
 * their footers, or, where a footer is missing or damaged, their frames' tables. Every start begins a new file.
 *
 *   newest file without a complete first frame, in no manifest   it was being created: removed, the one before is replayed
 *   newest file ends in half a frame                             torn tail: nobody was told of it; it is cut off
 *   file below the newest that the manifest lists no more        its unlinking was under way: removed
 *   anything else that does not fit                              damage: the start is refused, with file and position
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
import { logErrors } from './errors.ts';
import { FileIndex } from './file-index.ts';
import { encodeFooter, readFooter } from './footer.ts';
import type { FrameEntry } from './frame.ts';
import {
  indexFrames,
  journalFiles,
  journalPath,
  nextIntactFrame,
  type Walk,
  walkFrames,
  WindowReader,
} from './journal-reader.ts';
import { encodeManifest, type Manifest, readManifest, writeManifest } from './manifest.ts';

export interface Recovered {
  readonly files: readonly FileIndex[];
  readonly nextSequence: number;
  readonly lsn: number;
  readonly manifestGeneration: number;
  /** Bytes of a torn tail that were cut off. */
  readonly tornBytes: number;
}

interface Found {
  readonly sequence: number;
  readonly path: string;
}

const COPY_BYTES = 1 << 20;

export function recover(files: FileSystem, directory: string, visit: (entry: FrameEntry) => void): Recovered {
  const { damaged, manifest } = readManifest(files, directory);
  const listed = manifest?.files.at(-1);
  let found = journalFiles(files, directory);
  if (listed && (found.at(-1)?.sequence ?? 0) < listed.sequence) {
    throw logErrors.damaged({
      file: journalPath(directory, listed.sequence),
      position: 0,
      reason: 'the newest file of the journal is missing',
    });
  }
  if (manifest && listed && damaged.length === 0) found = removeUnlisted(files, directory, found, manifest);
  const generation = manifest?.generation ?? 0;
  while (found.length > 0) {
    const newest = found.at(-1)!;
    // Without a manifest a second file cannot have been acknowledged only if the first one was not either.
    const isListed = listed ? newest.sequence <= listed.sequence : found.length > 1;
    const end = listed?.sequence === newest.sequence ? listed.end : -1;
    const replayed = replayNewest(files, newest, { isListed, end }, visit);
    if (!replayed) {
      files.remove(newest.path);
      files.syncDirectory(directory);
      found = found.slice(0, -1);
      continue;
    }
    const older = found.slice(0, -1).map(({ path, sequence }) => {
      const entry = manifest?.files.find(file => file.sequence === sequence);
      return indexOf(files, sequence, path, entry?.end ?? -1);
    });
    const all = [...older, replayed.index];
    return {
      files: all,
      nextSequence: newest.sequence + 1,
      lsn: replayed.lsn,
      tornBytes: replayed.tornBytes,
      manifestGeneration: replayed.isClean ? generation : saveManifest(files, directory, generation + 1, all),
    };
  }
  return { files: [], nextSequence: 1, lsn: 0, tornBytes: 0, manifestGeneration: generation };
}

/** Files whose unlinking was still to come. Those above the manifest's newest were begun after it. */
function removeUnlisted(files: FileSystem, directory: string, found: Found[], manifest: Manifest): Found[] {
  const known = new Set(manifest.files.map(({ sequence }) => sequence));
  const newest = manifest.files.at(-1)!.sequence;
  const isUnlisted = ({ sequence }: Found): boolean => sequence < newest && !known.has(sequence);
  const unlisted = found.filter(isUnlisted);
  if (unlisted.length === 0) return found;
  for (const { path } of unlisted) files.remove(path);
  files.syncDirectory(directory);
  return found.filter(file => !isUnlisted(file));
}

/** Undefined when the file was being created and may go. */
function replayNewest(
  files: FileSystem,
  { path, sequence }: Found,
  known: { readonly isListed: boolean; readonly end: number },
  visit: (entry: FrameEntry) => void,
): { index: FileIndex; lsn: number; tornBytes: number; isClean: boolean } | undefined {
  const file = files.open(path, 'read');
  try {
    const reader = new WindowReader(file);
    const walk = walkFrames(reader, sequence);
    const isShort = known.end >= 0 && walk.end < known.end;
    if (isShort || (walk.frames.length === 0 && known.isListed)) refuse(path, walk);
    refuseDamage(path, reader, walk, sequence);
    if (walk.frames.length === 0) return undefined;
    const index = indexFrames(reader, path, sequence, walk, visit);
    const isClean = known.end === walk.end && walk.hasFooter && readFooter(index, file);
    if (!isClean) makeDurable(files, path, index, walk);
    return {
      index,
      lsn: walk.frames.at(-1)!.head.lsn,
      tornBytes: walk.limit - walk.end,
      isClean,
    };
  } finally {
    file.close();
  }
}

/** Cuts the torn tail off, writes the last frame again, gives the file its footer, and syncs. */
function makeDurable(files: FileSystem, path: string, index: FileIndex, walk: Walk): void {
  const file = files.open(path, 'write');
  try {
    if (file.size() > walk.end) file.truncate(walk.end);
    // The first frame was written together with the file's header.
    rewrite(file, walk.frames.length === 1 ? 0 : walk.frames.at(-1)!.position, walk.end);
    // Before the footer: one that outlived the frames in front of it would make their loss look like damage.
    file.sync();
    const footer = encodeFooter(index);
    try {
      file.write([footer.bytes], walk.end);
      for (const [id, stored] of footer.stored) index.parts.get(id)!.stored = stored;
    } catch (error) {
      if (!isFull(error)) throw error;
      file.truncate(walk.end);
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

/** Returns the generation that is durable now. */
function saveManifest(files: FileSystem, directory: string, generation: number, all: readonly FileIndex[]): number {
  const content = encodeManifest({
    generation,
    files: all.map(({ endPosition: end, sequence }) => ({ sequence, end })),
  });
  try {
    writeManifest(files, directory, generation, content);
    return generation;
  } catch (error) {
    if (!isFull(error)) throw error;
    return generation - 1;
  }
}

/** Index of an older file: its footer's directory, or its tables. */
function indexOf(files: FileSystem, sequence: number, path: string, end: number): FileIndex {
  const file = files.open(path, 'read');
  try {
    const index = new FileIndex(sequence, path, 0);
    if (readFooter(index, file)) return index;
    const reader = new WindowReader(file);
    const walk = walkFrames(reader, sequence);
    if (end >= 0 ? walk.end !== end : walk.frames.length === 0) refuse(path, walk);
    refuseDamage(path, reader, walk, sequence);
    return indexFrames(reader, path, sequence, walk);
  } finally {
    file.close();
  }
}

/** Refuses what cannot be a torn tail: a defect with a complete frame behind it, or in front of a footer. */
function refuseDamage(path: string, reader: WindowReader, walk: Walk, sequence: number): void {
  if (walk.defect === undefined) return;
  if (walk.hasFooter || nextIntactFrame(reader, sequence, walk.end + 1) !== undefined) refuse(path, walk);
}

function refuse(path: string, walk: Walk): never {
  throw logErrors.damaged({ file: path, position: walk.end, reason: walk.defect ?? 'the file is shorter than it was' });
}

function isFull(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}
