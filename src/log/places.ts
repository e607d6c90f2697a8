/**
 * Where the batches of a partition lie: from an offset, a time or a number of bytes to files and entries.
 *
 * The files of the log follow each other, and each one's directory says how far every partition had come, so the file of
 * an offset is found by halving, whether or not the partition has anything in the files between.
 *
 * Invariants
 * I1 the last file is the active one, or the newest when none is active: every partition's synced end lies in it or before.
 */
import type { Row } from './directory.ts';
import { Entries, firstThat } from './entries.ts';
import { logErrors } from './errors.ts';
import type { FileIndex, Span } from './file-index.ts';
import type { IndexCache } from './index-cache.ts';
import type { Partition } from './partition.ts';

const NOTHING = new Entries();

export class Places {
  /** Ascending. The active file is added with its first frame. */
  files: FileIndex[] = [];
  private readonly cache: IndexCache;

  constructor(cache: IndexCache) {
    this.cache = cache;
  }

  /** Number of the file that holds `offset`, or that is the next with records behind it; undefined at the synced end. */
  fileAt(partition: Partition, offset: number, from = 0): number | undefined {
    const newest = this.files.length - 1;
    if (offset >= partition.syncedEnd || from > newest) return undefined;
    // Most readers ask for the newest, or for what follows what they had.
    if (this.beginOf(partition, newest) <= offset) return newest;
    if (from > 0 && this.endOf(partition, from) > offset) return from;
    return firstThat(from, newest, i => this.endOf(partition, i) > offset);
  }

  /** What the partition has in a file; undefined when that is nothing. */
  spanOf(partition: Partition, i: number): Span | undefined {
    const file = this.files[i]!;
    if (isActive(file)) return file.parts?.get(partition.id);
    const row = this.rowOf(partition, file);
    return row && row.entriesCount > 0 ? row : undefined;
  }

  /** Of a file that `fileAt` has named. */
  shareOf(partition: Partition, i: number): Span {
    const span = this.spanOf(partition, i);
    if (span) return span;
    const { endPosition: position, path: file } = this.files[i]!;
    const reason = `it says of partition number ${partition.id} what other files do not`;
    throw logErrors.damaged({ file, position, reason, lost: 'what it holds cannot be served' });
  }

  entriesOf(partition: Partition, i: number): Entries {
    const file = this.files[i]!;
    if (isActive(file)) return file.parts?.get(partition.id)?.entries ?? NOTHING;
    const row = this.rowOf(partition, file);
    return row && row.entriesCount > 0 ? this.cache.entriesOf(file, row) : NOTHING;
  }

  /** Shares of the partition from its start on, each with the number of its file. */
  *spans(partition: Partition): IterableIterator<readonly [number, Span]> {
    let i = this.fileAt(partition, partition.startOffset);
    while (i !== undefined) {
      const span = this.shareOf(partition, i);
      yield [i, span];
      i = this.fileAt(partition, span.end, i + 1);
    }
  }

  /** First file from `from` on up to whose end the partition has had a record at or behind the time. */
  fileForTime(partition: Partition, timestampMs: number, from: number): number | undefined {
    const newest = this.files.length - 1;
    if (partition.newestTimestamp < timestampMs) return undefined;
    const newestUpTo = (i: number): number => {
      const row = this.rowOf(partition, this.files[i]!);
      return row ? Math.max(row.before.newest, row.newest) : -1;
    };
    return firstThat(from, newest, i => newestUpTo(i) >= timestampMs);
  }

  /** Bytes of the files' shares that are still kept. */
  sizeOf(partition: Partition): number {
    const first = this.fileAt(partition, partition.startOffset);
    if (first === undefined) return 0;
    return partition.appendedBytes - this.shareOf(partition, first).before.bytes;
  }

  /** True when no partition that still exists needs anything of the sealed file. */
  isDead(file: FileIndex, partitions: ReadonlyMap<number, Partition>): boolean {
    const isNeeded = (partitionId: number, end: number): boolean => {
      const partition = partitions.get(partitionId);
      return partition !== undefined && end > partition.startOffset;
    };
    const { needed } = file;
    if (needed && isNeeded(needed.partitionId, needed.end)) return false;
    for (const { end, entriesCount, partitionId } of this.cache.directoryOf(file).rows()) {
      if (entriesCount === 0 || !isNeeded(partitionId, end)) continue;
      file.needed = { partitionId, end };
      return false;
    }
    return true;
  }

  private beginOf(partition: Partition, i: number): number {
    const file = this.files[i]!;
    const span = isActive(file) ? file.parts?.get(partition.id) : this.rowOf(partition, file);
    return span?.before.end ?? partition.syncedEnd;
  }

  private endOf(partition: Partition, i: number): number {
    const file = this.files[i]!;
    if (i === this.files.length - 1) return partition.syncedEnd;
    return this.rowOf(partition, file)?.end ?? 0;
  }

  private rowOf(partition: Partition, file: FileIndex): Row | undefined {
    return this.cache.directoryOf(file).find(partition.id);
  }
}

export function isActive(file: FileIndex): boolean {
  return file.parts !== undefined && file.directory === undefined;
}
