/**
 * Reads: from an offset or a time to batches, by way of the index.
 *
 * Everything goes through the page cache, where what was just written still lies; another thread may open an extent's
 * `path` and read it itself.
 *
 * Invariants
 * I1 nothing at or beyond the synced end is located.
 * I2 what is read is checked against the index batch by batch (magic, length, offsets): damage is refused, never served.
 *    The batch's own crc is the reader's to check, as Kafka's clients do.
 */
import type { File, FileSystem } from '../base/index.ts';
import { BatchHeader, RecordCursor } from '../wire/records/index.ts';
import { logErrors } from './errors.ts';
import type { Entries, FileIndex } from './file-index.ts';
import type { IndexCache } from './index-cache.ts';
import type { Partition } from './partition.ts';

/** Whole batches of one partition that lie side by side in a file. */
export interface Extent {
  readonly path: string;
  readonly position: number;
  readonly length: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
}

export interface TimedOffset {
  readonly offset: number;
  readonly timestamp: number;
}

const OPEN_FILES_MAX = 64;

/** Journal files open for reading, the longest unused closed first. */
export class OpenFiles {
  private readonly files: FileSystem;
  private readonly open = new Map<string, File>();

  constructor(files: FileSystem) {
    this.files = files;
  }

  get(path: string): File {
    const known = this.open.get(path);
    const file = known ?? this.files.open(path, 'read');
    if (known) this.open.delete(path);
    this.open.set(path, file);
    if (this.open.size > OPEN_FILES_MAX) this.close(this.open.keys().next().value!);
    return file;
  }

  close(path: string): void {
    this.open.get(path)?.close();
    this.open.delete(path);
  }

  closeAll(): void {
    for (const path of this.open.keys()) this.close(path);
  }
}

export class Reads {
  private readonly open: OpenFiles;
  private readonly cache: IndexCache;
  private readonly header = new BatchHeader(new Uint8Array(0));

  constructor(open: OpenFiles, cache: IndexCache) {
    this.open = open;
    this.cache = cache;
  }

  locate(partition: Partition, offset: number, bytesMax: number): Extent[] {
    const extents: Extent[] = [];
    let left = bytesMax;
    const first = offset < partition.syncedEnd ? partition.fileFor(offset) : undefined;
    for (let i = first ?? partition.files.length; i < partition.files.length && left > 0; i++) {
      const file = partition.files[i]!;
      const entries = this.entriesOf(partition, file);
      let extent: { -readonly [K in keyof Extent]: Extent[K] } | undefined;
      for (let entry = entries.find(offset); entry < entries.count && left > 0; entry++) {
        const length = entries.lengths[entry]!;
        if (length > left && extents.length > 0) return extents;
        left -= length;
        const position = entries.positions[entry]!;
        const lastOffset = entries.lastOffsets[entry]!;
        if (extent && extent.position + extent.length === position) {
          extent.length += length;
          extent.lastOffset = lastOffset;
        } else {
          extent = { path: file.path, position, length, baseOffset: entries.baseOffsets[entry]!, lastOffset };
          extents.push(extent);
        }
      }
    }
    return extents;
  }

  read(partition: Partition, offset: number, bytesMax: number): Uint8Array[] {
    return this.locate(partition, offset, bytesMax).map(extent => {
      const bytes = Buffer.allocUnsafeSlow(extent.length);
      const got = this.open.get(extent.path).read(bytes, 0, extent.length, extent.position);
      this.expectBatches(partition, extent, bytes.subarray(0, got));
      return bytes;
    });
  }

  /** First record at or behind the time, in offset order. */
  offsetForTime(partition: Partition, timestampMs: number): TimedOffset | undefined {
    for (const file of partition.files) {
      const part = partition.partOf(file);
      if (part.maxTimestamp < timestampMs || part.lastOffset < partition.startOffset) continue;
      const { baseOffsets, count, lastOffsets, maxTimestamps } = this.entriesOf(partition, file);
      for (let entry = 0; entry < count; entry++) {
        if (maxTimestamps[entry]! < timestampMs || lastOffsets[entry]! < partition.startOffset) continue;
        const found = this.recordAtTime(partition, baseOffsets[entry]!, timestampMs);
        if (found) return found;
      }
    }
    return undefined;
  }

  /** The newest timestamp among the records kept, and its first offset. */
  maxTimestamp(partition: Partition): TimedOffset | undefined {
    let newest = -1;
    for (const file of partition.files) {
      const part = partition.partOf(file);
      if (part.lastOffset < partition.startOffset || part.maxTimestamp <= newest) continue;
      const { count, lastOffsets, maxTimestamps } = this.entriesOf(partition, file);
      for (let entry = 0; entry < count; entry++) {
        if (lastOffsets[entry]! >= partition.startOffset) newest = Math.max(newest, maxTimestamps[entry]!);
      }
    }
    return newest < 0 ? undefined : this.offsetForTime(partition, newest);
  }

  private entriesOf(partition: Partition, file: FileIndex): Entries {
    return this.cache.entriesOf(file, partition.partOf(file), () => this.open.get(file.path));
  }

  private expectBatches(partition: Partition, extent: Extent, bytes: Uint8Array): void {
    const header = this.header.reset(bytes);
    let at = 0;
    let next = extent.baseOffset;
    while (at < bytes.length) {
      header.at(at);
      const isRight = header.fits() && header.magic === 2 && header.baseOffset >= next;
      if (!isRight) refuseRead(partition, next, 'another header stands there');
      next = header.lastOffset + 1;
      at += header.sizeBytes;
    }
    if (bytes.length !== extent.length || next !== extent.lastOffset + 1) {
      refuseRead(partition, next, 'the file is shorter');
    }
  }

  private recordAtTime(partition: Partition, offset: number, timestampMs: number): TimedOffset | undefined {
    const [bytes] = this.read(partition, offset, 1);
    const cursor = new RecordCursor().open(bytes!);
    while (cursor.advance()) {
      if (cursor.timestamp >= timestampMs && cursor.offset >= partition.startOffset) {
        return { offset: cursor.offset, timestamp: cursor.timestamp };
      }
    }
    return undefined;
  }
}

function refuseRead(partition: Partition, offset: number, reason: string): never {
  throw logErrors.corruptRead({ topic: partition.topic.name, partition: partition.index, offset, reason });
}
