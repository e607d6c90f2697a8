/**
 * The structure of uncompressed records: that each length fits, the offsets count up from 0, and as many records stand there
 * as the header says. Nothing is made of any of them; about 20 ns a record.
 *
 *   record: length varint · attributes i8 · timestampDelta varlong · offsetDelta varint · keyLength varint (-1 null) · key
 *           · valueLength varint (-1 null) · value · headerCount varint · { keyLength · key · valueLength (-1 null) · value }*
 *
 * A batch with wrong ones has a crc that matches all the same: its producer wrote it so, and every consumer would stop at it.
 */

/** Behind the number that was read last. */
let behind = 0;
/** What no number of five bytes can be. */
const NONE = Number.NEGATIVE_INFINITY;

/** What is wrong with the records between two places; undefined when nothing is. */
export function recordsDefect(bytes: Uint8Array, from: number, end: number, count: number): string | undefined {
  let p = from;
  for (let i = 0; i < count; i++) {
    const length = readInt(bytes, p, end);
    const recordEnd = behind + length;
    if (length < 0 || recordEnd > end) return `record ${i} is longer than its batch, or there are less than ${count}`;
    p = behindLong(bytes, behind + 1, recordEnd);
    if (p < 0 || readInt(bytes, p, recordEnd) !== i) return `record ${i} has another offset, or none`;
    p = behindField(bytes, behind, recordEnd, -1);
    if (p >= 0) p = behindField(bytes, p, recordEnd, -1);
    if (p < 0) return `a key or value is longer than record ${i}`;
    const headers = readInt(bytes, p, recordEnd);
    if (headers < 0) return `record ${i} has no number of headers`;
    p = behind;
    for (let header = 0; header < headers && p >= 0; header++) {
      p = behindField(bytes, p, recordEnd, 0);
      if (p >= 0) p = behindField(bytes, p, recordEnd, -1);
    }
    if (p !== recordEnd) return `the headers of record ${i} do not end with it`;
  }
  return p === end ? undefined : `bytes are left over behind ${count} records`;
}

/** A zigzag varint of at most five bytes. */
function readInt(bytes: Uint8Array, at: number, end: number): number {
  let raw = 0;
  let p = at;
  for (let shift = 0; shift < 35; shift += 7) {
    if (p >= end) return NONE;
    const byte = bytes[p++]!;
    raw |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      behind = p;
      return (raw >>> 1) ^ -(raw & 1);
    }
  }
  return NONE;
}

/** Behind a varint of at most ten bytes; -1 when there is none. */
function behindLong(bytes: Uint8Array, at: number, end: number): number {
  let p = at;
  for (let i = 0; i < 10; i++) {
    if (p >= end) return -1;
    if (bytes[p++]! < 0x80) return p;
  }
  return -1;
}

/** Behind a length and as many bytes; -1 when they do not fit or the length is below the least. */
function behindField(bytes: Uint8Array, at: number, end: number, least: number): number {
  const length = readInt(bytes, at, end);
  if (length < least || length > end - behind) return -1;
  return length > 0 ? behind + length : behind;
}
