/**
 * First pass over a document: where its quotes are, and whether everything that only strings may hold is right.
 *
 * 64 bytes a step: a mask of quotes, and one test "any byte below 0x20, at or above 0x80, or a backslash". Only a block
 * where the test is true pays for escapes, control characters and UTF-8. Quotes pair by order, so "inside a string" is
 * the parity of their count.
 *
 * V8 builds a v128 constant anew at each use, so the constants of hot code are loaded from `Constants` in the query.
 *
 * Invariants
 * S1 the index holds the addresses of all unescaped quotes below the document's end, an even number, then two zeros.
 * S2 bytes at or beyond the end are read (up to 63) and never believed: the last block is filled up with blanks.
 * S3 UTF-8 is checked by the three-table method: shortest forms, no surrogates, nothing above U+10FFFF.
 */

/** Offsets of the vectors in the constants of a query; `kernel/query.ts` writes them. */
export namespace Constants {
  export const QUOTE: usize = 0;
  export const BLANK: usize = 16;
  export const BACKSLASH: usize = 32;
  /** Added to a byte, a digit lies above `DIGIT_BOUND` in signed order and nothing else does. */
  export const DIGIT_SHIFT: usize = 48;
  export const DIGIT_BOUND: usize = 64;
  export const UTF8_HIGH: usize = 80;
  export const UTF8_LOW: usize = 96;
  export const UTF8_NEXT: usize = 112;
  export const NIBBLE: usize = 128;
  export const THIRD: usize = 144;
  export const FOURTH: usize = 160;
  export const TOP_BIT: usize = 176;
  export const INCOMPLETE: usize = 192;
  /** 32 bytes of ones, then 32 of zeros: from `ONES` + 32 - n on there are n ones. */
  export const ONES: usize = 208;
}

const ODD_BITS: u64 = 0xaaaaaaaaaaaaaaaa;

// @ts-ignore: decorator
@inline
function bitsOf(a: v128, b: v128, c: v128, d: v128): u64 {
  return (bitsOfTwo(a, b) as u64) | ((bitsOfTwo(c, d) as u64) << 32);
}

// @ts-ignore: decorator
@inline
function bitsOfTwo(a: v128, b: v128): u32 {
  return (i8x16.bitmask(a) as u32) | ((i8x16.bitmask(b) as u32) << 16);
}

// @ts-ignore: decorator
@inline
function equalBits(a: v128, b: v128, c: v128, d: v128, value: v128): u64 {
  return bitsOf(i8x16.eq(a, value), i8x16.eq(b, value), i8x16.eq(c, value), i8x16.eq(d, value));
}

/** Bits of the bytes below `bound`, unsigned: max(x, bound) == x says x >= bound. */
// @ts-ignore: decorator
@inline
function belowBits(a: v128, b: v128, c: v128, d: v128, bound: v128): u64 {
  return ~bitsOf(
    i8x16.eq(i8x16.max_u(a, bound), a),
    i8x16.eq(i8x16.max_u(b, bound), b),
    i8x16.eq(i8x16.max_u(c, bound), c),
    i8x16.eq(i8x16.max_u(d, bound), d),
  );
}

/** Each bit becomes the parity of the bits up to and with it. */
// @ts-ignore: decorator
@inline
function prefixParity(bits: u64): u64 {
  bits ^= bits << 1;
  bits ^= bits << 2;
  bits ^= bits << 4;
  bits ^= bits << 8;
  bits ^= bits << 16;
  bits ^= bits << 32;
  return bits;
}

/** Below 0x20 or at or above 0x80 (one signed comparison), or a backslash. */
// @ts-ignore: decorator
@inline
function isSpecial(bytes: v128, blank: v128, backslash: v128): v128 {
  return v128.or(i8x16.gt_s(blank, bytes), i8x16.eq(bytes, backslash));
}

