/** Blanks, and `true`, `false` and `null`. */
import { Tag } from './layout';

// @ts-ignore: decorator
@inline
export function isBlank(byte: u32): bool {
  return byte == 0x20 || byte == 10 || byte == 13 || byte == 9;
}

/** Behind the blanks at `p`; not beyond `end` by more than a vector. */
export function skipBlanks(p: usize, end: usize): usize {
  if (!isBlank(load<u8>(p))) return p;
  p++;
  if (load<u8>(p) > 0x20) return p;
  while (p < end) {
    const bytes = v128.load(p);
    const blanks = v128.or(
      v128.or(i8x16.eq(bytes, i8x16.splat(0x20)), i8x16.eq(bytes, i8x16.splat(10))),
      v128.or(i8x16.eq(bytes, i8x16.splat(13)), i8x16.eq(bytes, i8x16.splat(9))),
    );
    const run = <usize>ctz(~i8x16.bitmask(blanks));
    if (run < 16) return p + run;
    p += 16;
  }
  return p;
}

export function hasOnlyBlanks(p: usize, end: usize): bool {
  for (; p < end; p++) if (!isBlank(load<u8>(p))) return false;
  return true;
}

/** End of `true`, `false` or `null`; 0 for anything else. */
export function literalEnd(p: usize): usize {
  const word = load<u32>(p);
  if (word == 0x65757274 || word == 0x6c6c756e) return p + 4;
  return word == 0x736c6166 && load<u8>(p, 4) == 0x65 ? p + 5 : 0;
}

// @ts-ignore: decorator
@inline
export function literalTag(first: u32): u32 {
  return first == 0x74 ? Tag.TRUE : first == 0x66 ? Tag.FALSE : Tag.NULL;
}
