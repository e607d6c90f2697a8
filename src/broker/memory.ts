/**
 * Memory that clients make the broker hold.
 *
 *   requests   taken when a frame's length is known, given back when the request is answered. Who gets nothing stands in
 *              line, unread, until it is its turn. Small frames are free: there is one of them a connection.
 *   answers    counted while their clients have not read them; a Fetch gives little while there is too much of it
 *
 * Invariants
 * I1 what is taken stays below the limit, but for one request that is larger than all of it: that one is alone.
 * I2 turns come in the order of asking.
 */
const FREE_BYTES = 16_384;

interface Waiter {
  readonly bytes: number;
  readonly isTurn: () => void;
}

export class ClientMemory {
  private readonly requestBytesMax: number;
  private readonly answerBytesMax: number;
  private readonly line: Waiter[] = [];
  private requests = 0;
  /** Of answers that no client has read yet. */
  answerBytes = 0;

  constructor(limits: { readonly requestBytesMax: number; readonly answerBytesMax: number }) {
    this.requestBytesMax = limits.requestBytesMax;
    this.answerBytesMax = limits.answerBytesMax;
  }

  get requestBytes(): number {
    return this.requests;
  }

  /** What a further answer may hold. */
  get answerBytesLeft(): number {
    return Math.max(0, this.answerBytesMax - this.answerBytes);
  }

  /** Takes memory for a frame. False: `isTurn` is called when it has been taken, unless `leave` comes first. */
  take(bytes: number, isTurn: () => void): boolean {
    if (bytes <= FREE_BYTES) return true;
    if (this.line.length === 0 && this.fits(bytes)) {
      this.requests += bytes;
      return true;
    }
    this.line.push({ bytes, isTurn });
    return false;
  }

  give(bytes: number): void {
    if (bytes <= FREE_BYTES) return;
    this.requests -= bytes;
    this.serve();
  }

  /** Who stood in line has gone. */
  leave(isTurn: () => void): void {
    const at = this.line.findIndex(waiter => waiter.isTurn === isTurn);
    if (at < 0) return;
    this.line.splice(at, 1);
    this.serve();
  }

  private serve(): void {
    for (let first = this.line[0]; first && this.fits(first.bytes); first = this.line[0]) {
      this.line.shift();
      this.requests += first.bytes;
      first.isTurn();
    }
  }

  private fits(bytes: number): boolean {
    return this.requests === 0 || this.requests + bytes <= this.requestBytesMax;
  }
}
