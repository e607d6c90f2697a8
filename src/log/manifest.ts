/**
 * The manifest: which journal files belong to the log, and how far the newest goes if it was closed in good order. Two
 * slots are written in turn, so the generation before is always there.
 *
 *   manifest-0, manifest-1   "MRMF" · format u32 = 1 · generation i64 · files u32 · file* · crc u32 of all before
 *   file                     sequence u32 · end of its frames i64, -1 while it is written
 *
 * What it is for: a newest file that vanished or lost its first frame is noticed; a file that was taken out is not read
 * again although its unlinking was delayed; and after a clean close no damage passes for a torn tail. What lies in files
 * with lower numbers is checked against the partitions' offsets, with or without a manifest.
 *
 * Invariants
 * I1 a slot is replaced by writing `manifest.new`, syncing it, renaming it and syncing the directory.
 * I2 nothing in a file is acknowledged before a manifest with it is durable; a file is unlinked only after one without it.
 */
import { type FileSystem, systemCode } from '../base/index.ts';
import { crc32c } from '../wire/records/index.ts';
import { asBuffer, readInt64, writeInt64 } from './bytes.ts';

const MAGIC = 0x4d524d46;
const FORMAT = 1;
const HEAD_BYTES = 20;
const FILE_BYTES = 12;

export interface ManifestFile {
  readonly sequence: number;
  readonly end: number;
}

export interface Manifest {
  readonly generation: number;
  /** Ascending by sequence. */
  readonly files: readonly ManifestFile[];
}

export function encodeManifest({ generation, files }: Manifest): Uint8Array {
  const bytes = Buffer.alloc(HEAD_BYTES + files.length * FILE_BYTES + 4);
  bytes.writeUInt32BE(MAGIC, 0);
  bytes.writeUInt32BE(FORMAT, 4);
  writeInt64(bytes, generation, 8);
  bytes.writeUInt32BE(files.length, 16);
  files.forEach(({ end, sequence }, i) => {
    bytes.writeUInt32BE(sequence, HEAD_BYTES + i * FILE_BYTES);
    writeInt64(bytes, end, HEAD_BYTES + i * FILE_BYTES + 4);
  });
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, bytes.length - 4)), bytes.length - 4);
  return bytes;
}

export function decodeManifest(content: Uint8Array): Manifest | undefined {
  const bytes = asBuffer(content);
  if (bytes.length < HEAD_BYTES + 4 || bytes.readUInt32BE(0) !== MAGIC) return undefined;
  if (crc32c(bytes.subarray(0, bytes.length - 4)) !== bytes.readUInt32BE(bytes.length - 4)) return undefined;
  const count = bytes.readUInt32BE(16);
  if (bytes.readUInt32BE(4) !== FORMAT || bytes.length !== HEAD_BYTES + count * FILE_BYTES + 4) return undefined;
  const files = Array.from({ length: count }, (_, i) => ({
    sequence: bytes.readUInt32BE(HEAD_BYTES + i * FILE_BYTES),
    end: readInt64(bytes, HEAD_BYTES + i * FILE_BYTES + 4),
  }));
  return { generation: readInt64(bytes, 8), files };
}

/** Makes `content` the slot of its generation, durably. */
export function writeManifest(files: FileSystem, directory: string, generation: number, content: Uint8Array): void {
  const fresh = `${directory}/manifest.new`;
  if (files.exists(fresh)) files.remove(fresh);
  const file = files.open(fresh, 'create');
  try {
    file.write([content], 0);
    file.sync();
  } finally {
    file.close();
  }
  files.rename(fresh, slotPath(directory, generation));
  files.syncDirectory(directory);
}

/** The newest manifest that can be read; `damaged` are slots that are there and cannot. */
export function readManifest(
  files: FileSystem,
  directory: string,
): { readonly manifest: Manifest | undefined; readonly damaged: readonly string[] } {
  let manifest: Manifest | undefined;
  const damaged: string[] = [];
  for (const slot of [0, 1]) {
    const path = slotPath(directory, slot);
    if (!files.exists(path)) continue;
    const candidate = decodeManifest(readOrNothing(files, path));
    if (!candidate) damaged.push(path);
    else if (!manifest || candidate.generation > manifest.generation) manifest = candidate;
  }
  return { manifest, damaged };
}

/** What the disk refuses to read is as good as damaged. */
export function readOrNothing(files: FileSystem, path: string): Uint8Array {
  try {
    return files.readFile(path);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return new Uint8Array(0);
  }
}

function slotPath(directory: string, generation: number): string {
  return `${directory}/manifest-${generation % 2}`;
}
