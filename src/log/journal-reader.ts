/**
 * Reading journal files: which there are, their frames in order, and what does not fit. Shared by recovery and by
 * `millrace log check`; writes nothing.
 *
 * Invariants
 * I1 a frame is complete when its table is intact and, for the last one of a file without footer, when all of its
 *    batches match their crc: frames before were synced before the next was written.
 * I2 lengths found in a file are compared with its size before memory is asked for.
 */
import { assert, type File, type FileSystem, messageOf } from '../base/index.ts';
import { decodeCheckpoint } from './checkpoint.ts';
import { logErrors } from './errors.ts';
import { FileIndex, type History, NO_HISTORY } from './file-index.ts';
import { readDirectory } from './footer.ts';
import {
  decodeFileHeader,
  decodeFrameHead,
  FILE_HEADER_BYTES,
  FRAME_HEAD_BYTES,
  FRAME_MAGIC_TEXT,
  type FrameHead,
  isFrameIntact,
} from './frame.ts';
import { TableCursor, tableDefect } from './frame-table.ts';

const NAME = /^(\d{10})\.mrj$/;
const WINDOW_BYTES = 256 * 1024;
/** Of the next frame's table, where the bodies between are not looked at. */
const TABLE_BYTES = 16 * 1024;
const SCAN_BYTES = 1 << 20;

export function journalPath(directory: string, sequence: number): string {
  return `${directory}/${String(sequence).padStart(10, '0')}.mrj`;
}

export function sequenceOf(path: string): number {
  return Number.parseInt(path.slice(path.lastIndexOf('/') + 1), 10);
}

export function journalFiles(files: FileSystem, directory: string): { sequence: number; path: string }[] {
  return files
    .list(directory)
    .flatMap(name => {
      const match = NAME.exec(name);
      return match ? [{ sequence: Number(match[1]), path: `${directory}/${name}` }] : [];
    })
    .sort((a, b) => a.sequence - b.sequence);
}

/** A journal file to read from; what the disk refuses is told with file and position (MR5013). */
export function openJournal(files: FileSystem, path: string): File {
  const told = <T>(position: number, run: () => T): T => {
    try {
      return run();
    } catch (error) {
      throw logErrors.unreadable({ file: path, position, reason: messageOf(error) }, error);
    }
  };
  const file = told(0, () => files.open(path, 'read'));
  const refuse = (): never => assert(false, 'a journal file is open for reading only') as never;
  return {
    read: (target, offset, length, position) => told(position, () => file.read(target, offset, length, position)),
    size: () => told(0, () => file.size()),
    close: () => file.close(),
    write: refuse,
    sync: refuse,
    truncate: refuse,
  };
}

/** Reads small pieces out of one larger read. */
export class WindowReader {
  readonly file: File;
  readonly size: number;
  private buffer = new Uint8Array(0);
  private window = this.buffer;
  private start = 0;

  constructor(file: File) {
    this.file = file;
    this.size = file.size();
  }

  /**
   * A view that is valid until the next call; shorter than asked only at the end of the file. `aheadBytes` are read with it
   * where it has to be read at all.
   */
  read(position: number, length: number, aheadBytes: number = WINDOW_BYTES): Uint8Array {
    const from = position - this.start;
    if (from < 0 || from + length > this.window.length) this.load(position, Math.max(length, aheadBytes));
    return this.window.subarray(position - this.start, position - this.start + length);
  }

  private load(position: number, length: number): void {
    const wanted = Math.max(0, Math.min(length, this.size - position));
    if (this.buffer.length < wanted) this.buffer = new Uint8Array(wanted);
    let filled = 0;
    while (filled < wanted) {
      const got = this.file.read(this.buffer, filled, wanted - filled, position + filled);
      if (got === 0) break;
      filled += got;
    }
    this.window = this.buffer.subarray(0, filled);
    this.start = position;
  }
}

export interface FramePlace {
  readonly position: number;
  readonly head: FrameHead;
}

export interface Walk {
  readonly frames: readonly FramePlace[];
  /** Where the last complete frame ends. */
  readonly end: number;
  /** Where frames should end: the footer or the end of the file. */
  readonly limit: number;
  readonly defect: string | undefined;
  readonly hasFooter: boolean;
  /** Of a file that another version wrote. */
  readonly format?: number;
}

/** All complete frames of a file, in order, until the first defect. */
export function walkFrames(reader: WindowReader, sequence: number): Walk {
  const header = decodeFileHeader(reader.read(0, FILE_HEADER_BYTES));
  const none = { frames: [], end: 0, limit: reader.size, hasFooter: false };
  if ('defect' in header) return { ...none, ...header };
  if (header.sequence !== sequence) return { ...none, defect: `the header says file ${header.sequence}` };
  const footer = readDirectory(reader.file);
  const hasFooter = footer !== undefined;
  const limit = footer?.end ?? reader.size;
  const frames: FramePlace[] = [];
  const { defect: first, end } = walkFrom(reader, sequence, FILE_HEADER_BYTES, limit, frames);
  const last = frames.at(-1);
  const torn = last && !hasFooter ? bodyDefect(reader, last) : undefined;
  if (last && torn !== undefined) {
    frames.pop();
    return { frames, end: last.position, limit, defect: torn, hasFooter };
  }
  return { frames, end, limit, defect: first, hasFooter };
}