/** Nonzero bytes where the 16 bytes, after the 16 before them, are no UTF-8. */
// @ts-ignore: decorator
@inline
function utf8Errors(before: v128, bytes: v128, constants: usize): v128 {
  const first = i8x16.shuffle(before, bytes, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
  const second = i8x16.shuffle(before, bytes, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29);
  const third = i8x16.shuffle(before, bytes, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28);
  const nibble = v128.load(constants, Constants.NIBBLE);
  // The indices are below 16, where the relaxed form is the same on every machine.
  const high = i8x16.relaxed_swizzle(
    v128.load(constants, Constants.UTF8_HIGH),
    v128.and(i16x8.shr_u(first, 4), nibble),
  );
  const low = i8x16.relaxed_swizzle(v128.load(constants, Constants.UTF8_LOW), v128.and(first, nibble));
  const next = i8x16.relaxed_swizzle(
    v128.load(constants, Constants.UTF8_NEXT),
    v128.and(i16x8.shr_u(bytes, 4), nibble),
  );
  const special = v128.and(v128.and(high, low), next);
  const mustContinue = v128.and(
    v128.or(
      i8x16.sub_sat_u(second, v128.load(constants, Constants.THIRD)),
      i8x16.sub_sat_u(third, v128.load(constants, Constants.FOURTH)),
    ),
    v128.load(constants, Constants.TOP_BIT),
  );
  return v128.xor(mustContinue, special);
}

// @ts-ignore: decorator
@inline
function isHex(byte: u32): bool {
  return byte - 0x30 < 10 || (byte | 0x20) - 0x61 < 6;
}

/** True when one of the escaped bytes, other than quotes and backslashes, ends no known escape. */
function hasBadEscape(block: usize, bits: u64): bool {
  while (bits) {
    const at = block + <usize>ctz(bits);
    bits &= bits - 1;
    const byte = <u32>load<u8>(at);
    if (byte == 0x75) {
      // What lies behind the document's end cannot make a bad one good: its string would have no closing quote.
      if (!(isHex(load<u8>(at, 1)) && isHex(load<u8>(at, 2)) && isHex(load<u8>(at, 3)) && isHex(load<u8>(at, 4)))) {
        return true;
      }
    } else if (byte != 0x6e && byte != 0x72 && byte != 0x74 && byte != 0x62 && byte != 0x66 && byte != 0x2f) {
      return true;
    }
  }
  return false;
}

/** Writes the addresses of the bits; by fours, as branches for each number of quotes would be mispredicted. */
// @ts-ignore: decorator
@inline
function writeAddresses(bits: u64, block: usize, out: usize): usize {
  const count = <usize>popcnt(bits);
  if (count) {
    bits = writeFour(bits, block, out);
    if (count > 4) {
      bits = writeFour(bits, block, out + 16);
      if (count > 8) {
        bits = writeFour(bits, block, out + 32);
        let at = out + 48;
        while (bits) {
          store<u32>(at, block + <usize>ctz(bits));
          bits &= bits - 1;
          at += 4;
        }
      }
    }
  }
  return out + (count << 2);
}

// @ts-ignore: decorator
@inline
function writeFour(bits: u64, block: usize, out: usize): u64 {
  store<u32>(out, block + <usize>ctz(bits), 0);
  bits &= bits - 1;
  store<u32>(out, block + <usize>ctz(bits), 4);
  bits &= bits - 1;
  store<u32>(out, block + <usize>ctz(bits), 8);
  bits &= bits - 1;
  store<u32>(out, block + <usize>ctz(bits), 12);
  return bits & (bits - 1);
}

// @ts-ignore: decorator
@inline
function positions(from: i32): v128 {
  return i8x16.add(i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), i8x16.splat(<i8>from));
}

/**
 * The quote that ends the string whose rest begins at `p`, where no character is cut; 0 when it is malformed or does not
 * end within the document. For strings with bytes that need a look: 32 bytes a step.
 */
