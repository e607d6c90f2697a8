/**
 * The kernel: checks each document of a call completely and extracts the values at the query's paths. Most documents have
 * the shape of an earlier one (`shapes.ts`). Any other takes two passes over the bytes: the quote index (`strings.ts`), then a walk of the grammar over the bytes between the strings, which takes
 * each string's end from the index: no search per string, no chain of load, compare and count.
 *
 * It allocates nothing and has no mutable statics: all memory is the caller's (`layout.ts`). Nobody may write the
 * documents during a call.
 *
 * Scratch:  stack of open containers 8 KiB (1,024 levels × 8), room for an unescaped key 1 KiB, the quote index
 *           (four bytes for each byte of the longest document, and 64)
 *
 * Invariants
 * K1 a document is accepted exactly when `parseJson` accepts it.
 * K2 what stands behind a document's end is read, at most 64 bytes beyond what the walk believed, and never makes a bad
 *    document good: strings end within it (S1), and the walk ends at or before its end, or fails. Work stays bounded by
 *    the document: a container opens within it, blanks and digits are bounded by its end.
 * K3 a key that appears again marks its column and all below as repeated, and nothing more is read into them.
 * K4 a refused document leaves no value in any column.
 */
import { findEntry, findEscaped, hasBackslash } from './keys';
import { Call, Entry, Node, Query, Tag } from './layout';
import { numberEnd, putNumber } from './numbers';
import { matchesShape, matchShapes } from './shapes';
import { indexQuotes } from './strings';
import { hasOnlyBlanks, isBlank, literalEnd, literalTag, skipBlanks } from './tokens';

const STACK_BYTES: usize = 8192;
const KEY_ROOM: usize = 1024;

// @ts-ignore: decorator
@inline
function putString(call: usize, slot: usize, start: usize, end: usize, mayEscape: i32): void {
  Call.putSpan(call, slot, start, end - start);
  Call.putTag(call, slot, mayEscape && hasBackslash(start, end) ? Tag.ESCAPED : Tag.STRING);
}

/** K3: marks the row in the entry's column and in all below. */
function markRepeated(call: usize, entry: usize, row: usize): void {
  const slot = slotOf(entry, row);
  if (slot >= 0) Call.putTag(call, slot, Tag.REPEATED);
  let below = <usize>load<u32>(entry, Entry.BELOW);
  for (let count = load<u32>(entry, Entry.BELOW_COUNT); count; count--) {
    Call.putTag(call, <usize>load<u32>(below) + row, Tag.REPEATED);
    below += 4;
  }
}

/** The slot of an entry's column in this row; -1 without one. */
// @ts-ignore: decorator
@inline
function slotOf(entry: usize, row: usize): i32 {
  const column = load<i32>(entry, Entry.COLUMN);
  return column < 0 ? -1 : column + <i32>row;
}

/** A document that is one scalar: seldom, so checked by hand and within its end only. */
function scalarDocument(p: usize, end: usize, query: usize, row: usize, index: usize, mayEscape: i32): bool {
  const call = query + Query.CALL;
  const constants = query + Query.CONSTANTS;
  const slot = slotOf(query, row);
  const first = <u32>load<u8>(p);
  let behind: usize = 0;
  if (first == 0x22) {
    const close = <usize>load<u32>(index, 4);
    behind = close + 1;
    if (slot >= 0) putString(call, slot, p + 1, close, mayEscape);
  } else if (first == 0x2d || first - 0x30 < 10) {
    behind = end;
    while (isBlank(load<u8>(behind - 1))) behind--;
    if (!isNumber(p, behind)) return false;
    if (slot >= 0) putNumber(call, slot, p, behind, constants);
  } else {
    behind = literalEnd(p);
    if (!behind || behind > end) return false;
    if (slot >= 0) {
      Call.putSpan(call, slot, p, behind - p);
      Call.putTag(call, slot, literalTag(first));
    }
  }
  return hasOnlyBlanks(behind, end);
}

/** Is [p, end) one number, byte by byte? The vector form would read digits that follow the end. */
function isNumber(p: usize, end: usize): bool {
  if (load<u8>(p) == 0x2d) p++;
  const whole = p;
  while (p < end && <u32>load<u8>(p) - 0x30 < 10) p++;
  if (p == whole || (load<u8>(whole) == 0x30 && p > whole + 1)) return false;
  if (p < end && load<u8>(p) == 0x2e) {
    const fraction = ++p;
    while (p < end && <u32>load<u8>(p) - 0x30 < 10) p++;
    if (p == fraction) return false;
  }
  if (p < end && (load<u8>(p) | 0x20) == 0x65) {
    p++;
    if (p < end && (load<u8>(p) == 0x2b || load<u8>(p) == 0x2d)) p++;
    const exponent = p;
    while (p < end && <u32>load<u8>(p) - 0x30 < 10) p++;
    if (p == exponent) return false;
  }
  return p == end;
}

