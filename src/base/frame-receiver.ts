/**
 * Frames out of a byte stream: a length (int32, big endian) and as many bytes. They are read where they stay, one kernel
 * read at a time, without a copy of what is large.
 *
 *   scratch   where reading begins: small frames are copied out of it, so an idle connection holds nothing else
 *   room      taken when the length of a frame that did not fit the scratch is known; the rest of it is read into place
 *
 * Invariants
 * I1 `into` gives the place for the next bytes; what arrives elsewhere is copied there.
 * I2 a length beyond the limit takes no memory; nothing is delivered after it.
 */
import type { Room, Slab } from './arena.ts';

const SCRATCH_BYTES = 65_536;
const LENGTH_BYTES = 4;

export interface FrameReceiverParts {
  readonly frameBytesMax: number;
  /** Room for a large frame. */
  room(bytes: number): Room;
  /** A whole frame without its length; `owner` belongs to the callee, who releases it. */
  onFrame(frame: Uint8Array, owner: Slab | undefined): void;
  /** A length that is negative or beyond the limit: the stream is of no more use. */
  onBadLength(bytes: number): void;
}

export class FrameReceiver {
  private readonly parts: FrameReceiverParts;
  private readonly scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  private room: Room | undefined;
  /** Bytes in the room, or in the scratch when there is no room. */
  private filled = 0;
  private isDead = false;

  constructor(parts: FrameReceiverParts) {
    this.parts = parts;
  }

  into(): Uint8Array {
    return (this.room?.bytes ?? this.scratch).subarray(this.filled);
  }

  received(chunk: Uint8Array): void {
    for (let rest = chunk; rest.length > 0 && !this.isDead; ) {
      const place = this.into();
      const count = Math.min(place.length, rest.length);
      const isInPlace = rest.buffer === place.buffer && rest.byteOffset === place.byteOffset;
      if (!isInPlace) place.set(rest.subarray(0, count));
      rest = rest.subarray(count);
      this.filled += count;
      if (!this.room) this.cut();
      else if (this.filled === this.room.bytes.length) this.deliverRoom(this.room);
    }
  }

  /** Nothing more comes: what was begun is given up. */
  close(): void {
    this.isDead = true;
    this.room?.owner?.release();
    this.room = undefined;
  }

  private deliverRoom({ bytes, owner }: Room): void {
    this.room = undefined;
    this.filled = 0;
    this.parts.onFrame(bytes, owner);
  }

  /** Delivers what is whole in the scratch; what is not goes to the front, or into a room of its own if it is large. */
  private cut(): void {
    const { scratch } = this;
    let at = 0;
    while (this.filled - at >= LENGTH_BYTES && !this.isDead) {
      const size = scratch.readInt32BE(at);
      if (size < 0 || size > this.parts.frameBytesMax) {
        this.close();
        this.parts.onBadLength(size);
        return;
      }
      const start = at + LENGTH_BYTES;
      if (start + size > this.filled) {
        if (LENGTH_BYTES + size <= SCRATCH_BYTES) break;
        this.room = this.parts.room(size);
        this.room.bytes.set(scratch.subarray(start, this.filled));
        this.filled -= start;
        return;
      }
      at = start + size;
      this.parts.onFrame(Uint8Array.from(scratch.subarray(start, at)), undefined);
    }
    if (this.isDead) return;
    scratch.copyWithin(0, at, this.filled);
    this.filled -= at;
  }
}
