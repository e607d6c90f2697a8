/**
 * JSON, read without loss: the reference for the columnar scanner and the way to whole rows.
 *
 * RFC 8259, strictly: no trailing commas, no control characters in strings, valid UTF-8, nothing behind the document.
 * Integers are exact (bigint) within -2^63 … 2^64-1; an integer beyond becomes the string of its digits; numbers with a
 * fraction or an exponent are floats. A lone surrogate escape becomes U+FFFD. The values of a key that appears again are
 * gathered in a list at the place of the first, or the last one wins there (`merges`).
 *
 * Invariants
 * I1 an error names the byte where reading could not go on.
 * I2 nesting is bounded by `JSON_DEPTH_MAX`; memory is bounded by a constant times the text.
 */
import { MillraceError } from '../base/index.ts';
import { dataErrors } from './errors.ts';
import { inferText } from './infer.ts';
import { RecordValue, rememberTexts, type Value } from './value.ts';

/** The same bound as the kernel's. */
export const JSON_DEPTH_MAX = 1_024;

const INT_MIN = -(2n ** 63n);
const UINT_MAX = 2n ** 64n - 1n;
const SAFE_DIGITS = 15;

/** How texts and repeated keys are read; the plain style takes both as they stand. */
export interface JsonReading {
  /** Texts that look like numbers, times, addresses and so on become such. */
  readonly infers?: boolean;
  /** Of a key that appears again the last value wins. */
  readonly merges?: boolean;
}

const PLAIN: JsonReading = {};

/** Reads one document that fills bytes[start, end). Throws MR6001 or MR6002. */
export function parseJson(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
  reading: JsonReading = PLAIN,
): Value {
  const reader = new JsonReader(bytes, start, end, reading);
  const value = reader.document();
  reader.expectEnd();
  return value;
}

export function parseJsonText(text: string, reading: JsonReading = PLAIN): Value {
  const bytes = Buffer.from(text);
  return parseJson(bytes, 0, bytes.length, reading);
}

/** End of the document that begins at `start` (white space before it skipped); undefined when only white space is left. */
export function documentEnd(bytes: Uint8Array, start: number, end: number): { start: number; end: number } | undefined {
  const reader = new JsonReader(bytes, start, end, PLAIN);
  if (reader.atEnd()) return undefined;
  const first = reader.position;
  reader.document();
  return { start: first, end: reader.position };
}

/** Byte position of the first defect, relative to the document; undefined when there is none. */
export function findDefect(
  bytes: Uint8Array,
  start: number,
  end: number,
): { position: number; reason: string } | undefined {
  try {
    parseJson(bytes, start, end);
    return undefined;
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    const reason = String(error.details['reason'] ?? 'nested too deeply');
    return { position: Number(error.details['position']), reason };
  }
}

const ESCAPED: ReadonlyMap<number, string> = new Map([
  [0x22, '"'],
  [0x5c, '\\'],
  [0x2f, '/'],
  [0x62, '\b'],
  [0x66, '\f'],
  [0x6e, '\n'],
  [0x72, '\r'],
  [0x74, '\t'],
]);

class JsonReader {
  private readonly buffer: Buffer;
  private readonly bytes: Uint8Array;
  private readonly start: number;
  private readonly end: number;
  private readonly reading: JsonReading;
  position: number;
  private depth = 0;
  private hasEscape = false;

  constructor(bytes: Uint8Array, start: number, end: number, reading: JsonReading) {
    this.bytes = bytes;
    this.buffer = Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
    this.start = start;
    this.position = start;
    this.end = end;
    this.reading = reading;
  }

  document(): Value {
    this.skipSpace();
    return this.value();
  }

  atEnd(): boolean {
    this.skipSpace();
    return this.position >= this.end;
  }

  expectEnd(): void {
    if (!this.atEnd()) this.fail('text behind the document');
  }

  private value(): Value {
    const byte = this.peek();
    switch (byte) {
      case 0x22:
        return this.text();
      case 0x7b:
        return this.record();
      case 0x5b:
        return this.list();
      case 0x74:
        return this.literal('true', true);
      case 0x66:
        return this.literal('false', false);
      case 0x6e:
        return this.literal('null', null);
      default:
        if (byte === 0x2d || isDigit(byte)) return this.number();
        return this.fail(byte < 0 ? 'the text ends where a value is expected' : 'expected a value');
    }
  }

  private record(): Value {
    this.enter();
    const fields = new Map<string, Value>();
    const texts = new Map<string, string>();
    let repeated: Map<string, { readonly values: Value[]; readonly texts: (string | undefined)[] }> | undefined;
    this.position++;
    this.skipSpace();
    if (this.peek() === 0x7d) return this.leave(new RecordValue());
    for (;;) {
      if (this.peek() !== 0x22) this.fail('expected a key');
      const key = this.string();
      this.skipSpace();
      this.take(0x3a, 'expected `:`');
      this.skipSpace();
      const from = this.position;
      const value = this.value();
      const text = this.textToRemember(value, from);
      const before = fields.get(key);
      if (before !== undefined && this.reading.merges !== true) {
        repeated ??= new Map();
        let list = repeated.get(key);
        if (!list) {
          list = { values: [before], texts: [texts.get(key)] };
          rememberTexts(list.values, list.texts);
          repeated.set(key, list);
          fields.set(key, list.values);
        }
        list.values.push(value);
        list.texts.push(text);
        texts.delete(key);
      } else {
        fields.set(key, value);
        if (text === undefined) texts.delete(key);
        else texts.set(key, text);
      }
      this.skipSpace();
      if (this.peek() === 0x7d) return this.leave(new RecordValue(fields, texts));
      this.take(0x2c, 'expected `,` or `}`');
      this.skipSpace();
    }
  }

