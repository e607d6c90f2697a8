/**
 * A column against a constant, row by row, without making a value: verdict 1 true, 0 false, 2 null, 3 undecided (missing,
 * repeated, escaped, beyond int64, no common order: the caller's reference knows, warnings included).
 *
 * An operation is three bits: what the verdict is when the value is less than (1), equal to (2), greater than (4) the
 * constant. `other` is the verdict of values that have no order with the constant, `none` that of null.
 */
import { Tag } from './layout';

const UNDECIDED: u32 = 3;
const LESS: u32 = 1;
const EQUAL: u32 = 2;
const GREATER: u32 = 4;
const TWO_63: f64 = 9223372036854775808.0;

// @ts-ignore: decorator
@inline
function orderOfInts(a: i64, b: i64): u32 {
  return a < b ? LESS : a == b ? EQUAL : GREATER;
}

/** Exactly: an int64 that a double cannot hold is not rounded. */
function orderOfMixed(a: i64, b: f64): u32 {
  if (b >= TWO_63) return LESS;
  if (b < -TWO_63) return GREATER;
  const whole = <i64>b;
  if (a != whole) return a < whole ? LESS : GREATER;
  const rest = b - <f64>whole;
  return rest > 0 ? LESS : rest < 0 ? GREATER : EQUAL;
}

// @ts-ignore: decorator
@inline
function mirrored(order: u32): u32 {
  return order == LESS ? GREATER : order == GREATER ? LESS : EQUAL;
}

/** The constant is `whole` when `isWhole`, else `float`. */
export function compareInts(
  tags: usize,
  values: usize,
  count: i32,
  operation: u32,
  isWhole: bool,
  whole: i64,
  float: f64,
  other: u32,
  none: u32,
  verdicts: usize,
): void {
  for (let row: usize = 0; row < <usize>count; row++) {
    const tag = <u32>load<u8>(tags + row);
    const at = values + (row << 3);
    let verdict: u32 = other;
    if (tag == Tag.INT) {
      const value = load<i64>(at);
      const order = isWhole ? orderOfInts(value, whole) : orderOfMixed(value, float);
      verdict = operation & order ? 1 : 0;
    } else if (tag == Tag.FLOAT) {
      const value = load<f64>(at);
      let order: u32;
      if (isWhole) order = mirrored(orderOfMixed(whole, value));
      else order = value < float ? LESS : value == float ? EQUAL : GREATER;
      verdict = operation & order ? 1 : 0;
    } else if (tag == Tag.NULL) verdict = none;
    else if (tag == Tag.MISSING || tag == Tag.TEXT || tag == Tag.REPEATED) verdict = UNDECIDED;
    store<u8>(verdicts + row, verdict);
  }
}

/** Equality with a text at [text, text + length). `shift` turns an offset of a span into an address when subtracted. */
export function compareText(
  tags: usize,
  spans: usize,
  count: i32,
  operation: u32,
  text: usize,
  length: usize,
  shift: usize,
  verdicts: usize,
): void {
  const differs: u32 = operation & EQUAL ? 0 : 1;
  for (let row: usize = 0; row < <usize>count; row++) {
    const tag = <u32>load<u8>(tags + row);
    let verdict: u32 = differs;
    if (tag == Tag.STRING) {
      const span = spans + (row << 3);
      if (<usize>load<u32>(span, 4) == length) {
        const at = <usize>load<u32>(span) - shift;
        verdict = isSame(at, text, length) ? 1 - differs : differs;
      }
    } else if (tag == Tag.MISSING || tag == Tag.ESCAPED || tag == Tag.TEXT || tag == Tag.REPEATED) verdict = UNDECIDED;
    store<u8>(verdicts + row, verdict);
  }
}

function isSame(a: usize, b: usize, length: usize): bool {
  let i: usize = 0;
  for (; i + 8 <= length; i += 8) if (load<u64>(a + i) != load<u64>(b + i)) return false;
  for (; i < length; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false;
  return true;
}