export function stringEnd(p: usize, end: usize, constants: usize): usize {
  const quote = v128.load(constants, Constants.QUOTE);
  const blank = v128.load(constants, Constants.BLANK);
  const backslash = v128.load(constants, Constants.BACKSLASH);
  let before: v128 = i8x16.splat(0);
  let isEscaped: u32 = 0;
  for (; p < end; p += 32) {
    let a = v128.load(p);
    let b = v128.load(p, 16);
    const slashes = bitsOfTwo(i8x16.eq(a, backslash), i8x16.eq(b, backslash));
    let escaped: u32 = isEscaped;
    if (slashes | isEscaped) {
      // As in the quote index, for 32 bytes.
      const starts = slashes & ~isEscaped;
      const escapes = (((starts << 1) | <u32>ODD_BITS) - starts) ^ <u32>ODD_BITS;
      escaped = escapes ^ (slashes | isEscaped);
      isEscaped = (escapes & slashes) >> 31;
    }
    const quotes = bitsOfTwo(i8x16.eq(a, quote), i8x16.eq(b, quote));
    const closing = quotes & ~escaped;
    // The bits before the closing quote.
    const inside = closing ? (closing & (0 - closing)) - 1 : 0xffffffff;
    const controls = ~bitsOfTwo(i8x16.eq(i8x16.max_u(a, blank), a), i8x16.eq(i8x16.max_u(b, blank), b));
    if (controls & inside) return 0;
    const others = escaped & inside & ~(quotes | slashes);
    if (others) if (hasBadEscape(p, others)) return 0;
    const stop = ctz(closing);
    if (closing) {
      const ones = constants + Constants.ONES + 32 - <usize>stop;
      a = v128.bitselect(a, blank, v128.load(ones));
      b = v128.bitselect(b, blank, v128.load(ones, 16));
    }
    if (i8x16.bitmask(v128.or(before, v128.or(a, b)))) {
      if (v128.any_true(v128.or(utf8Errors(before, a, constants), utf8Errors(a, b, constants)))) return 0;
    }
    if (closing) return p + <usize>stop;
    before = b;
  }
  return 0;
}

/** Fills the quote index; 1 when the document has a backslash, else 0; -1 when it is malformed. */
export function indexQuotes(document: usize, length: usize, index: usize, constants: usize): i32 {
  const quote = v128.load(constants, Constants.QUOTE);
  const blank = v128.load(constants, Constants.BLANK);
  const backslash = v128.load(constants, Constants.BACKSLASH);
  let out = index;
  let isEscaped: u64 = 0;
  let hasBackslash = 0;
  let before: v128 = i8x16.splat(0);
  let incomplete: v128 = i8x16.splat(0);
  let errors: v128 = i8x16.splat(0);
  for (let i: usize = 0; i < length; i += 64) {
    const block = document + i;
    let a = v128.load(block);
    let b = v128.load(block, 16);
    let c = v128.load(block, 32);
    let d = v128.load(block, 48);
    const left = length - i;
    if (left < 64) {
      const bound = i8x16.splat(<i8>left);
      a = v128.bitselect(a, blank, i8x16.gt_s(bound, positions(0)));
      b = v128.bitselect(b, blank, i8x16.gt_s(bound, positions(16)));
      c = v128.bitselect(c, blank, i8x16.gt_s(bound, positions(32)));
      d = v128.bitselect(d, blank, i8x16.gt_s(bound, positions(48)));
    }
    let quotes = equalBits(a, b, c, d, quote);
    const special = v128.or(
      v128.or(
        v128.or(isSpecial(a, blank, backslash), isSpecial(b, blank, backslash)),
        v128.or(isSpecial(c, blank, backslash), isSpecial(d, blank, backslash)),
      ),
      incomplete,
    );
    if (v128.any_true(special) || isEscaped) {
      const slashes = equalBits(a, b, c, d, backslash);
      if (slashes | isEscaped) {
        hasBackslash = 1;
        // Runs of backslashes: every second one escapes what follows; the run's start decides by its parity.
        const starts = slashes & ~isEscaped;
        const escapes = (((starts << 1) | ODD_BITS) - starts) ^ ODD_BITS;
        const escaped = escapes ^ (slashes | isEscaped);
        isEscaped = (escapes & slashes) >> 63;
        const others = escaped & ~(quotes | slashes);
        quotes &= ~escaped;
        if (others) if (hasBadEscape(block, others)) return -1;
      }
      if (v128.any_true(incomplete) || i8x16.bitmask(v128.or(v128.or(a, b), v128.or(c, d)))) {
        const firstHalf = v128.or(utf8Errors(before, a, constants), utf8Errors(a, b, constants));
        const secondHalf = v128.or(utf8Errors(b, c, constants), utf8Errors(c, d, constants));
        errors = v128.or(errors, v128.or(firstHalf, secondHalf));
        incomplete = i8x16.sub_sat_u(d, v128.load(constants, Constants.INCOMPLETE));
      }
      const controls = belowBits(a, b, c, d, blank);
      if (controls) {
        const isOdd = <u64>0 - <u64>(((out - index) >> 2) & 1);
        if (controls & (prefixParity(quotes) ^ isOdd)) return -1;
      }
    }
    before = d;
    out = writeAddresses(quotes, block, out);
  }
  if ((out - index) & 4 || v128.any_true(v128.or(errors, incomplete))) return -1;
  store<u64>(out, 0);
  return hasBackslash;
}
