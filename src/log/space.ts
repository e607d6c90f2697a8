/**
 * The reserve: a file of zeros that is removed when the disk is full, so that positions, deletions and a clean shutdown
 * still find space. It is made again when writing resumes.
 *
 * Invariants
 * I1 while the disk is full appends are refused; what was acknowledged is kept and read. Writing resumes by itself when
 *    enough space for a new reserve and some work is free.
 */
import { type File, type FileSystem, systemCode } from '../base/index.ts';

const PIECE_BYTES = 1 << 20;
const SPACE_BYTES_MIN = 64 * 1024;

export class Reserve {
  private readonly files: FileSystem;
  private readonly directory: string;
  private readonly path: string;
  private readonly bytes: number;

  constructor(files: FileSystem, directory: string, bytes: number) {
    this.files = files;
    this.directory = directory;
    this.path = `${directory}/reserve`;
    this.bytes = bytes;
  }

  /** Makes the file unless it is there or space is short. */
  make(): void {
    if (this.bytes === 0 || this.files.exists(this.path) || !this.hasSpace()) return;
    let file: File | undefined;
    try {
      file = this.files.open(this.path, 'create');
      const piece = new Uint8Array(Math.min(PIECE_BYTES, this.bytes));
      for (let at = 0; at < this.bytes; at += piece.length) {
        file.write([piece.subarray(0, Math.min(piece.length, this.bytes - at))], at);
      }
    } catch (error) {
      if (systemCode(error) !== 'ENOSPC' && systemCode(error) !== 'EDQUOT') throw error;
      // Somebody else was faster; better none than half of one.
      if (this.files.exists(this.path)) this.files.remove(this.path);
    } finally {
      file?.close();
    }
  }

  /** Gives its space free; false when it was gone already. */
  release(): boolean {
    if (!this.files.exists(this.path)) return false;
    this.files.remove(this.path);
    this.files.syncDirectory(this.directory);
    return true;
  }

  /** Space for a new reserve and as much again. */
  hasSpace(): boolean {
    return this.files.freeBytes(this.directory) >= Math.max(2 * this.bytes, SPACE_BYTES_MIN);
  }
}
