/**
 * Reads: from an offset or a time to batches, by way of the index.
 *
 * Everything goes through the page cache, where what was just written still lies; another thread may open an extent's
 * `path` and read it itself.
 *
 * Invariants
 * I1 nothing at or beyond the synced end is located.
 * I2 every batch that is read is checked: its header against the index (magic, length, offsets, leader epoch), the rest by
 *    its crc. Damage is refused, never served. Who reads an extent itself checks the crc as well.
 */
import type { File, FileSystem } from '../base/index.ts';
import { BatchHeader, RecordCursor, storedDefect } from '../wire/records/index.ts';
import { logErrors } from './errors.ts';
import { openJournal } from './journal-reader.ts';
import type { Partition } from './partition.ts';
import type { Places } from './places.ts';

/** Whole batches of one partition that lie side by side in a file. */
export interface Extent {
  readonly path: string;
  readonly position: number;
  readonly length: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
}

export interface ReadOptions {
  /** What begins at or behind this offset is left out: the last stable offset, say. */
  readonly end?: number | undefined;
  /** Memory of the caller's, of exactly so many bytes. New one without. */
  readonly room?: ((bytes: number) => Uint8Array) | undefined;
}

export interface TimedOffset {
  readonly offset: number;
  readonly timestamp: number;
}

/** A partition's share of one journal file: what Kafka's APIs call a segment. */
export interface Segment {
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** -1 when no record has a timestamp. */
  readonly maxTimestamp: number;
  /** As retention reckons: batches without timestamps count by the time of their commit. */
  readonly newestMs: number;
  readonly bytes: number;
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
    const file = known ?? openJournal(this.files, path);
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
  private readonly places: Places;
  private readonly header = new BatchHeader(new Uint8Array(0));

  constructor(open: OpenFiles, places: Places) {
    this.open = open;
    this.places = places;
  }

  /** What begins at or behind `end` is left out. */
  locate(partition: Partition, offset: number, bytesMax: number, end = Number.POSITIVE_INFINITY): Extent[] {
    const { places } = this;
    const extents: Extent[] = [];
    let left = bytesMax;
    let next = offset;
    let i = places.fileAt(partition, offset);
    while (i !== undefined && left > 0) {
      const { path } = places.files[i]!;
      const entries = places.entriesOf(partition, i);
      let extent: { -readonly [K in keyof Extent]: Extent[K] } | undefined;
      for (let entry = entries.find(next); entry < entries.count && left > 0; entry++) {
        const length = entries.length(entry);
        if (entries.baseOffset(entry) >= end) return extents;
        if (length > left && extents.length > 0) return extents;
        left -= length;
        const position = entries.position(entry);
        const lastOffset = entries.lastOffset(entry);
        next = lastOffset + 1;
        if (extent && extent.position + extent.length === position) {
          extent.length += length;
          extent.lastOffset = lastOffset;
        } else {
          extent = { path, position, length, baseOffset: entries.baseOffset(entry), lastOffset };
          extents.push(extent);
        }
      }
      i = places.fileAt(partition, next, i + 1);
    }
    return extents;
  }

  read(
    partition: Partition,
    offset: number,
    bytesMax: number,
    { end, room = bytes => Buffer.allocUnsafeSlow(bytes) }: ReadOptions = {},
  ): Uint8Array[] {
    return this.locate(partition, offset, bytesMax, end).map(extent => {
      const bytes = room(extent.length);
      const got = this.open.get(extent.path).read(bytes, 0, extent.length, extent.position);
      this.expectBatches(partition, extent, bytes.subarray(0, got));
      return bytes;
    });
  }

  /** First record at or behind the time, in offset order. */
  offsetForTime(partition: Partition, timestampMs: number): TimedOffset | undefined {
    let i = this.firstFileForTime(partition, timestampMs);
    while (i !== undefined) {
      const span = this.places.shareOf(partition, i);
      const found = span.newest >= timestampMs ? this.inFile(partition, i, timestampMs) : undefined;
      if (found) return found;
      i = this.places.fileAt(partition, span.end, i + 1);
    }
    return undefined;
  }

  /** The newest timestamp among the records kept, and its first offset. */
  maxTimestamp(partition: Partition): TimedOffset | undefined {
    const newest = this.offsetForTime(partition, Math.max(0, partition.newestTimestamp));
    if (newest) return newest;
    // The record that had it is gone: the newest of the others.
    let greatest = -1;
    for (const [i, span] of this.places.spans(partition)) {
      if (span.newest <= greatest) continue;
      const entries = this.places.entriesOf(partition, i);
      for (let entry = entries.find(partition.startOffset); entry < entries.count; entry++) {
        const base = entries.baseOffset(entry);
        const time = base < partition.startOffset ? this.newestKept(partition, base) : entries.time(entry);
        greatest = Math.max(greatest, time);
      }
    }
    return greatest < 0 ? undefined : this.offsetForTime(partition, greatest);
  }

  segments(partition: Partition): Segment[] {
    return Array.from(this.places.spans(partition), ([, span]) => ({
      baseOffset: Math.max(span.before.end, partition.startOffset),
      lastOffset: span.end - 1,
      maxTimestamp: span.newest,
      newestMs: Math.max(span.newest, span.committed),
      bytes: span.bytes,
    }));
  }

  /** The file from which to look; every one before holds older records only, or nothing that is kept. */
  private firstFileForTime(partition: Partition, timestampMs: number): number | undefined {
    const { places } = this;
    const first = places.fileAt(partition, partition.startOffset);
    if (first === undefined || places.shareOf(partition, first).before.newest >= timestampMs) return first;
    return places.fileForTime(partition, timestampMs, first);
  }

  private inFile(partition: Partition, i: number, timestampMs: number): TimedOffset | undefined {
    const entries = this.places.entriesOf(partition, i);
    const first = entries.find(partition.startOffset);
    for (let entry = first; ; entry++) {
      entry = entries.findTime(entry, timestampMs);
      if (entry === entries.count) return undefined;
      const found = this.recordAtTime(partition, entries.baseOffset(entry), timestampMs);
      if (found) return found;
    }
  }

  /** Newest timestamp in a batch that the partition's start lies in. */
  private newestKept(partition: Partition, baseOffset: number): number {
    const [bytes] = this.read(partition, baseOffset, 1);
    const cursor = new RecordCursor().open(bytes!);
    let newest = -1;
    while (cursor.advance()) if (cursor.offset >= partition.startOffset) newest = Math.max(newest, cursor.timestamp);
    return newest;
  }

  private expectBatches(partition: Partition, extent: Extent, bytes: Uint8Array): void {
    const header = this.header.reset(bytes);
    const defect = storedDefect(bytes, extent, header);
    if (defect) refuseRead(partition, defect.offset, extent, defect.reason);
    // The one field that no crc covers.
    for (let at = 0; at < bytes.length; at += header.sizeBytes) {
      if (header.at(at).partitionLeaderEpoch === partition.leaderEpoch) continue;
      refuseRead(partition, header.baseOffset, extent, 'another leader epoch stands there');
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

function refuseRead(partition: Partition, offset: number, { path, position }: Extent, reason: string): never {
  const { index, topic } = partition;
  throw logErrors.corruptRead({ topic: topic.name, partition: index, offset, file: path, position, reason });
}
