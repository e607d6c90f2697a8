/**
 * Directories and entries of sealed files: read from footers when needed, and dropped again, the longest unused first.
 *
 * Invariants
 * I1 what is kept of footers takes no more than `bytesMax`, but for the one thing asked for last.
 * I2 a file whose footer is missing or damaged is indexed anew from its frames' tables, and that is kept.
 */
import type { File, MillraceError } from '../base/index.ts';
import type { Directory, Row } from './directory.ts';
import type { Entries } from './entries.ts';
import { logErrors } from './errors.ts';
import type { FileIndex } from './file-index.ts';
import { encodeFooter, type Footer, readDirectory, readEntries } from './footer.ts';
import { indexFrames, WindowReader, walkFrames } from './journal-reader.ts';

interface Kept {
  readonly file: FileIndex;
  /** Of a partition's entries; -1 of the directory. */
  readonly key: number;
  readonly value: Directory | Entries;
  /** Neighbours in the order of use. */
  older: Kept | undefined;
  newer: Kept | undefined;
}

const DIRECTORY = -1;

export class IndexCache {
  private readonly bytesMax: number;
  private readonly open: (path: string) => File;
  private readonly kept = new Map<FileIndex, Map<number, Kept>>();
  private oldest: Kept | undefined;
  private newest: Kept | undefined;
  private bytes = 0;

  constructor(bytesMax: number, open: (path: string) => File) {
    this.bytesMax = bytesMax;
    this.open = open;
  }

  /** Of a sealed file. */
  directoryOf(file: FileIndex): Directory {
    if (file.directory) return file.directory;
    const known = this.use(file, DIRECTORY);
    if (known) return known as Directory;
    const read = readDirectory(this.open(file.path));
    if (!read || read.end !== file.endPosition) return this.rebuild(file);
    this.keep(file, DIRECTORY, read.directory);
    return read.directory;
  }

  /** Of a sealed file; `row` is the partition's in its directory. */
  entriesOf(file: FileIndex, row: Row): Entries {
    const inMemory = file.parts?.get(row.partitionId)?.entries ?? this.use(file, row.partitionId);
    if (inMemory) return inMemory as Entries;
    const read = readEntries(row, this.open(file.path));
    if (read) {
      this.keep(file, row.partitionId, read);
      return read;
    }
    this.rebuild(file);
    const part = file.parts?.get(row.partitionId);
    if (part) return part.entries;
    throw damage(file, file.endPosition, 'the footer lists other batches');
  }

  /** The file's footer is durable: what stood in memory for it goes, and comes back where it is read. */
  sealed(file: FileIndex, footer: Footer): void {
    file.parts = undefined;
    this.keep(file, DIRECTORY, footer.directory);
  }

  forget(file: FileIndex): void {
    for (const entry of this.kept.get(file)?.values() ?? []) this.drop(entry);
  }

  get sizeBytes(): number {
    return this.bytes;
  }

  private use(file: FileIndex, key: number): Directory | Entries | undefined {
    const entry = this.kept.get(file)?.get(key);
    if (!entry) return undefined;
    if (entry !== this.newest) {
      this.unlink(entry);
      this.link(entry);
    }
    return entry.value;
  }

  private keep(file: FileIndex, key: number, value: Directory | Entries): void {
    const entry: Kept = { file, key, value, older: undefined, newer: undefined };
    const ofFile = this.kept.get(file);
    if (ofFile) ofFile.set(key, entry);
    else this.kept.set(file, new Map([[key, entry]]));
    this.link(entry);
    this.bytes += costOf(value);
    while (this.bytes > this.bytesMax && this.oldest && this.oldest !== entry) this.drop(this.oldest);
  }

  private drop(entry: Kept): void {
    this.unlink(entry);
    const ofFile = this.kept.get(entry.file)!;
    ofFile.delete(entry.key);
    if (ofFile.size === 0) this.kept.delete(entry.file);
    this.bytes -= costOf(entry.value);
  }

  private link(entry: Kept): void {
    entry.older = this.newest;
    entry.newer = undefined;
    if (this.newest) this.newest.newer = entry;
    else this.oldest = entry;
    this.newest = entry;
  }

  private unlink({ newer, older }: Kept): void {
    if (older) older.newer = newer;
    else this.oldest = newer;
    if (newer) newer.older = older;
    else this.newest = older;
  }

  /** From the frames' tables, as long as the file is part of the log. */
  private rebuild(file: FileIndex): Directory {
    const reader = new WindowReader(this.open(file.path));
    const walk = walkFrames(reader, file.sequence);
    if (walk.end !== file.endPosition) {
      throw damage(file, walk.end, walk.defect ?? 'the frames end elsewhere than the manifest says');
    }
    const { before, index } = indexFrames(reader, file.path, file.sequence, walk, false);
    this.forget(file);
    file.parts = index.parts;
    file.directory = encodeFooter(index, before).directory;
    return file.directory;
  }
}

function damage({ path }: FileIndex, position: number, reason: string): MillraceError {
  return logErrors.damaged({ file: path, position, reason, lost: 'what it holds cannot be served' });
}

/** Bytes in memory, with what the objects around them take. */
function costOf(value: Directory | Entries): number {
  return value.sizeBytes + 256;
}
