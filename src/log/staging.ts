/**
 * Shared memory through which frames go to the commit thread: the frame's head and the batches that do not lie in shared
 * memory already are laid out here, one after the other; batches of the arena stay where they are.
 *
 *   range    (memory number, offset, length); memory 0 is the staging itself, others are handed over once
 *
 * Invariants
 * I1 one frame is under way at a time, so the staging is written again only after the thread has reported.
 * I2 what was written keeps its offset when the staging grows.
 */
import { asBuffer } from './bytes.ts';

const START_BYTES = 1 << 20;
/** A staging that grew beyond this for one frame is given back. */
const KEEP_BYTES = 8 << 20;
/** Foreign memories known at a time; the process has one arena. */
const MEMORIES_MAX = 8;

export class Staging {
  buffer = makeBuffer(START_BYTES);
  length = 0;
  /** Flat triples of the frame that is being laid out. */
  ranges: number[] = [];
  private readonly memories = new Map<ArrayBufferLike, number>();
  private unannounced: { readonly number: number; readonly memory: ArrayBufferLike }[] = [
    { number: 0, memory: this.buffer.buffer },
  ];

  reset(): void {
    this.length = 0;
    this.ranges = [];
    if (this.buffer.length > KEEP_BYTES) this.replace(makeBuffer(START_BYTES));
  }

  /** Room for `bytes` more; returns where it begins. */
  reserve(bytes: number): number {
    const at = this.length;
    this.length += bytes;
    if (this.length > this.buffer.length) {
      const grown = makeBuffer(Math.max(this.length, this.buffer.length * 2));
      this.buffer.copy(grown, 0, 0, at);
      this.replace(grown);
    }
    return at;
  }

  /** Adds bytes as they lie: by reference in shared memory, else by one copy. */
  add(bytes: Uint8Array): void {
    const memory = this.memoryOf(bytes);
    if (memory === undefined) {
      const at = this.reserve(bytes.length);
      this.buffer.set(bytes, at);
      this.addRange(0, at, bytes.length);
    } else this.addRange(memory, bytes.byteOffset, bytes.length);
  }

  /** Adds what was laid out between two places of the staging. */
  addOwn(start: number, end: number): void {
    this.addRange(0, start, end - start);
  }

  /** Memories that the thread has not seen yet. */
  takeUnannounced(): readonly { readonly number: number; readonly memory: ArrayBufferLike }[] {
    const news = this.unannounced;
    this.unannounced = [];
    return news;
  }

  private addRange(memory: number, offset: number, length: number): void {
    const { ranges } = this;
    const last = ranges.length - 3;
    if (last >= 0 && ranges[last] === memory && ranges[last + 1]! + ranges[last + 2]! === offset) {
      ranges[last + 2]! += length;
    } else ranges.push(memory, offset, length);
  }

  private memoryOf(bytes: Uint8Array): number | undefined {
    const memory: ArrayBufferLike = bytes.buffer;
    if (!(memory instanceof SharedArrayBuffer)) return undefined;
    const known = this.memories.get(memory);
    if (known !== undefined || this.memories.size >= MEMORIES_MAX) return known;
    const number = this.memories.size + 1;
    this.memories.set(memory, number);
    this.unannounced.push({ number, memory });
    return number;
  }

  private replace(buffer: Buffer): void {
    this.buffer = buffer;
    this.unannounced = this.unannounced.filter(({ number }) => number !== 0);
    this.unannounced.push({ number: 0, memory: buffer.buffer });
  }
}

function makeBuffer(bytes: number): Buffer {
  return asBuffer(new Uint8Array(new SharedArrayBuffer(bytes)));
}
