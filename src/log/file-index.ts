/**
 * What is known of one journal file.
 *
 *   part      what a partition has in the file, with its entries
 *   before    what the partition had had when the file was begun
 *
 * Invariants
 * I1 the active file has its parts in memory and no directory. A sealed file has neither: the footer has them
 *    (index-cache.ts). A sealed file whose footer is missing or damaged has both.
 */
import type { Directory } from './directory.ts';
import { Entries } from './entries.ts';

/** What a partition has had so far, deleted records included. */
export interface History {
  readonly end: number;
  readonly bytes: number;
  /** Greatest timestamp; -1 when no record had one. */
  readonly newest: number;
}

export const NO_HISTORY: History = { end: 0, bytes: 0, newest: -1 };

/** A partition's share of a file. */
export interface Span {
  readonly before: History;
  /** Offset behind its last record. */
  readonly end: number;
  readonly bytes: number;
  /** Greatest timestamp in it; -1 when no record has one. */
  readonly newest: number;
  /** Time at which its newest batch without timestamps was committed; 0 when all have some. */
  readonly committed: number;
}

export class Part implements Span {
  readonly before: History;
  readonly entries = new Entries();
  end: number;
  bytes = 0;
  newest = -1;
  committed = 0;

  constructor(before: History) {
    this.before = before;
    this.end = before.end;
  }

  add(baseOffset: number, lastOffset: number, position: number, length: number, time: number): void {
    this.entries.add(baseOffset, lastOffset, position, length, time);
    this.end = lastOffset + 1;
    this.bytes += length;
    if (time >= 0) this.newest = Math.max(this.newest, time);
    else this.committed = Math.max(this.committed, -time);
  }
}

export class FileIndex {
  readonly sequence: number;
  readonly path: string;
  /** End of the frames; the footer begins here in a sealed file. */
  endPosition: number;
  parts: Map<number, Part> | undefined;
  directory: Directory | undefined;
  /** A partition that needs the file, as far as is known, and the end of its share. */
  needed: { readonly partitionId: number; readonly end: number } | undefined;

  constructor(sequence: number, path: string, endPosition: number, parts?: Map<number, Part>) {
    this.sequence = sequence;
    this.path = path;
    this.endPosition = endPosition;
    this.parts = parts;
  }

  /** The partition's part in memory, made when it has none. */
  partOf(partitionId: number, before: () => History): Part {
    this.parts ??= new Map();
    let part = this.parts.get(partitionId);
    if (!part) {
      part = new Part(before());
      this.parts.set(partitionId, part);
    }
    return part;
  }
}