  private list(): Value {
    this.enter();
    const values: Value[] = [];
    let texts: (string | undefined)[] | undefined;
    this.position++;
    this.skipSpace();
    if (this.peek() === 0x5d) return this.leave(values);
    for (;;) {
      const from = this.position;
      const value = this.value();
      const text = this.textToRemember(value, from);
      if (text !== undefined) (texts ??= [])[values.length] = text;
      values.push(value);
      this.skipSpace();
      if (this.peek() === 0x5d) {
        if (texts) rememberTexts(values, texts);
        return this.leave(values);
      }
      this.take(0x2c, 'expected `,` or `]`');
      this.skipSpace();
    }
  }

  private text(): Value {
    const text = this.string();
    return this.reading.infers === true ? inferText(text) : text;
  }

  /** What printing would not give back by itself: texts with escapes or another meaning, and floats. */
  private textToRemember(value: Value, from: number): string | undefined {
    const isText = this.bytes[from] === 0x22;
    if (isText ? typeof value === 'string' && !this.hasEscape : typeof value !== 'number' && typeof value !== 'string')
      return undefined;
    return this.buffer.toString('utf8', from, this.position);
  }

  private string(): string {
    const from = ++this.position;
    this.hasEscape = false;
    let text: string | undefined;
    let plainFrom = from;
    for (;;) {
      const byte = this.peek();
      if (byte === 0x22) {
        const plain = this.decode(plainFrom, this.position);
        this.position++;
        return text === undefined ? plain : text + plain;
      }
      if (byte === 0x5c) {
        this.hasEscape = true;
        text = (text ?? '') + this.decode(plainFrom, this.position) + this.escape();
        plainFrom = this.position;
      } else if (byte < 0x20) this.fail(byte < 0 ? 'the text ends inside a string' : 'control character in a string');
      else this.position++;
    }
  }

  private escape(): string {
    const kind = this.bytes[this.position + 1] ?? -1;
    const simple = ESCAPED.get(kind);
    if (simple !== undefined && this.position + 1 < this.end) {
      this.position += 2;
      return simple;
    }
    if (kind !== 0x75) this.fail('unknown escape');
    const unit = this.hex(this.position + 2);
    this.position += 6;
    if (unit < 0xd800 || unit > 0xdfff) return String.fromCharCode(unit);
    const isPair = unit < 0xdc00 && this.bytes[this.position] === 0x5c && this.bytes[this.position + 1] === 0x75;
    if (isPair && this.position + 6 <= this.end) {
      const low = this.hex(this.position + 2);
      if (low >= 0xdc00 && low <= 0xdfff) {
        this.position += 6;
        return String.fromCharCode(unit, low);
      }
    }
    return '\ufffd';
  }

  private hex(at: number): number {
    let unit = 0;
    for (let i = at; i < at + 4; i++) {
      const digit = i < this.end ? hexDigit(this.bytes[i]!) : -1;
      if (digit < 0) this.fail('`\\u` needs four hexadecimal digits');
      unit = unit * 16 + digit;
    }
    return unit;
  }

  private decode(from: number, to: number): string {
    const text = this.buffer.toString('utf8', from, to);
    if (text.includes('\ufffd') && !this.isValidUtf8(from, to)) this.fail('invalid UTF-8 in a string', from);
    return text;
  }

  private isValidUtf8(from: number, to: number): boolean {
    try {
      new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.bytes.slice(from, to));
      return true;
    } catch (error) {
      if (error instanceof TypeError) return false;
      throw error;
    }
  }

  private number(): Value {
    const from = this.position;
    if (this.peek() === 0x2d) this.position++;
    if (!isDigit(this.peek())) this.fail('expected a digit');
    const isZero = this.peek() === 0x30;
    this.digits();
    if (isZero && this.position - from > (this.bytes[from] === 0x2d ? 2 : 1)) this.fail('a number has no leading zero');
    let isFloat = false;
    if (this.peek() === 0x2e) {
      isFloat = true;
      this.position++;
      this.digits();
    }
    if ((this.peek() | 0x20) === 0x65) {
      isFloat = true;
      this.position++;
      if (this.peek() === 0x2b || this.peek() === 0x2d) this.position++;
      this.digits();
    }
    const text = this.buffer.toString('latin1', from, this.position);
    return isFloat || text === '-0' ? Number(text) : integerOf(text);
  }

  private digits(): void {
    if (!isDigit(this.peek())) this.fail('expected a digit');
    while (isDigit(this.peek())) this.position++;
  }

  private literal(text: string, value: boolean | null): Value {
    for (let i = 0; i < text.length; i++) {
      if (this.peek() !== text.charCodeAt(i)) this.fail('expected a value');
      this.position++;
    }
    return value;
  }

  private enter(): void {
    if (++this.depth > JSON_DEPTH_MAX) {
      throw dataErrors.tooDeep({ limit: JSON_DEPTH_MAX, position: this.position - this.start });
    }
  }

  private leave(value: Value): Value {
    this.depth--;
    this.position++;
    return value;
  }

  private take(byte: number, reason: string): void {
    if (this.peek() !== byte) this.fail(reason);
    this.position++;
  }

  private peek(): number {
    return this.position < this.end ? this.bytes[this.position]! : -1;
  }

  private skipSpace(): void {
    for (;;) {
      const byte = this.peek();
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.position++;
    }
  }

  private fail(reason: string, at = this.position): never {
    throw dataErrors.malformedJson({ position: at - this.start, reason });
  }
}

function integerOf(text: string): Value {
  if (text.length <= SAFE_DIGITS) return BigInt(Number(text));
  const exact = BigInt(text);
  return exact >= INT_MIN && exact <= UINT_MAX ? exact : text;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function hexDigit(byte: number): number {
  if (isDigit(byte)) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
