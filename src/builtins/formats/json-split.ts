/**
 * Where JSON documents and lines stand in bytes.
 *
 *   row       a whole chunk, a Kafka record say: what is not made of complete documents is refused as one, so that nothing
 *             of it is half taken
 *   stream    bytes that go on: an incomplete document waits for more; a malformed one is refused up to the line in which
 *             the defect stands, and reading goes on there
 *
 * Invariants
 * I1 what a stream gives does not depend on where its chunks were cut.
 * I2 a stream always goes on: no defect keeps what follows from being read.
 */
import { documentEnd } from '../../data/index.ts';
import { MillraceError } from '../../base/index.ts';

export type Found = (start: number, end: number) => void;

export interface Splitter {
  /** Position of the first byte that is no complete document; `end` when there is none. */
  row(bytes: Uint8Array, start: number, end: number, found: Found): number;
  /** How many bytes are done with; the rest waits for more. */
  stream(bytes: Uint8Array, isEnd: boolean, found: Found, refused: Found): number;
}

const NEWLINE = 0x0a;
/** A defect this near to the end may be an escape that is cut off: two units of a surrogate pair. */
const ESCAPE_BYTES = 12;

/** Concatenated documents. */
export const documents: Splitter = {
  row(bytes, start, end, found) {
    let at = start;
    for (;;) {
      const next = readDocument(bytes, at, end);
      if (next === undefined) return end;
      if (typeof next === 'number') return at;
      found(next.start, next.end);
      at = next.end;
    }
  },

  stream(bytes, isEnd, found, refused) {
    const end = bytes.length;
    let at = 0;
    for (;;) {
      while (at < end && bytes[at]! <= 0x20) at++;
      const next = readDocument(bytes, at, end);
      if (next === undefined) return end;
      if (typeof next !== 'number') {
        // A number that ends with the bytes may go on.
        if (!isEnd && next.end === end && !isClosing(bytes[end - 1]!)) return at;
        found(next.start, next.end);
        at = next.end;
        continue;
      }
      if (!isEnd && next > end - ESCAPE_BYTES) return at;
      // A document that is still open at the end has swallowed what follows its first line.
      const to = lineBehind(bytes, at, next < end ? next : at);
      if (to === undefined && !isEnd) return at;
      let last = to ?? end;
      while (bytes[last - 1]! <= 0x20) last--;
      refused(at, last);
      at = to ?? end;
    }
  },
};

/** The document that begins at `at`, its defect's position, or undefined when only white space is left. */
function readDocument(bytes: Uint8Array, at: number, end: number): { start: number; end: number } | number | undefined {
  try {
    return documentEnd(bytes, at, end);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return at + Number(error.details['position']);
  }
}

function isClosing(byte: number): boolean {
  return byte === 0x7d || byte === 0x5d || byte === 0x22;
}

/** Where to go on behind a defect: its own line, or the next one when the document begins in it. */
function lineBehind(bytes: Uint8Array, start: number, defect: number): number | undefined {
  const own = defect > start ? bytes.lastIndexOf(NEWLINE, defect - 1) + 1 : 0;
  if (own > start) return own;
  const next = bytes.indexOf(NEWLINE, defect);
  return next < 0 ? undefined : next + 1;
}

/** Lines; an empty line is nothing. */
export const lines: Splitter = {
  row(bytes, start, end, found) {
    for (let at = start; at < end; ) {
      const newline = bytes.indexOf(NEWLINE, at);
      const to = newline < 0 || newline >= end ? end : newline;
      if (hasText(bytes, at, to)) found(at, to);
      at = to + 1;
    }
    return end;
  },

  stream(bytes, isEnd, found) {
    const end = isEnd ? bytes.length : bytes.lastIndexOf(NEWLINE) + 1;
    return lines.row(bytes, 0, end, found);
  },
};

function hasText(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! > 0x20) return true;
  return false;
}
