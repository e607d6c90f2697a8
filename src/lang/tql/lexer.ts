/**
 * TQL's tokens. Total: every text gives tokens, errors are diagnostics, and the spans of tokens never overlap.
 *
 * A newline ends a statement, except inside ( ), [ ] and the braces of records; which braces those are only the parser
 * knows, so newlines are tokens and the parser skips them where they mean nothing. A backslash at a line's end joins it
 * with the next.
 */
import type { Diagnostic, Span } from '../../base/index.ts';
import {
  Blob,
  Duration,
  durationUnit,
  readDuration,
  readIp,
  readSubnet,
  readTime,
  type Value,
} from '../../data/index.ts';
import { diagnose } from './errors.ts';

export type TokenKind = 'newline' | 'name' | 'variable' | 'meta' | 'literal' | 'format' | 'symbol' | 'end';

export interface Token {
  readonly kind: TokenKind;
  readonly span: Span;
  /** Name without `$` or `@`, or the symbol. */
  readonly text: string;
  readonly value: Value | undefined;
  /** Of a format string: texts and the spans of its expressions. */
  readonly parts: readonly (string | Span)[] | undefined;
}

const SYMBOLS = [
  '...',
  '..',
  '=>',
  '==',
  '!=',
  '<=',
  '>=',
  '::',
  '|',
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  ',',
  '.',
  '=',
  '<',
  '>',
  '+',
  '-',
  '*',
  '/',
  '?',
  ':',
];
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const TIME = /\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?/y;
const IPV4 = /\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?/y;
const IPV6 = /(?:[0-9a-fA-F]{0,4}:){2,8}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]{0,4})(?:\/\d{1,3})?/y;
const NUMBER = /\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?/y;
const UNIT = /[A-Za-z]+/y;
const SCALE: Readonly<Record<string, number>> = {
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '0': '\0',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
  e: '\x1b',
  '"': '"',
  "'": "'",
  '\\': '\\',
};

export function lex(
  text: string,
  start = 0,
  end = text.length,
): { readonly tokens: Token[]; readonly diagnostics: Diagnostic[] } {
  const lexer = new Lexer(text, start, end);
  lexer.run();
  return { tokens: lexer.tokens, diagnostics: lexer.diagnostics };
}

class Lexer {
  readonly tokens: Token[] = [];
  readonly diagnostics: Diagnostic[] = [];
  private readonly text: string;
  private readonly end: number;
  private at: number;

  constructor(text: string, start: number, end: number) {
    this.text = text;
    this.at = start;
    this.end = end;
  }

  run(): void {
    while (this.at < this.end) this.next();
    this.push('end', this.end, '');
  }

  private next(): void {
    const char = this.text[this.at]!;
    if (char === ' ' || char === '\t' || char === '\r') this.at++;
    else if (char === '\n') this.push('newline', this.at + 1, '\n');
    else if (char === '\\' && /^\\[ \t\r]*\n/.test(this.text.slice(this.at, this.at + 64)))
      this.at = this.text.indexOf('\n', this.at) + 1;
    else if (this.text.startsWith('//', this.at)) this.at = this.lineEnd();
    else if (this.text.startsWith('/*', this.at)) this.blockComment();
    else this.token(char);
  }

