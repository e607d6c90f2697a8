/**
 * Frames out of a byte stream: a length (int32, big endian) and as many bytes. Large ones are read where they stay.
 *
 *   scratch   one a thread, where reading begins; whole frames are copied out of it, what was begun is moved to a room. It
 *             is empty between two calls, so that connections share it and an idle one holds nothing.
 *   room      taken when a frame's length is known; the rest of the frame is read into place. Without room the stream is
 *             held: the owner stops reading, and calls `retry` when there may be some.
 *
 * Invariants
 * I1 `into` gives the place for the next bytes, to be filled before any other receiver's; what arrives elsewhere is copied.
 * I2 a length beyond the limit takes no memory; nothing is delivered after it.
 * I3 a room that is smaller than its frame grows as bytes arrive: a lying length costs no more than what was sent.
 * I4 of a held stream only what had been read already is kept.
 */
import type { Room, Slab } from './arena.ts';

const SCRATCH_BYTES = 65_536;
const LENGTH_BYTES = 4;
const GROWTH = 4;

export interface FrameReceiverParts {
  readonly frameBytesMax: number;
  /**
   * Room for a frame of `bytes`, of which `begun` has arrived: all of it, or less where that is private memory. Undefined
   * when there is none now.
   */
  room(bytes: number, begun: Uint8Array): Room | undefined;
  /** A whole frame without its length; `owner` belongs to the callee, who releases it. */
  onFrame(frame: Uint8Array, owner: Slab | undefined): void;
  /** A length that is negative or beyond the limit: the stream is of no more use. */
  onBadLength(bytes: number): void;
}

let sharedScratch: Uint8Array | undefined;

export class FrameReceiver {
  private readonly parts: FrameReceiverParts;
  /** The frame that is being received. */
  private room: Room | undefined;
  private frameBytes = 0;
  private filled = 0;
  /** The first bytes of a length. */
  private begun: Uint8Array | undefined;
  /** What has been read of a stream that waits for room, from a length on. */
  private held: Uint8Array | undefined;
  private isDead = false;

  constructor(parts: FrameReceiverParts) {
    this.parts = parts;
  }

  into(): Uint8Array {
    if (this.room) return this.room.bytes.subarray(this.filled, this.frameBytes);
    return (sharedScratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES));
  }

  /** True while a frame has begun and is not yet whole. */
  get isInside(): boolean {
    return this.room !== undefined || this.begun !== undefined;
  }

  /** There may be room now. */
  retry(): void {
    const { held } = this;
    this.held = undefined;
    if (held && !this.isDead) this.cut(held);
  }

  received(chunk: Uint8Array): void {
    if (this.held) {
      this.held = Buffer.concat([this.held, chunk]);
      return;
    }
    let rest = chunk;
    while (this.room && rest.length > 0) {
      const place = this.into();
      const count = Math.min(place.length, rest.length);
      const isInPlace = rest.buffer === place.buffer && rest.byteOffset === place.byteOffset;
      if (!isInPlace) place.set(rest.subarray(0, count));
      rest = rest.subarray(count);
      this.filled += count;
      if (this.filled === this.frameBytes) this.deliver(this.room);
      else if (this.filled === this.room.bytes.length) this.grow(this.room);
    }
    if (rest.length > 0 && !this.isDead) this.cut(rest);
  }

  /** Nothing more comes: what was begun is given up. */
  close(): void {
    this.isDead = true;
    this.room?.owner?.release();
    this.room = undefined;
    this.held = undefined;
  }

  private deliver({ bytes, owner }: Room): void {
    this.room = undefined;
    this.parts.onFrame(bytes.subarray(0, this.frameBytes), owner);
  }

  private grow({ bytes, owner }: Room): void {
    const grown = new Uint8Array(new SharedArrayBuffer(Math.min(this.frameBytes, bytes.length * GROWTH)));
    grown.set(bytes);
    owner?.release();
    this.room = { bytes: grown };
  }

  /** Bytes that begin with a length, or the rest of one. */
  private cut(chunk: Uint8Array): void {
    const bytes = this.begun ? Buffer.concat([this.begun, chunk]) : chunk;
    this.begun = undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    while (bytes.length - at >= LENGTH_BYTES) {
      const size = view.getInt32(at);
      if (size < 0 || size > this.parts.frameBytesMax) {
        this.close();
        this.parts.onBadLength(size);
        return;
      }
      const next = this.take(bytes, at + LENGTH_BYTES, size);
      if (this.isDead) return;
      if (next === undefined) {
        this.held = Uint8Array.from(bytes.subarray(at));
        return;
      }
      at = next;
    }
    if (at < bytes.length) this.begun = Uint8Array.from(bytes.subarray(at));
  }

  /** Moves a frame, or what has arrived of it, into a room of its own; returns where the next one begins, if there was room. */
  private take(bytes: Uint8Array, start: number, size: number): number | undefined {
    const begun = bytes.subarray(start, start + size);
    let room = this.parts.room(size, begun);
    if (!room) return undefined;
    if (room.bytes.length < begun.length) room = { bytes: new Uint8Array(new SharedArrayBuffer(begun.length)) };
    room.bytes.set(begun);
    this.room = room;
    this.frameBytes = size;
    this.filled = begun.length;
    if (begun.length === size) this.deliver(room);
    else if (begun.length === room.bytes.length) this.grow(room);
    return start + begun.length;
  }
}
