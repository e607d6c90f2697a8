/**
 * Recovery: which files are there, what they hold, and where the journal ends.
 *
 * Every file begins with a checkpoint of all state, so only the newest readable one is replayed; older files give their
 * footers, or, where a footer is missing or damaged, their frames' tables.
 *
 *   newest file without an intact checkpoint   it was being created: removed, the one before is replayed
 *   newest file ends in half a frame           torn tail: nobody was told of it; the next file begins behind
 *   anything else that does not fit            damage: the start is refused, with file and position
 *
 * Invariants
 * I1 nothing is cut or removed but a torn tail and a file without a single complete frame.
 * I2 a frame is complete when its table is intact and, for the last one, when all of its batches match their crc; all
 *    frames before were synced before the next was written.
 */
import type { File, FileSystem } from '../base/index.ts';
import { BatchHeader } from '../wire/records/index.ts';
import { logErrors } from './errors.ts';
import { FileIndex } from './file-index.ts';
import {
  decodeEntries,
  decodeFileHeader,
  decodeFrameHeader,
  FILE_HEADER_BYTES,
  FRAME_HEADER_BYTES,
  type FrameEntry,
  type FrameHeader,
  isFrameIntact,
} from './frame.ts';

export interface ReplayTarget {
  checkpoint(bytes: Uint8Array): void;
  entry(entry: FrameEntry, prefixPosition: number): void;
}

export interface Recovered {
  readonly files: readonly FileIndex[];
  readonly nextSequence: number;
  readonly lsn: number;
  /** Bytes of a torn tail that were left out. */
  readonly tornBytes: number;
}

const NAME = /^(\d{10})\.mrj$/;

export function journalFiles(files: FileSystem, directory: string): { sequence: number; path: string }[] {
  return files
    .list(directory)
    .flatMap(name => {
      const match = NAME.exec(name);
      return match ? [{ sequence: Number(match[1]), path: `${directory}/${name}` }] : [];
    })
    .sort((a, b) => a.sequence - b.sequence);
}

export function recover(files: FileSystem, directory: string, target: ReplayTarget): Recovered {
  const found = journalFiles(files, directory);
  let tornBytes = 0;
  while (found.length > 0) {
    const newest = found.at(-1)!;
    const file = files.open(newest.path, 'read');
    try {
      const walk = walkFrames(file, newest.sequence);
      if (walk.frames.length === 0) {
        refuseDamage(newest.path, file, walk, newest.sequence);
        // No frame was ever complete, so nobody was told of anything in it.
        files.remove(newest.path);
        files.syncDirectory(directory);
        found.pop();
        continue;
      }
      refuseDamage(newest.path, file, walk, newest.sequence);
      tornBytes = walk.tailBytes;
      const index = replay(file, newest.sequence, newest.path, walk, target);
      const older = found.slice(0, -1).map(({ sequence, path }) => indexOf(files, sequence, path));
      return {
        files: [...older, index],
        nextSequence: newest.sequence + 1,
        lsn: walk.frames.at(-1)!.header.lsn,
        tornBytes,
      };
    } finally {
      file.close();
    }
  }
  return { files: [], nextSequence: 1, lsn: 0, tornBytes };
}

interface FramePlace {
  readonly position: number;
  readonly header: FrameHeader;
}

export interface Walk {
  readonly frames: readonly FramePlace[];
  /** Where the last complete frame ends. */
  readonly end: number;
  readonly tailBytes: number;
  readonly defect: string | undefined;
  readonly hasFooter: boolean;
}

/** All complete frames of a file, in order. */
export function walkFrames(file: File, sequence: number): Walk {
  const size = file.size();
  const start = read(file, 0, FILE_HEADER_BYTES);
  const header = decodeFileHeader(start);
  if ('defect' in header || header.sequence !== sequence) {
    const defect = 'defect' in header ? header.defect : `the header says file ${header.sequence}`;
    return { frames: [], end: 0, tailBytes: size, defect, hasFooter: false };
  }
  const hasFooter = FileIndex.fromFooter(sequence, '', file)?.endPosition;
  const limit = hasFooter ?? size;
  const frames: FramePlace[] = [];
  let position = FILE_HEADER_BYTES;
  let defect: string | undefined;
  while (position < limit) {
    const head = decodeFrameHeader(read(file, position, FRAME_HEADER_BYTES), sequence);
    if (!head) defect = 'no frame header';
    else if (position + head.totalBytes > limit) defect = 'the frame is longer than the file';
    else if (!isFrameIntact(read(file, position, FRAME_HEADER_BYTES + head.tableBytes), sequence, position)) {
      defect = 'the table’s crc does not match';
    } else if (frames.length > 0 && head.lsn !== frames.at(-1)!.header.lsn + 1) defect = 'the lsn does not follow';
    if (defect !== undefined || !head) break;
    frames.push({ position, header: head });
    position += head.totalBytes;
  }
  if (defect === undefined && hasFooter === undefined) {
    // Only the last frame can have been torn between its table and its bodies.
    const last = frames.at(-1);
    defect = last && bodyDefect(file, last);
    if (defect !== undefined && last) {
      frames.pop();
      position = last.position;
    }
  }
  return { frames, end: position, tailBytes: limit - position, defect, hasFooter: hasFooter !== undefined };
}

