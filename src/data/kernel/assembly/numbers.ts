/**
 * Numbers: their grammar, always; their value, for those that a path asks for.
 *
 * Invariants
 * N1 integers within int64 are exact; one beyond is `TEXT`.
 * N2 a float is converted here only where one rounding suffices: mantissa up to 2^53 and a power of ten within ±22, both
 *    exact doubles. All others are `PENDING`: the caller converts the text.
 * N3 vector loads read up to 16 bytes at the number; the end bounds every loop.
 */
import { Constants } from './strings';
import { Call, Tag } from './layout';

const EXACT_MANTISSA: u64 = 9007199254740992;
const EXACT_POWER: i32 = 22;

/** End of the run of digits at `p`. */
// @ts-ignore: decorator
@inline
export function digitsEnd(p: usize, end: usize, constants: usize): usize {
  const shifted = i8x16.add(v128.load(p), v128.load(constants, Constants.DIGIT_SHIFT));
  const others = i8x16.bitmask(i8x16.gt_s(shifted, v128.load(constants, Constants.DIGIT_BOUND)));
  const run = ctz(others | 0x10000);
  if (run < 16) return p + <usize>run;
  p += 16;
  while (p < end && <u32>load<u8>(p) - 0x30 < 10) p++;
  return p;
}

/** End of fraction and exponent, `p` being at `.`, `e` or `E`; 0 when malformed. */
function tailEnd(p: usize, end: usize, constants: usize): usize {
  if (load<u8>(p) == 0x2e) {
    const behind = digitsEnd(p + 1, end, constants);
    if (behind == p + 1) return 0;
    p = behind;
  }
  if ((load<u8>(p) | 0x20) == 0x65) {
    p++;
    const sign = load<u8>(p);
    if (sign == 0x2b || sign == 0x2d) p++;
    const behind = digitsEnd(p, end, constants);
    if (behind == p) return 0;
    p = behind;
  }
  return p;
}

/** End of the number at `p`, whose first byte is `first`; 0 when malformed. The caller checks what follows. */
// @ts-ignore: decorator
@inline
export function numberEnd(p: usize, first: u32, end: usize, constants: usize): usize {
  if (first == 0x2d) {
    p++;
    first = load<u8>(p);
  }
  const behind = digitsEnd(p, end, constants);
  if (first == 0x30 ? behind != p + 1 : behind == p) return 0;
  const next = load<u8>(behind);
  if (next == 0x2e || (next | 0x20) == 0x65) return tailEnd(behind, end, constants);
  return behind;
}

/** Eight digits, first in the lowest byte, as a number: pairs, fours, eight by multiplications. */
// @ts-ignore: decorator
@inline
function eightDigits(text: u64): u64 {
  text -= 0x3030303030303030;
  text = text * 10 + (text >> 8);
  return (
    ((text & 0x000000ff000000ff) * 0x000f424000000064 + ((text >> 16) & 0x000000ff000000ff) * 0x0000271000000001) >> 32
  );
}

/** One to eight digits at `p`: shifted to the top and filled up with leading zeros. */
// @ts-ignore: decorator
@inline
function upToEight(p: usize, count: i32): u64 {
  const zeros: u64 = 0x3030303030303030;
  if (count == 8) return eightDigits(load<u64>(p));
  return eightDigits((load<u64>(p) << <u64>((8 - count) << 3)) | (zeros >> <u64>(count << 3)));
}

/** Exact up to 10^22. */
function powerOfTen(exponent: i32): f64 {
  let power: f64 = 1;
  let base: f64 = 10;
  while (exponent) {
    if (exponent & 1) power *= base;
    base *= base;
    exponent >>= 1;
  }
  return power;
}

/** Writes tag, span and value of the valid number at [p, end). */
export function putNumber(call: usize, slot: usize, p: usize, end: usize, constants: usize): void {
  Call.putSpan(call, slot, p, end - p);
  const isNegative = load<u8>(p) == 0x2d;
  if (isNegative) p++;
  // A document that is one number may be followed by digits of the next.
  const wholeEnd = min(digitsEnd(p, end, constants), end);
  const whole = <i32>(wholeEnd - p);
  let value: u64 = 0;
  if (whole <= 8) value = upToEight(p, whole);
  else if (whole <= 16) value = upToEight(p, whole - 8) * 100000000 + eightDigits(load<u64>(wholeEnd - 8));
  else if (whole <= 19) {
    for (let at = p; at < wholeEnd; at++) value = value * 10 + <u64>(load<u8>(at) - 0x30);
  }
  if (wholeEnd == end) {
    const bound: u64 = isNegative ? 0x8000000000000000 : 0x7fffffffffffffff;
    if (whole > 19 || (whole == 19 && value > bound)) Call.putTag(call, slot, Tag.TEXT);
    else if (isNegative && value == 0) Call.putFloat(call, slot, -0.0);
    else Call.putInt(call, slot, isNegative ? 0 - <i64>value : <i64>value);
    return;
  }
  putDecimal(call, slot, wholeEnd, end, value, whole, isNegative);
}

/** Fraction and exponent at [p, end), behind `digits` digits with the given value. */
function putDecimal(
  call: usize,
  slot: usize,
  p: usize,
  end: usize,
  value: u64,
  digits: i32,
  isNegative: bool,
): void {
  let exponent = 0;
  // 19 digits could exceed 2^64 when the tenth power follows, and no more than 16 are ever exact.
  let isShort = digits <= 18;
  if (load<u8>(p) == 0x2e) {
    p++;
    while (p < end) {
      const digit = <u32>load<u8>(p) - 0x30;
      if (digit > 9) break;
      if (++digits > 18) isShort = false;
      value = value * 10 + <u64>digit;
      exponent--;
      p++;
    }
  }
  if (p < end) {
    p++;
    const sign = load<u8>(p);
    if (sign == 0x2b || sign == 0x2d) p++;
    let written = 0;
    while (p < end) {
      // Bounded: far beyond every double already.
      if (written < 100000) written = written * 10 + <i32>(load<u8>(p) - 0x30);
      p++;
    }
    exponent += sign == 0x2d ? 0 - written : written;
  }
  if (!isShort || value > EXACT_MANTISSA || exponent < 0 - EXACT_POWER || exponent > EXACT_POWER) {
    Call.putPending(call, slot);
    return;
  }
  let result = <f64>value;
  if (exponent < 0) result /= powerOfTen(0 - exponent);
  else result *= powerOfTen(exponent);
  Call.putFloat(call, slot, isNegative ? -result : result);
}
