/**
 * The mark: how far the newest journal file was synced, so that a tail that was lost or damaged afterwards is not taken for
 * one that nobody was told of.
 *
 *   synced   two slots, at 0 and 512: "MRSE" · file sequence u32 · end of its frames i64 · crc u32 of all before
 *
 * The commit thread overwrites one slot after each sync, the other after the next. It is not synced itself: after a kill it
 * is exact, after a loss of power it tells of some commit before, and a slot that is torn leaves the other one.
 *
 * Invariants
 * I1 a slot is written only when what it tells of is durable.
 */
import type { File, FileSystem } from '../base/index.ts';
import { crc32c } from '../wire/records/index.ts';
import { asBuffer, readInt64, writeInt64 } from './bytes.ts';
import { readOrNothing } from './manifest.ts';

const MAGIC = 0x4d525345;
const SLOT_BYTES = 20;
const SLOT_DISTANCE = 512;

export interface Mark {
  readonly sequence: number;
  readonly end: number;
}

export class MarkWriter {
  private readonly file: File;
  private slot = 0;

  constructor(files: FileSystem, directory: string) {
    const path = pathOf(directory);
    this.file = files.open(path, files.exists(path) ? 'write' : 'create');
  }

  write({ end, sequence }: Mark): void {
    const bytes = Buffer.alloc(SLOT_BYTES);
    bytes.writeUInt32BE(MAGIC, 0);
    bytes.writeUInt32BE(sequence, 4);
    writeInt64(bytes, end, 8);
    bytes.writeUInt32BE(crc32c(bytes.subarray(0, 16)), 16);
    this.file.write([bytes], this.slot * SLOT_DISTANCE);
    this.slot = 1 - this.slot;
  }

  close(): void {
    this.file.close();
  }
}

/** The farther of the slots that can be read. */
export function readMark(files: FileSystem, directory: string): Mark | undefined {
  const path = pathOf(directory);
  if (!files.exists(path)) return undefined;
  const content = asBuffer(readOrNothing(files, path));
  let mark: Mark | undefined;
  for (const at of [0, SLOT_DISTANCE]) {
    const slot = content.subarray(at, at + SLOT_BYTES);
    if (slot.length < SLOT_BYTES || slot.readUInt32BE(0) !== MAGIC) continue;
    if (slot.readUInt32BE(16) !== crc32c(slot.subarray(0, 16))) continue;
    const found = { sequence: slot.readUInt32BE(4), end: readInt64(slot, 8) };
    const isFarther =
      !mark || found.sequence > mark.sequence || (found.sequence === mark.sequence && found.end > mark.end);
    if (isFarther) mark = found;
  }
  return mark;
}

function pathOf(directory: string): string {
  return `${directory}/synced`;
}