/** Collects intact frames from `position` on. */
export function walkFrom(
  reader: WindowReader,
  sequence: number,
  position: number,
  limit: number,
  frames: FramePlace[],
): StepEnd {
  const steps = stepFrames(reader, sequence, limit, position);
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done) return step.value;
    frames.push(step.value);
  }
}

export interface StepEnd {
  readonly end: number;
  readonly defect: string | undefined;
}

/** Intact frames one by one, and in the end where they end, and why when that is before the limit. */
export function* stepFrames(
  reader: WindowReader,
  sequence: number,
  limit: number,
  position: number = FILE_HEADER_BYTES,
): Generator<FramePlace, StepEnd, void> {
  let at = position;
  let lsn = -1;
  while (at < limit) {
    const head = decodeFrameHead(reader.read(at, FRAME_HEAD_BYTES, TABLE_BYTES), sequence, at);
    if (!head) return { end: at, defect: 'no frame begins here' };
    if (at + head.totalBytes > limit) return { end: at, defect: 'the frame is longer than the file' };
    const table = reader.read(at, head.headBytes, TABLE_BYTES);
    const defect = isFrameIntact(table) ? tableDefect(table, head) : 'the table’s crc does not match';
    if (defect !== undefined) return { end: at, defect };
    if (lsn >= 0 && head.lsn !== lsn + 1) return { end: at, defect: 'the lsn does not follow' };
    ({ lsn } = head);
    yield { position: at, head };
    at += head.totalBytes;
  }
  return { end: at, defect: undefined };
}

/** Why a frame's batches are not what its table says; undefined when they are. */
export function bodyDefect(reader: WindowReader, frame: FramePlace): string | undefined {
  const entry = openTable(reader, frame);
  while (entry.advance()) if (!isIntact(reader, entry)) return batchDefect(entry);
  return undefined;
}

/** The table of an intact frame. */
export function openTable(
  reader: WindowReader,
  { head, position }: FramePlace,
  cursor: TableCursor = new TableCursor(),
): TableCursor {
  return cursor.open(reader.read(position, head.headBytes), head, position);
}

/** False for a batch that is not what the table says of it. */
export function isIntact(reader: WindowReader, entry: TableCursor): boolean {
  return entry.kind !== 'append' || entry.isBatch(reader.read(entry.position, entry.length));
}

function batchDefect({ baseOffset, partitionId, position }: TableCursor): string {
  return `the batch of partition number ${partitionId} at offset ${baseOffset} (byte ${position}) does not match its crc`;
}

/** Position of the first intact frame at or behind `from`. */
export function nextIntactFrame(reader: WindowReader, sequence: number, from: number): number | undefined {
  const magic = Buffer.from(FRAME_MAGIC_TEXT);
  for (let start = from; start < reader.size; start += SCAN_BYTES) {
    const chunk = Buffer.from(reader.read(start, SCAN_BYTES + magic.length - 1));
    for (let at = chunk.indexOf(magic); at >= 0; at = chunk.indexOf(magic, at + 1)) {
      const position = start + at;
      const head = decodeFrameHead(reader.read(position, FRAME_HEAD_BYTES), sequence, position);
      if (!head || position + head.headBytes > reader.size) continue;
      if (isFrameIntact(reader.read(position, head.headBytes))) return position;
    }
  }
  return undefined;
}

export interface IndexedFile {
  readonly index: FileIndex;
  /** What each partition had had when the file was begun. */
  readonly before: ReadonlyMap<number, History>;
  /** The first frame with a batch that is not what the table says, when batches were looked at. */
  readonly damage: { readonly position: number; readonly defect: string } | undefined;
}

/** The index of a file from its frames' tables; `isDeep` looks at every batch as well. */
export function indexFrames(
  reader: WindowReader,
  path: string,
  sequence: number,
  walk: Walk,
  isDeep: boolean,
  visit: (entry: TableCursor) => void = () => undefined,
): IndexedFile {
  const index = new FileIndex(sequence, path, walk.end, new Map());
  const before = new Map<number, History>();
  const entry = new TableCursor();
  for (const frame of walk.frames) {
    openTable(reader, frame, entry);
    while (entry.advance()) {
      if (isDeep && !isIntact(reader, entry)) {
        return { index, before, damage: { position: frame.position, defect: batchDefect(entry) } };
      }
      visit(entry);
      if (entry.kind === 'checkpoint') {
        for (const { history, id } of decodeCheckpoint(entry.checkpoint)) before.set(id, history);
      } else if (entry.kind === 'append') {
        const { baseOffset, lastOffset, length, partitionId, position, time } = entry;
        const part = index.partOf(partitionId, () => before.get(partitionId) ?? NO_HISTORY);
        part.add(baseOffset, lastOffset, position, length, time);
      }
    }
  }
  return { index, before, damage: undefined };
}
