/**
 * What the texts of documents mean (spec of TQL, section 4): bool, int, float, duration, time, address and subnet; everything
 * else stays text. Numbers are those of JSON, so `007`, `+1` and `1.` stay text, and so does an integer beyond 64 bits.
 *
 * Invariants
 * I1 a text is inferred to the same value wherever it stands; whoever prints it unchanged prints the text itself.
 */
import { readDuration, readIp, readSubnet, readTime } from './text.ts';
import type { Value } from './value.ts';

/** Longer texts mean nothing: the longest that does is an IPv6 subnet, a compound duration or a float. */
const LENGTH_MAX = 64;
const NUMBER = /^-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const INT_MIN = -(2n ** 63n);
const UINT_MAX = 2n ** 64n - 1n;

export function inferText(text: string): Value {
  if (text === '' || text.length > LENGTH_MAX) return text;
  const first = text.charCodeAt(0);
  const isDigit = first >= 0x30 && first <= 0x39;
  // Most texts are words: one look at the first character decides.
  if (!isDigit && first !== 0x2d) {
    if (text === 'true') return true;
    if (text === 'false') return false;
    return text.includes(':') ? address(text) : text;
  }
  const number = NUMBER.exec(text);
  if (number) return numberOf(text, number[1] !== undefined || number[2] !== undefined);
  return readTime(text) ?? readDuration(text) ?? address(text);
}

function address(text: string): Value {
  return readIp(text) ?? readSubnet(text) ?? text;
}

function numberOf(text: string, isFloat: boolean): Value {
  if (isFloat || text === '-0') {
    const float = Number(text);
    return Number.isFinite(float) ? float : text;
  }
  const exact = BigInt(text);
  return exact >= INT_MIN && exact <= UINT_MAX ? exact : text;
}
