/**
 * Memory for records that go out: taken by a Fetch, given back when the kernel has taken the answer, and used again. Fresh
 * memory for each answer costs as much as the reading: the kernel clears every page of it, and the collector is driven by
 * its size.
 *
 * Sizes are powers of two. What is given back is kept up to a limit, the rest is the collector's.
 *
 * Invariants
 * I1 a buffer is with one answer at a time.
 * I2 what is kept for later stays below the limit.
 */
const LEAST_BITS = 14;
const GREATEST_BITS = 22;
const KEPT_BYTES_MAX = 32 * 1024 * 1024;

export class AnswerBuffers {
  private readonly kept: Uint8Array[][] = Array.from({ length: GREATEST_BITS - LEAST_BITS + 1 }, () => []);
  private keptBytes = 0;

  /** At least so many bytes, with anything in them. Small and very large ones are not kept. */
  take(bytes: number): Uint8Array {
    const size = sizeClass(bytes);
    if (size === undefined) return Buffer.allocUnsafeSlow(bytes);
    const found = this.kept[size]!.pop();
    if (!found) return Buffer.allocUnsafeSlow(1 << (LEAST_BITS + size));
    this.keptBytes -= found.length;
    return found;
  }

  /** Takes back what `take` gave. */
  give(buffer: Uint8Array): void {
    const size = sizeClass(buffer.length);
    if (size === undefined || buffer.length !== 1 << (LEAST_BITS + size)) return;
    if (this.keptBytes + buffer.length > KEPT_BYTES_MAX) return;
    this.keptBytes += buffer.length;
    this.kept[size]!.push(buffer);
  }
}

function sizeClass(bytes: number): number | undefined {
  const bits = 32 - Math.clz32(bytes - 1);
  return bytes <= 1 << (LEAST_BITS - 1) || bits > GREATEST_BITS ? undefined : Math.max(0, bits - LEAST_BITS);
}