/**
 * Checks one document and fills its row. Of an open container the stack keeps what it lies in: the node, the closing
 * byte in the lowest bit (nodes are aligned), and where its span waits for its end, or 0.
 */
// @ts-ignore: decorator
@inline
function walk(document: usize, length: usize, query: usize, row: usize, scratch: usize): bool {
  const call = query + Query.CALL;
  const constants = query + Query.CONSTANTS;
  const stamp = load<u32>(call, Call.STAMP) + 1;
  store<u32>(call, stamp, Call.STAMP);
  const room = scratch + STACK_BYTES;
  const end = document + length;
  let quote = room + KEY_ROOM;
  const mayEscape = indexQuotes(document, length, quote, constants);
  if (mayEscape < 0) return false;
  const dead = <usize>load<u32>(query, Query.DEAD);
  let p = document;
  let stack = scratch;
  let entry: usize = query;
  let node = dead;
  let close: u32 = 0x5d;
  if (load<u8>(p) <= 0x20) p = skipBlanks(p, end);
  if (p >= end) return false;
  let byte = <u32>load<u8>(p);
  if ((byte & 0xdf) != 0x5b) return scalarDocument(p, end, query, row, quote, mayEscape);
  for (;;) {
    let isValueRead = false;
    if (close == 0x7d) {
      // In a record: the loop goes round for `"key":"value",` with nothing between but a blank behind the colon.
      for (;;) {
        let start = <usize>load<u32>(quote);
        const stop = <usize>load<u32>(quote, 4);
        if (start != p) if (skipBlanks(p, end) != start) return false;
        start++;
        quote += 8;
        entry = 0;
        if (mayEscape && node != dead && hasBackslash(start, stop)) {
          entry = findEscaped(query, node, start, stop, room);
        } else if ((load<u64>(node, Node.LENGTHS) >> <u64>(stop - start)) & 1) {
          entry = findEntry(node, start, stop - start);
        }
        if (entry) {
          if (load<u32>(entry, Entry.SEEN) == stamp) {
            markRepeated(call, entry, row);
            entry = 0;
          } else store<u32>(entry, stamp, Entry.SEEN);
        }
        const opening = <usize>load<u32>(quote);
        if (opening == stop + 2 ? load<u8>(stop, 1) == 0x3a : opening == stop + 3 && load<u16>(stop, 1) == 0x203a) {
          const closing = <usize>load<u32>(quote, 4);
          quote += 8;
          if (entry) {
            const slot = slotOf(entry, row);
            if (slot >= 0) putString(call, slot, opening + 1, closing, mayEscape);
            entry = 0;
          }
          p = closing + 1;
          if (load<u8>(p) == 0x2c) {
            p++;
            continue;
          }
          isValueRead = true;
          break;
        }
        p = stop + 1;
        if (load<u8>(p) != 0x3a) {
          p = skipBlanks(p, end);
          if (load<u8>(p) != 0x3a) return false;
        }
        p++;
        break;
      }
    }
    if (!isValueRead) {
      byte = <u32>load<u8>(p);
      if (byte <= 0x20) {
        p = skipBlanks(p, end);
        byte = <u32>load<u8>(p);
      }
      if (byte == 0x22) {
        if (<usize>load<u32>(quote) != p) return false;
        const closing = <usize>load<u32>(quote, 4);
        quote += 8;
        if (entry) {
          const slot = slotOf(entry, row);
          if (slot >= 0) putString(call, slot, p + 1, closing, mayEscape);
        }
        p = closing + 1;
      } else if (byte == 0x2d || byte - 0x30 < 10) {
        const behind = numberEnd(p, byte, end, constants);
        if (!behind) return false;
        if (entry) {
          const slot = slotOf(entry, row);
          if (slot >= 0) putNumber(call, slot, p, behind, constants);
        }
        p = behind;
      } else if ((byte & 0xdf) == 0x5b) {
        if (stack >= scratch + STACK_BYTES || p >= end) return false;
        store<u32>(stack, node | <usize>((close >> 5) & 1));
        store<u32>(stack, 0, 4);
        node = dead;
        close = byte + 2;
        if (entry) {
          const slot = slotOf(entry, row);
          if (slot >= 0) {
            store<u32>(stack, Call.openSpan(call, slot, p), 4);
            Call.putTag(call, slot, byte == 0x7b ? Tag.RECORD : Tag.LIST);
          }
          if (byte == 0x7b) node = <usize>load<u32>(entry, Entry.NODE);
          entry = 0;
        }
        stack += 8;
        p++;
        byte = <u32>load<u8>(p);
        if (byte <= 0x20) {
          p = skipBlanks(p, end);
          byte = <u32>load<u8>(p);
        }
        if (byte != close) continue;
      } else {
        const behind = literalEnd(p);
        if (!behind) return false;
        if (entry) {
          const slot = slotOf(entry, row);
          if (slot >= 0) {
            Call.putSpan(call, slot, p, behind - p);
            Call.putTag(call, slot, literalTag(byte));
          }
        }
        p = behind;
      }
    }
    for (;;) {
      byte = <u32>load<u8>(p);
      if (byte == 0x2c) {
        p++;
        break;
      }
      if (byte != close) {
        if (byte > 0x20) return false;
        const behind = skipBlanks(p, end);
        if (behind == p) return false;
        p = behind;
        if (p > end) return false;
        continue;
      }
      p++;
      stack -= 8;
      const span = <usize>load<u32>(stack, 4);
      if (span) Call.closeSpan(call, span, p);
      if (stack == scratch) return p <= end && hasOnlyBlanks(p, end);
      const outer = load<u32>(stack);
      close = ((outer & 1) << 5) + 0x5d;
      node = <usize>(outer & ~1);
    }
    entry = 0;
  }
  return false;
}

