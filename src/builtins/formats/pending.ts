/**
 * The bytes of a stream that wait for more: what has begun and not ended. They are put together only when something may have
 * ended, or when they have doubled, so that a document in many chunks costs its length and not the square of it.
 *
 * Invariants
 * I1 no more than `PENDING_BYTES_MAX` bytes wait: what is longer is given up, and skipped to the end of its line.
 */

/** Longer documents and lines of a stream are refused. */
export const PENDING_BYTES_MAX = 32 * 1024 * 1024;
/** What a dead letter keeps of one. */
const KEPT_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

export class Pending {
  private readonly limit: number;
  private pieces: Uint8Array[] = [];
  private length = 0;
  private tryAt = 0;
  private isSkipping = false;

  constructor(limit = PENDING_BYTES_MAX) {
    this.limit = limit;
  }

  /** Keeps a copy of the bytes; what belongs to something that was given up is left out. */
  add(bytes: Uint8Array): Uint8Array {
    let from = 0;
    if (this.isSkipping) {
      const newline = bytes.indexOf(NEWLINE);
      this.isSkipping = newline < 0;
      from = newline < 0 ? bytes.length : newline + 1;
    }
    const added = Uint8Array.from(bytes.subarray(from));
    if (added.length > 0) this.pieces.push(added);
    this.length += added.length;
    return added;
  }

  get hasDoubled(): boolean {
    return this.length >= this.tryAt;
  }

  /** All bytes that wait. */
  take(): Uint8Array {
    const [only] = this.pieces;
    const bytes = this.pieces.length === 1 ? only! : Buffer.concat(this.pieces);
    this.pieces = [];
    this.length = 0;
    return bytes;
  }

  /** What is still incomplete; the beginning of it when it is too long and given up. */
  keep(rest: Uint8Array): Uint8Array | undefined {
    if (rest.length > this.limit) {
      this.isSkipping = rest.at(-1) !== NEWLINE;
      this.tryAt = 0;
      return Uint8Array.from(rest.subarray(0, KEPT_BYTES));
    }
    this.pieces = rest.length > 0 ? [Uint8Array.from(rest)] : [];
    this.length = rest.length;
    this.tryAt = 2 * rest.length;
    return undefined;
  }
}
