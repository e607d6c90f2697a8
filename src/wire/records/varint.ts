/**
 * Zigzag varints of records. Values beyond 2^31 come only in timestamp deltas; they are summed as doubles, exact to 2^53.
 * `VarintReader` is a cursor over bytes: `value` is the last one read, a negative return means that there was none.
 */
export function varintSize(value: number): number {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  let size = 1;
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80);
    size++;
  }
  return size;
}

/** Writes at `at` and returns the position behind. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  let p = at;
  while (rest >= 0x80) {
    bytes[p++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[p++] = rest;
  return p;
}

export class VarintReader {
  value = 0;

  /** Position behind the varint at `at`, or -1 when the bytes end or it is longer than ten bytes. */
  read(bytes: Uint8Array, at: number, end: number): number {
    let raw = 0;
    let p = at;
    // Up to four bytes are 28 bits: nearly all, and integers.
    for (let shift = 0; shift < 28; shift += 7) {
      if (p >= end) return -1;
      const byte = bytes[p++]!;
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.value = (raw >>> 1) ^ -(raw & 1);
        return p;
      }
    }
    return this.readLong(bytes, p, end, raw);
  }

  private readLong(bytes: Uint8Array, at: number, end: number, low: number): number {
    let raw = low;
    let scale = 2 ** 28;
    let p = at;
    for (let i = 4; i < 10; i++) {
      if (p >= end) return -1;
      const byte = bytes[p++]!;
      raw += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        const half = Math.floor(raw / 2);
        this.value = raw % 2 === 0 ? half : -half - 1;
        return p;
      }
      scale *= 0x80;
    }
    return -1;
  }
}
