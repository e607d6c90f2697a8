/**
 * Keys of records against a node of the query: by length mask, then a hash of the first eight bytes, then all bytes.
 * A key with escapes is unescaped first; a lone surrogate becomes U+FFFD, as everywhere else.
 */
import { Entry, Node, Query } from './layout';

/** The same multiplier as in `kernel/query.ts`. */
const HASH: u64 = 0x9e3779b97f4a7c15;
const NO_KEY: usize = 0xffffffff;

/** The entry of the key at [key, key + length), or 0. */
export function findEntry(node: usize, key: usize, length: usize): usize {
  let first = load<u64>(key);
  if (length < 8) first &= (<u64>1 << <u64>(length << 3)) - 1;
  const bucket = <usize>(((first ^ <u64>length) * HASH) >> 58);
  let entry = <usize>load<u32>(node + (bucket << 2), Node.BUCKETS);
  while (entry) {
    if (load<u64>(entry, Entry.FIRST) == first && <usize>load<u32>(entry, Entry.LENGTH) == length) {
      if (length <= 8 || hasSameRest(entry, key, length)) return entry;
    }
    entry = <usize>load<u32>(entry, Entry.NEXT);
  }
  return 0;
}

function hasSameRest(entry: usize, key: usize, length: usize): bool {
  if (load<u64>(key + length - 8) != load<u64>(entry, Entry.LAST)) return false;
  if (length <= 16) return true;
  const wanted = <usize>load<u32>(entry, Entry.KEY);
  for (let i: usize = 8; i + 8 < length; i++) if (load<u8>(key + i) != load<u8>(wanted + i)) return false;
  return true;
}

/** `room` holds the longest key of the query and some more. */
export function findEscaped(query: usize, node: usize, key: usize, end: usize, room: usize): usize {
  const length = unescape(key, end, room, <usize>load<u32>(query, Query.LONGEST));
  return length == NO_KEY ? 0 : findEntry(node, room, length);
}

/** Any backslash in [p, end)? Reads up to 15 bytes beyond. */
export function hasBackslash(p: usize, end: usize): bool {
  while (p < end) {
    const at = <usize>ctz(i8x16.bitmask(i8x16.eq(v128.load(p), i8x16.splat(0x5c))));
    if (at < 16) return p + at < end;
    p += 16;
  }
  return false;
}

function hexUnit(p: usize): u32 {
  let unit: u32 = 0;
  for (let i: usize = 0; i < 4; i++) {
    const byte = <u32>load<u8>(p + i);
    unit = (unit << 4) | (byte < 0x3a ? byte - 0x30 : (byte | 0x20) - 0x57);
  }
  return unit;
}

/** Length of the unescaped text at `out`; NO_KEY when it is longer than `longest`. The escapes are valid. */
function unescape(p: usize, end: usize, out: usize, longest: usize): usize {
  const start = out;
  while (p < end) {
    if (out - start > longest) return NO_KEY;
    let code = <u32>load<u8>(p++);
    if (code == 0x5c) {
      code = <u32>load<u8>(p++);
      if (code == 0x75) {
        code = hexUnit(p);
        p += 4;
        if ((code & 0xf800) == 0xd800) {
          const low = (code & 0x400) == 0 && p + 6 <= end && load<u16>(p) == 0x755c ? hexUnit(p + 2) : 0;
          if ((low & 0xfc00) == 0xdc00) {
            code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
            p += 6;
          } else {
            code = 0xfffd;
          }
        }
        if (code >= 0x10000) {
          store<u8>(out++, 0xf0 | (code >> 18));
          store<u8>(out++, 0x80 | ((code >> 12) & 63));
          store<u8>(out++, 0x80 | ((code >> 6) & 63));
          code = 0x80 | (code & 63);
        } else if (code >= 0x800) {
          store<u8>(out++, 0xe0 | (code >> 12));
          store<u8>(out++, 0x80 | ((code >> 6) & 63));
          code = 0x80 | (code & 63);
        } else if (code >= 0x80) {
          store<u8>(out++, 0xc0 | (code >> 6));
          code = 0x80 | (code & 63);
        }
      } else if (code == 0x6e) code = 10;
      else if (code == 0x74) code = 9;
      else if (code == 0x72) code = 13;
      else if (code == 0x62) code = 8;
      else if (code == 0x66) code = 12;
    }
    store<u8>(out++, code);
  }
  return out - start;
}
