/**
 * Growing output of our own decoders, with the bound that keeps a small input from filling the memory.
 *
 * Invariants
 * I1 no more than `max` bytes are ever allocated for one input.
 * I2 a copy reaches only into what was written for the same input.
 */
import { wireErrors } from '../errors.ts';

export class Inflated {
  private bytes: Uint8Array;
  private readonly max: number;
  private readonly codec: string;
  length = 0;

  constructor(codec: string, estimate: number, max: number) {
    this.codec = codec;
    this.max = max;
    this.bytes = new Uint8Array(Math.min(Math.max(estimate, 256), max));
  }

  /** Makes room for `length` more bytes. */
  expect(length: number): void {
    const needed = this.length + length;
    if (needed > this.max) this.fail(`it inflates beyond ${this.max} bytes`);
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.min(this.max, Math.max(needed, this.bytes.length * 2)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  literal(from: Uint8Array, at: number, length: number): void {
    this.expect(length);
    this.bytes.set(from.subarray(at, at + length), this.length);
    this.length += length;
  }

  /** Repeats `length` bytes from `distance` before the end; source and target may overlap. */
  copy(distance: number, length: number, floor = 0): void {
    const from = this.length - distance;
    if (distance <= 0 || from < floor) this.fail('a copy from before the beginning');
    this.expect(length);
    const { bytes } = this;
    if (distance >= length) bytes.copyWithin(this.length, from, from + length);
    else for (let i = 0; i < length; i++) bytes[this.length + i] = bytes[from + i]!;
    this.length += length;
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  fail(reason: string): never {
    throw wireErrors.decompression({ codec: this.codec, reason });
  }
}