  private token(char: string): void {
    const prefix = /^(?:br|b|r|f)?(?:#*)["']/.exec(this.text.slice(this.at, Math.min(this.end, this.at + 260)));
    if (prefix) {
      this.string(prefix[0]);
      return;
    }
    if (this.address() || (/\d/.test(char) && this.number())) return;
    if (char === '$' || char === '@') {
      const name = this.match(NAME, this.at + 1);
      if (name !== undefined) {
        this.push(char === '$' ? 'variable' : 'meta', this.at + 1 + name.length, name);
        return;
      }
    }
    const name = this.match(NAME, this.at);
    if (name !== undefined) {
      this.push('name', this.at + name.length, name);
      return;
    }
    const symbol = SYMBOLS.find(candidate => this.text.startsWith(candidate, this.at));
    if (symbol !== undefined) {
      this.push('symbol', this.at + symbol.length, symbol);
      return;
    }
    const bad = String.fromCodePoint(this.text.codePointAt(this.at)!);
    this.report('unexpectedCharacter', this.at, this.at + bad.length, { char: bad });
    this.at += bad.length;
  }

  /** Times and addresses: what looks like one and is one. */
  private address(): boolean {
    const time = this.match(TIME, this.at);
    if (time !== undefined) {
      const value = readTime(time);
      if (!value) this.report('badTime', this.at, this.at + time.length, { text: time });
      return this.literal(time, value ?? null);
    }
    const v4 = this.match(IPV4, this.at);
    if (v4 !== undefined && this.literal(v4, v4.includes('/') ? readSubnet(v4) : readIp(v4))) return true;
    // `pkg::op` is a path: an IPv6 text is tried only where no name or `::` stands right before.
    const before = this.tokens.at(-1);
    const isPath = before?.span.end === this.at && (before.kind === 'name' || before.text === '::');
    const v6 = isPath ? undefined : this.match(IPV6, this.at);
    return v6 !== undefined && this.literal(v6, v6.includes('/') ? readSubnet(v6) : readIp(v6));
  }

  private literal(text: string, value: Value | undefined): boolean {
    if (value === undefined) return false;
    this.push('literal', this.at + text.length, text, value);
    return true;
  }

  private number(): boolean {
    const start = this.at;
    const digits = this.match(NUMBER, start)!;
    const unit = this.match(UNIT, start + digits.length);
    const plain = digits.replaceAll('_', '');
    if (unit === undefined) return this.literal(digits, /[.eE]/.test(plain) ? Number(plain) : integer(plain));
    const scale = SCALE[unit];
    if (scale !== undefined) {
      const isWhole = !/[.eE]/.test(plain);
      return this.literal(
        digits + unit,
        isWhole ? ranged(BigInt(plain) * BigInt(scale)) : scaled(Number(plain) * scale),
      );
    }
    // A duration may go on: 2h30min.
    const rest = /^\d[\d_]*(?:\.\d+)?[a-z]+(?:\d[\d_]*(?:\.\d+)?[a-z]+)*/.exec(
      this.text.slice(start, Math.min(this.end, start + 200)),
    );
    const duration = rest && durationUnit(unit) !== undefined ? readDuration(rest[0]) : undefined;
    if (rest && duration instanceof Duration) return this.literal(rest[0], duration);
    const whole = digits + unit;
    this.report('badNumber', start, start + whole.length, { text: whole });
    return this.literal(whole, null);
  }

  private string(opening: string): void {
    const start = this.at;
    const quote = opening.at(-1)!;
    const hashes = (opening.match(/#/g) ?? []).length;
    const isRaw = opening.includes('r') || hashes > 0;
    const isBlob = opening.startsWith('b');
    const closing = quote + '#'.repeat(hashes);
    this.at += opening.length;
    if (isRaw) {
      const close = this.text.indexOf(closing, this.at);
      const isClosed = close >= 0 && close < this.end;
      if (!isClosed) this.report('unterminatedString', start, start + opening.length);
      const text = this.text.slice(this.at, isClosed ? close : this.lineEnd());
      const body = isBlob ? utf8Bytes(text) : text;
      this.finishString(start, isClosed ? close + closing.length : this.lineEnd(), body, isBlob);
      return;
    }
    if (opening.startsWith('f')) this.format(start, quote);
    else {
      const body = this.escaped(quote, start, undefined, isBlob);
      this.finishString(start, this.at, body, isBlob);
    }
  }

  private finishString(start: number, end: number, body: string, isBlob: boolean): void {
    this.at = start;
    this.push('literal', end, '', isBlob ? new Blob(new Uint8Array(Buffer.from(body, 'latin1'))) : body);
  }

  /**
   * Text up to the closing quote, or to a brace when `onBrace` is given; `at` stands behind what was read. Of a blob a
   * character for each byte: `\xHH` is one byte, everything else the bytes of its UTF-8 form.
   */
  private escaped(quote: string, start: number, onBrace: (() => boolean) | undefined, isBlob = false): string {
    let body = '';
    while (this.at < this.end) {
      const char = this.text[this.at]!;
      if (char === quote) {
        this.at++;
        return body;
      }
      if (char === '\n') break;
      if (char === '\\') body += this.escape(isBlob);
      else if (onBrace && (char === '{' || char === '}')) {
        if (this.text[this.at + 1] === char) {
          body += char;
          this.at += 2;
        } else if (onBrace()) return body;
        else body += char;
      } else {
        const text = isBlob ? String.fromCodePoint(this.text.codePointAt(this.at)!) : char;
        body += isBlob ? utf8Bytes(text) : text;
        this.at += text.length;
      }
    }
    this.report('unterminatedString', start, Math.min(this.end, start + 1));
    return body;
  }

  private escape(isBlob: boolean): string {
    const rest = this.text.slice(this.at, Math.min(this.end, this.at + 12));
    const hex = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|u\{([0-9a-fA-F]{1,6})\})/.exec(rest);
    if (hex) {
      const code = Number.parseInt(hex[1] ?? hex[2] ?? hex[3] ?? hex[4]!, 16);
      if (code > 0x10ffff) this.report('badEscape', this.at, this.at + hex[0].length, { escape: hex[0] });
      this.at += hex[0].length;
      const text = code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
      return isBlob && hex[1] === undefined ? utf8Bytes(text) : text;
    }
    const simple = ESCAPES[rest[1] ?? ''];
    const after = Math.min(this.end, this.at + 2);
    if (simple === undefined) this.report('badEscape', this.at, after, { escape: rest.slice(0, 2) });
    this.at = after;
    return simple ?? '';
  }

  /** `f"text {expr} {{literal}}"`; an expression ends at its matching brace, quotes inside it are its own. */
  private format(start: number, quote: string): void {
    const parts: (string | Span)[] = [];
    let isOpen = true;
    while (isOpen && this.at < this.end) {
      let hitBrace = false;
      const body = this.escaped(quote, start, () => {
        hitBrace = this.text[this.at] === '{';
        if (!hitBrace) this.at++;
        return hitBrace;
      });
      if (body !== '') parts.push(body);
      if (!hitBrace) {
        isOpen = false;
        break;
      }
      const from = ++this.at;
      this.skipExpression();
      parts.push({ start: from, end: this.at });
      if (this.text[this.at] === '}') this.at++;
      else isOpen = false;
    }
    const end = this.at;
    this.at = start;
    this.push('format', end, '', undefined, parts);
  }

  private skipExpression(): void {
    let depth = 0;
    while (this.at < this.end) {
      const char = this.text[this.at]!;
      if (char === '"' || char === "'") {
        const close = this.text.indexOf(char, this.at + 1);
        this.at = close < 0 ? this.end : close + 1;
        continue;
      }
      if (char === '{') depth++;
      if (char === '}' && depth-- === 0) return;
      if (char === '\n') return;
      this.at++;
    }
  }

  private blockComment(): void {
    const close = this.text.indexOf('*/', this.at + 2);
    if (close < 0 || close >= this.end) this.report('unterminatedComment', this.at, this.at + 2);
    this.at = close < 0 ? this.end : Math.min(this.end, close + 2);
  }

  private lineEnd(): number {
    const end = this.text.indexOf('\n', this.at);
    return end < 0 || end > this.end ? this.end : end;
  }

  private match(pattern: RegExp, at: number): string | undefined {
    pattern.lastIndex = at;
    const found = pattern.exec(this.text)?.[0];
    return found !== undefined && at + found.length <= this.end ? found : undefined;
  }

  private push(kind: TokenKind, end: number, text: string, value?: Value, parts?: readonly (string | Span)[]): void {
    this.tokens.push({ kind, span: { start: this.at, end }, text, value, parts });
    this.at = end;
  }

  private report(
    name: Parameters<typeof diagnose>[0],
    start: number,
    end: number,
    details?: Record<string, string>,
  ): void {
    this.diagnostics.push(diagnose(name, { start, end }, details));
  }
}

/** A character for each byte of the UTF-8 form. */
function utf8Bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function integer(digits: string): Value {
  return ranged(BigInt(digits));
}

/** What is beyond 64 bits is a float. */
function ranged(value: bigint): Value {
  return value < 2n ** 64n ? value : Number(value);
}

function scaled(value: number): Value {
  return Number.isSafeInteger(value) ? BigInt(value) : value;
}