/** Why a frame's batches are not what its table says; undefined when they are. */
export function bodyDefect(file: File, { position, header }: FramePlace): string | undefined {
  const head = read(file, position, FRAME_HEADER_BYTES + header.tableBytes);
  let at = position + head.length;
  for (const entry of decodeEntries(head, header.entries)) {
    if (entry.kind !== 'append') continue;
    const batch = read(file, at, entry.length);
    const view = new BatchHeader(batch);
    const isSame = batch.length === entry.length && entry.prefix.every((byte, i) => batch[i] === byte);
    if (!isSame || !view.fits() || view.computeCrc() !== view.crc) {
      return `batch of partition number ${entry.partitionId} at offset ${entry.baseOffset} (byte ${at}) does not match its crc`;
    }
    at += entry.length;
  }
  return undefined;
}

/** Refuses what cannot be a torn tail: a complete frame behind the defect. */
function refuseDamage(path: string, file: File, walk: Walk, sequence: number): void {
  if (walk.defect === undefined) return;
  const next = nextIntactFrame(file, sequence, walk.end + 1);
  if (next === undefined && !walk.hasFooter) return;
  throw logErrors.damaged({ file: path, position: walk.end, reason: walk.defect });
}

const SCAN_BYTES = 1 << 20;

/** Position of the first intact frame at or behind `from`. */
export function nextIntactFrame(file: File, sequence: number, from: number): number | undefined {
  const size = file.size();
  const magic = Buffer.from('MRFR');
  for (let start = from; start < size; start += SCAN_BYTES) {
    const chunk = Buffer.from(read(file, start, SCAN_BYTES + 3));
    for (let at = chunk.indexOf(magic); at >= 0; at = chunk.indexOf(magic, at + 1)) {
      const position = start + at;
      const head = decodeFrameHeader(read(file, position, FRAME_HEADER_BYTES), sequence);
      if (!head || position + FRAME_HEADER_BYTES + head.tableBytes > size) continue;
      if (isFrameIntact(read(file, position, FRAME_HEADER_BYTES + head.tableBytes), sequence, position))
        return position;
    }
  }
  return undefined;
}

function replay(file: File, sequence: number, path: string, walk: Walk, target: ReplayTarget): FileIndex {
  const index = new FileIndex(sequence, path, walk.end);
  index.isSealed = walk.hasFooter;
  forEachEntry(file, walk, (entry, at) => {
    if (entry.kind === 'checkpoint') target.checkpoint(entry.bytes);
    else target.entry(entry, at);
    addToIndex(index, entry, at);
  });
  return index;
}

function forEachEntry(file: File, walk: Walk, visit: (entry: FrameEntry, position: number) => void): void {
  for (const { position, header } of walk.frames) {
    const head = read(file, position, FRAME_HEADER_BYTES + header.tableBytes);
    let at = position + head.length;
    for (const entry of decodeEntries(head, header.entries)) {
      visit(entry, at);
      if (entry.kind === 'append') at += entry.length;
    }
  }
}

function addToIndex(index: FileIndex, entry: FrameEntry, at: number): void {
  if (entry.kind !== 'append') return;
  index.add(entry.partitionId, entry.baseOffset, entry.lastOffset, at, entry.length, entry.maxTimestamp);
}

/** Index of an older file: its footer, or its tables. */
function indexOf(files: FileSystem, sequence: number, path: string): FileIndex {
  const file = files.open(path, 'read');
  try {
    const sealed = FileIndex.fromFooter(sequence, path, file);
    if (sealed) return sealed;
    const walk = walkFrames(file, sequence);
    refuseDamage(path, file, walk, sequence);
    const index = new FileIndex(sequence, path, walk.end);
    forEachEntry(file, walk, (entry, at) => addToIndex(index, entry, at));
    index.isSealed = true;
    return index;
  } finally {
    file.close();
  }
}

function read(file: File, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const got = file.read(bytes, filled, length - filled, position + filled);
    if (got === 0) break;
    filled += got;
  }
  return bytes.subarray(0, filled);
}
