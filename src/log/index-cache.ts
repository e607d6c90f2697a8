/**
 * Entries of sealed files: read from footers when needed, and dropped again, the longest unused first.
 *
 * Invariants
 * I1 no more than `entriesMax` entries that a footer has are kept, but always those of the part asked for.
 * I2 entries that no footer has are never dropped: those of the active file, and of files whose footer is damaged.
 */
import type { File } from '../base/index.ts';
import { logErrors } from './errors.ts';
import type { Entries, FileIndex, Part } from './file-index.ts';
import { readEntries } from './footer.ts';
import { indexFrames, WindowReader, walkFrames } from './journal-reader.ts';

export class IndexCache {
  private readonly entriesMax: number;
  private count = 0;
  /** Oldest use first. */
  private readonly used = new Set<Part>();

  constructor(entriesMax: number) {
    this.entriesMax = entriesMax;
  }

  entriesOf(index: FileIndex, part: Part, open: () => File): Entries {
    if (part.entries) {
      if (this.used.delete(part)) this.used.add(part);
      return part.entries;
    }
    const file = open();
    part.entries = readEntries(part, file) ?? rebuild(index, part, file);
    if (part.stored) this.keep(part);
    return part.entries;
  }

  /** The file's footer is durable: its entries may be dropped from now on. */
  sealed(index: FileIndex): void {
    for (const part of index.parts.values()) this.keep(part);
  }

  forget(index: FileIndex): void {
    for (const part of index.parts.values()) this.drop(part);
  }

  private keep(part: Part): void {
    if (!part.entries || !part.stored || this.used.has(part)) return;
    this.used.add(part);
    this.count += part.entriesCount;
    for (const oldest of this.used) {
      if (this.count <= this.entriesMax || oldest === part) break;
      this.drop(oldest);
    }
  }

  private drop(part: Part): void {
    if (!this.used.delete(part)) return;
    part.entries = undefined;
    this.count -= part.entriesCount;
  }
}

/** The footer's entries of this part are damaged: those of all parts come from the frames' tables. */
function rebuild(index: FileIndex, wanted: Part, file: File): Entries {
  const reader = new WindowReader(file);
  const walk = walkFrames(reader, index.sequence);
  if (walk.defect !== undefined) {
    throw logErrors.damaged({ file: index.path, position: walk.end, reason: walk.defect });
  }
  for (const [partitionId, part] of indexFrames(reader, index.path, index.sequence, walk).parts) {
    const known = index.parts.get(partitionId);
    if (!known || known.entries) continue;
    known.entries = part.entries;
    known.stored = undefined;
  }
  if (!wanted.entries) {
    throw logErrors.damaged({
      file: index.path,
      position: index.endPosition,
      reason: 'the footer lists other batches',
    });
  }
  return wanted.entries;
}
