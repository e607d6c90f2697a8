/**
 * Where JSON documents and lines stand in bytes.
 *
 *   row       a whole chunk, a Kafka record say: what is not made of complete documents is refused as one, so that nothing
 *             of it is half taken
 *   stream    bytes that go on: an incomplete document waits for more; a malformed one is refused up to the line in which
 *             the defect stands, and reading goes on there. Lists at the top may be opened: their elements are documents,
 *             found one by one, however long the list is.
 *
 * Invariants
 * I1 what a stream gives does not depend on where its chunks were cut.
 * I2 a stream always goes on: no defect keeps what follows from being read.
 * I3 white space is that of JSON: blank, tab, line feed, carriage return. Every other byte is a document's or a defect.
 * I4 an incomplete document is looked at again only when it may have ended or has doubled: time is linear in the bytes.
 */
import { documentEnd } from '../../data/index.ts';
import { MillraceError } from '../../base/index.ts';

export type Found = (start: number, end: number) => void;

export interface Splitter {
  /** Position of the first byte that is no complete document; `end` when there is none. */
  row(bytes: Uint8Array, start: number, end: number, found: Found): number;
  stream(): Stream;
}

export interface Stream {
  /** Whether something may end within these bytes, which follow those taken last. */
  mayEnd(bytes: Uint8Array): boolean;
  /**
   * How many bytes are done with; the rest waits for more and comes again. What is refused without a byte is a defect that
   * loses nothing, such as a list without its end.
   */
  take(bytes: Uint8Array, isEnd: boolean, found: Found, refused: Found): number;
  /** The rest was given up, and what comes next is the beginning of a line. */
  skipped(): void;
}

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** A defect this near to the end may be an escape that is cut off: two units of a surrogate pair. */
const ESCAPE_BYTES = 12;

/** Concatenated documents; `opensLists` makes documents of the elements of those that are lists. */
export function documentsOf(opensLists: boolean): Splitter {
  return { row: rowOfDocuments, stream: () => new DocumentStream(opensLists) };
}

function rowOfDocuments(bytes: Uint8Array, start: number, end: number, found: Found): number {
  let at = start;
  for (;;) {
    const next = readDocument(bytes, at, end);
    if (next === undefined) return end;
    if (typeof next === 'number') return at;
    found(next.start, next.end);
    at = next.end;
  }
}

/** What a list wants next; `top` is outside of one. */
type Wanted = 'top' | 'element or end' | 'element' | 'comma or end';

class DocumentStream implements Stream {
  private readonly opensLists: boolean;
  private wanted: Wanted = 'top';
  private readonly nesting = new Nesting();

  constructor(opensLists: boolean) {
    this.opensLists = opensLists;
  }

  mayEnd(bytes: Uint8Array): boolean {
    return this.nesting.mayEnd(bytes);
  }

  take(bytes: Uint8Array, isEnd: boolean, found: Found, refused: Found): number {
    const done = this.run(bytes, isEnd, found, refused);
    this.nesting.restart(bytes.subarray(done));
    return done;
  }

  skipped(): void {
    this.nesting.restart(new Uint8Array(0));
    if (this.wanted !== 'top') this.wanted = 'comma or end';
  }

  private run(bytes: Uint8Array, isEnd: boolean, found: Found, refused: Found): number {
    const end = bytes.length;
    for (let at = 0; ; ) {
      while (at < end && isSpace(bytes[at]!)) at++;
      if (at === end) {
        if (isEnd && this.wanted !== 'top') refused(end, end);
        return end;
      }
      if (this.opensLists && this.separator(bytes, at, refused)) {
        at++;
        continue;
      }
      const next = readDocument(bytes, at, end);
      if (next === undefined) return end;
      if (typeof next !== 'number') {
        // A number that ends with the bytes may go on.
        if (!isEnd && next.end === end && !isClosing(bytes[end - 1]!)) return at;
        found(next.start, next.end);
        at = next.end;
        if (this.wanted !== 'top') this.wanted = 'comma or end';
        continue;
      }
      if (!isEnd && next > end - ESCAPE_BYTES) return at;
      // A document that is still open at the end has swallowed what follows its first line.
      const to = lineBehind(bytes, at, next < end ? next : at);
      if (to === undefined && !isEnd) return at;
      let last = to ?? end;
      while (isSpace(bytes[last - 1]!)) last--;
      refused(at, last);
      at = to ?? end;
      if (this.wanted !== 'top') this.wanted = wantedBehind(bytes[last - 1]!);
    }
  }

  /** Takes a bracket or comma of a list; false when a document must stand here. One that is missing loses nothing. */
  private separator(bytes: Uint8Array, at: number, refused: Found): boolean {
    const byte = bytes[at];
    if (this.wanted === 'top') {
      if (byte !== OPEN_LIST) return false;
      this.wanted = 'element or end';
      return true;
    }
    if (byte === CLOSE_LIST) {
      // `[1,]`
      if (this.wanted === 'element') refused(at, at);
      this.wanted = 'top';
      return true;
    }
    if (this.wanted !== 'comma or end') return false;
    this.wanted = 'element';
    if (byte === COMMA) return true;
    refused(at, at);
    return false;
  }
}

/** What a list wants behind a refused line, as far as its last byte tells. */
function wantedBehind(last: number): Wanted {
  return last === COMMA ? 'element' : last === CLOSE_LIST ? 'top' : 'comma or end';
}

/** How deep the bytes since a document's start are nested; no grammar, only brackets and strings. */
class Nesting {
  private depth = 0;
  private isInString = false;
  private isEscaped = false;

  restart(bytes: Uint8Array): void {
    this.depth = 0;
    this.isInString = false;
    this.isEscaped = false;
    this.mayEnd(bytes);
  }

  mayEnd(bytes: Uint8Array): boolean {
    let mayEnd = false;
    for (const byte of bytes) {
      if (this.isEscaped) this.isEscaped = false;
      else if (this.isInString) {
        if (byte === BACKSLASH) this.isEscaped = true;
        else if (byte === QUOTE) this.isInString = false;
      } else if (byte === QUOTE) this.isInString = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_LIST) this.depth++;
      else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) this.depth--;
      if (this.depth <= 0 && !isSpace(byte)) mayEnd = true;
    }
    return mayEnd;
  }
}

/** The document that begins at `at`, its defect's position, or undefined when only white space is left. */
function readDocument(bytes: Uint8Array, at: number, end: number): { start: number; end: number } | number | undefined {
  try {
    return documentEnd(bytes, at, end);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return at + Number(error.details['position']);
  }
}

export function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === NEWLINE || byte === 0x0d || byte === 0x09;
}

function isClosing(byte: number): boolean {
  return byte === CLOSE_OBJECT || byte === CLOSE_LIST || byte === QUOTE;
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
  row: rowOfLines,
  stream: () => ({
    mayEnd: bytes => bytes.includes(NEWLINE),
    skipped: () => undefined,
    take(bytes, isEnd, found) {
      const end = isEnd ? bytes.length : bytes.lastIndexOf(NEWLINE) + 1;
      return rowOfLines(bytes, 0, end, found);
    },
  }),
};

function rowOfLines(bytes: Uint8Array, start: number, end: number, found: Found): number {
  for (let at = start; at < end; ) {
    const newline = bytes.indexOf(NEWLINE, at);
    const to = newline < 0 || newline >= end ? end : newline;
    if (hasText(bytes, at, to)) found(at, to);
    at = to + 1;
  }
  return end;
}

function hasText(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (!isSpace(bytes[i]!)) return true;
  return false;
}