/**
 * After documents that did not have a known shape, fewer and fewer are compared with the shapes: one of 2, 4 … 64. One
 * that has brings back the habit at once.
 */
const PATIENCE_MAX: u32 = 64;

// @ts-ignore: decorator
@inline
function clearRow(tags: usize, columns: usize, rows: usize, row: usize): void {
  for (let i: usize = 0; i < columns; i++) store<u8>(tags + i * rows + row, 0);
}

/**
 * Scans up to `count` documents: (offset, length) pairs at `spans`, offsets in the caller's terms. Writes 1 or 0 for each
 * at `status`, and the columns and counts of the query's call; returns how many it scanned: all, or those up to one
 * whose shape the caller should learn. That one has its row as all others.
 */
export function scan(spans: usize, count: i32, query: usize, status: usize, scratch: usize): i32 {
  const call = query + Query.CALL;
  const shift = <usize>load<u32>(call, Call.SHIFT);
  const columns = <usize>load<u32>(call, Call.COLUMNS);
  const rows = <usize>load<u32>(call, Call.ROWS);
  const tags = <usize>load<u32>(call, Call.TAGS);
  const learns = load<u32>(call, Call.LEARNS);
  let wait = load<u32>(call, Call.WAIT);
  let patience = load<u32>(call, Call.PATIENCE);
  for (let i: usize = 0; i < columns; i++) memory.fill(tags + i * rows, 0, count);
  store<u32>(call, 0, Call.PENDING);
  let valid: u32 = 0;
  let known: u32 = 0;
  let unknown: u32 = 0;
  let row: usize = 0;
  while (row < <usize>count && !unknown) {
    // How many documents are compared with the shapes in this round, and which of them have one.
    let compared: usize = 0;
    let matched: u32 = 0;
    if (wait) wait--;
    else {
      const document = <usize>load<u32>(spans) - shift;
      const end = document + <usize>load<u32>(spans, 4);
      if (row + 1 < <usize>count) {
        const next = <usize>load<u32>(spans, 8) - shift;
        compared = 2;
        matched = matchShapes(query, row, document, end, next, next + <usize>load<u32>(spans, 12));
      } else {
        compared = 1;
        matched = <u32>matchesShape(query, row, document, end);
      }
    }
    for (let left = max<usize>(compared, 1); left && !unknown; left--) {
      let isValid = matched & 1;
      if (isValid) {
        known++;
        patience = wait = 0;
      } else {
        if (compared) {
          patience = min(2 * patience + 1, PATIENCE_MAX);
          wait = patience - 1;
        }
        isValid = <u32>walk(<usize>load<u32>(spans) - shift, <usize>load<u32>(spans, 4), query, row, scratch);
        if (!isValid) clearRow(tags, columns, rows, row);
        unknown = isValid & learns & <u32>(compared > 0);
      }
      valid += isValid;
      store<u8>(status + row, isValid);
      matched >>= 1;
      spans += 8;
      row++;
    }
  }
  store<u32>(call, valid, Call.VALID);
  store<u32>(call, known, Call.KNOWN);
  store<u32>(call, unknown, Call.UNKNOWN);
  store<u32>(call, wait, Call.WAIT);
  store<u32>(call, patience, Call.PATIENCE);
  return <i32>row;
}

export { compareInts, compareText } from './compare';
