/**
 * TQL's tokens. Total: every text gives tokens, errors are diagnostics, and the spans of tokens never overlap.
 *
 * A newline ends a statement, except inside ( ), [ ] and the braces of records; which braces those are only the parser
 * knows, so newlines are tokens and the parser skips them where they mean nothing. A backslash at a line's end joins it
 * with the next. The expressions of a format string are tokens inside its token, so that quotes and braces in them are
 * their own.
 *
 * Invariants
 * I1 every step moves on by a character at least, and nothing is read twice but to the next quote: time is linear.
 * I2 format strings inside format strings are bounded by `NESTING_MAX`.
 */
import type { Diagnostic, Span } from '../../base/index.ts';
import { Blob, Duration, readDuration, readIp, readSubnet, readTime, type Value } from '../../data/index.ts';
import { diagnose, TEXTS } from './errors.ts';

export type TokenKind = 'newline' | 'name' | 'variable' | 'meta' | 'literal' | 'format' | 'symbol' | 'end';

export interface Token {
  readonly kind: TokenKind;
  readonly span: Span;
  /** Name without `$` or `@`, or the symbol. */
  readonly text: string;
  readonly value: Value | undefined;
  /** Of a format string: its texts, and the tokens of its expressions, each list with an `end`. */
  readonly parts: readonly (string | readonly Token[])[] | undefined;
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
/** What stands for a name, right or wrong. */
const WORD = /[\p{L}_][\p{L}\p{M}\p{N}_]*/uy;
const TIME = /\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|UTC|GMT|UT|[+-]\d{2}:?\d{2})?)?(?!\w)/y;
const LIKE_TIME = /\d{4}-\d{2}-\d{2}[\w:]*/y;
const IPV4 = /\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?(?!\w)/y;
const IPV6 = /(?:[0-9a-fA-F]{0,4}:){2,8}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]{0,4})(?:\/\d{1,3})?(?!\w)/y;
/** `abc::f(1)` and `abc::$x` are paths, though `abc::f` and `abc::` are addresses, too. */
const PATH = /[A-Za-z_]\w*::(?:\w+\(|\$)/y;
const NAME_FIRST = /^[A-Za-z]/;
/** What may follow a string that goes over several lines. */
const FOLLOWS_STRING = /[\s,.)\]}|:?+*/=!<>-]/;
const NESTING_MAX = 50;
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
  const lexer = new Lexer(text, start, end, [], 0);
  lexer.run();
  const diagnostics = lexer.diagnostics.sort((a, b) => a.span!.start - b.span!.start);
  return { tokens: lexer.tokens, diagnostics };
}

class Lexer {
  readonly tokens: Token[] = [];
  readonly diagnostics: Diagnostic[];
  at: number;
  private readonly text: string;
  private readonly end: number;
  private readonly nesting: number;
  /** Ends of raw strings that the rest of the text has not. */
  private readonly absent = new Set<string>();

  constructor(text: string, start: number, end: number, diagnostics: Diagnostic[], nesting: number) {
    this.text = text;
    this.at = start;
    this.end = end;
    this.diagnostics = diagnostics;
    this.nesting = nesting;
  }

  run(): void {
    while (this.at < this.end) this.next();
    this.push('end', this.end, '');
  }

  /** An expression of a format string: up to the brace that closes it, or the line's end. */
  private runInside(): void {
    let depth = 0;
    while (this.at < this.end && this.text[this.at] !== '\n') {
      if (this.text[this.at] === '}' && depth === 0) break;
      const before = this.tokens.length;
      this.next();
      const token = this.tokens[before];
      if (token?.kind === 'symbol') depth += token.text === '{' ? 1 : token.text === '}' ? -1 : 0;
    }
    this.push('end', this.at, '');
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
    const prefix = /^(?:b|f|b?r#*)?["']/.exec(this.text.slice(this.at, Math.min(this.end, this.at + 260)));
    if (prefix) {
      this.string(prefix[0]);
      return;
    }
    if (this.timeOrAddress() || (/\d/.test(char) && this.number())) return;
    if (char === '$' || char === '@') {
      const name = this.match(NAME, this.at + 1);
      if (name !== undefined) {
        this.push(char === '$' ? 'variable' : 'meta', this.at + 1 + name.length, name);
        return;
      }
    }
    const word = this.match(WORD, this.at);
    if (word !== undefined) {
      if (this.match(NAME, this.at) !== word) this.report('badName', this.at, this.at + word.length, { name: word });
      this.push('name', this.at + word.length, word);
      return;
    }
    const symbol = SYMBOLS.find(candidate => this.text.startsWith(candidate, this.at));
    if (symbol !== undefined) {
      this.push('symbol', this.at + symbol.length, symbol);
      return;
    }
    const bad = String.fromCodePoint(this.text.codePointAt(this.at)!);
    const last = this.diagnostics.at(-1);
    const isMore = last?.code === TEXTS.unexpectedCharacter[0] && last.span?.end === this.at;
    if (isMore)
      this.diagnostics[this.diagnostics.length - 1] = { ...last, span: { ...last.span, end: this.at + bad.length } };
    else this.report('unexpectedCharacter', this.at, this.at + bad.length, { char: printable(bad) });
    this.at += bad.length;
  }

  /** Times and addresses: what looks like one is one, or wrong. */
  private timeOrAddress(): boolean {
    const time = this.match(TIME, this.at) ?? this.match(LIKE_TIME, this.at);
    if (time !== undefined) return this.checked('badTime', time, readTime(time));
    // `pkg::op` is a path: an IPv6 text is tried only where no name or `::` stands right before.
    const before = this.tokens.at(-1);
    const isInPath = before?.span.end === this.at && (before.kind === 'name' || before.text === '::');
    const isPath = isInPath || this.match(PATH, this.at) !== undefined;
    const address = this.match(IPV4, this.at) ?? (isPath ? undefined : this.match(IPV6, this.at));
    if (address === undefined) return false;
    const value = address.includes('/') ? readSubnet(address) : readIp(address);
    // `abc::def::f` is no address: a path again.
    if (value === undefined && NAME_FIRST.test(address)) return false;
    return this.checked('badAddress', address, value);
  }

  private checked(error: 'badTime' | 'badAddress' | 'badNumber', text: string, value: Value | undefined): boolean {
    if (value === undefined) this.report(error, this.at, this.at + text.length, { text });
    return this.literal(text, value ?? null);
  }

  private literal(text: string, value: Value): boolean {
    this.push('literal', this.at + text.length, text, value);
    return true;
  }

  private number(): boolean {
    const start = this.at;
    const digits = this.match(NUMBER, start)!;
    const unit = this.match(UNIT, start + digits.length);
    const plain = digits.replaceAll('_', '');
    const scale = unit === undefined ? 1 : Object.hasOwn(SCALE, unit) ? SCALE[unit]! : undefined;
    if (scale !== undefined) {
      const value: bigint | number = /[.eE]/.test(plain)
        ? Number(plain) * scale
        : ranged(BigInt(plain) * BigInt(scale));
      const isWhole = unit !== undefined && Number.isSafeInteger(value);
      const known = Number.isFinite(Number(value)) ? (isWhole ? BigInt(Number(value)) : value) : undefined;
      return this.checked('badNumber', digits + (unit ?? ''), known);
    }
    // A duration may go on: 2h30min.
    const rest = /^\d[\d_]*(?:\.\d+)?[a-z]+(?:\d[\d_]*(?:\.\d+)?[a-z]+)*/.exec(
      this.text.slice(start, Math.min(this.end, start + 200)),
    );
    const duration = rest ? (readDuration(rest[0]) ?? this.leastDuration(rest[0])) : undefined;
    if (duration) return this.literal(rest![0], duration);
    return this.checked('badNumber', digits + this.match(NAME, start + digits.length)!, undefined);
  }

  /** Behind a minus sign the size of the least duration, which by itself is beyond the greatest one. */
  private leastDuration(text: string): Duration | undefined {
    const least = this.tokens.at(-1)?.text === '-' ? readDuration(`-${text}`) : undefined;
    return least && new Duration(-least.ns);
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
      const close = this.absent.has(closing) ? -1 : this.text.indexOf(closing, this.at);
      if (close < 0) this.absent.add(closing);
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
      if (char === '\n' && (onBrace || !this.closesBehind(quote))) break;
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

  /**
   * Whether the string goes on over the line's end. What merely lacks its closing quote must not swallow the next string:
   * the next quote closes this one when what follows looks so and the quotes of its line are paired.
   */
  private closesBehind(quote: string): boolean {
    let close = this.at;
    do close = this.text.indexOf(quote, close + 1);
    while (close > 0 && this.text[close - 1] === '\\');
    if (close < 0 || close >= this.end) return false;
    const newline = this.text.indexOf('\n', close);
    const rest = this.text.slice(close + 1, newline < 0 ? this.end : newline);
    const isPaired = rest.replace(/\\./g, '').split(quote).length % 2 === 1;
    return isPaired && (rest === '' || FOLLOWS_STRING.test(rest[0]!));
  }

  private escape(isBlob: boolean): string {
    const rest = this.text.slice(this.at, Math.min(this.end, this.at + 12));
    const hex = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|u\{([0-9a-fA-F]{1,6})\})/.exec(rest);
    if (hex) {
      const start = this.at;
      const code = Number.parseInt(hex[1] ?? hex[2] ?? hex[3] ?? hex[4]!, 16);
      this.at += hex[0].length;
      const text = this.character(code);
      if (text === undefined) this.report('badEscape', start, this.at, { escape: hex[0] });
      if (text === undefined) return '';
      return isBlob && hex[1] === undefined ? utf8Bytes(text) : text;
    }
    const simple = ESCAPES[rest[1] ?? ''];
    const after = Math.min(this.end, this.at + 2);
    if (simple === undefined) this.report('badEscape', this.at, after, { escape: rest.slice(0, 2) });
    this.at = after;
    return simple ?? '';
  }

  /** The character of an escape, of two where they are a pair of surrogates; undefined when there is none. */
  private character(code: number): string | undefined {
    if (code > 0x10ffff) return undefined;
    if (code < 0xd800 || code > 0xdfff) return String.fromCodePoint(code);
    const low = /^\\u([dD][c-fC-F][0-9a-fA-F]{2})/.exec(this.text.slice(this.at, Math.min(this.end, this.at + 6)));
    if (code > 0xdbff || !low) return undefined;
    this.at += 6;
    return String.fromCharCode(code, Number.parseInt(low[1]!, 16));
  }

  /** `f"text {expr} {{literal}}"`; an expression ends at its matching brace. */
  private format(start: number, quote: string): void {
    const parts: (string | readonly Token[])[] = [];
    if (this.nesting >= NESTING_MAX) {
      this.report('tooDeep', start, this.at, { limit: NESTING_MAX });
      this.finishString(start, this.lineEnd(), '', false);
      return;
    }
    for (;;) {
      let hitBrace = false;
      const body = this.escaped(quote, start, () => {
        hitBrace = this.text[this.at] === '{';
        if (!hitBrace) this.at++;
        return hitBrace;
      });
      if (body !== '') parts.push(body);
      if (!hitBrace) break;
      this.at++;
      const inside = new Lexer(this.text, this.at, this.end, this.diagnostics, this.nesting + 1);
      const before = this.diagnostics.length;
      inside.runInside();
      parts.push(inside.tokens);
      this.at = inside.at;
      if (this.text[this.at] === '}' && this.at < this.end) {
        this.at++;
        continue;
      }
      if (this.diagnostics.length === before) this.report('unterminatedString', start, start + 1);
      break;
    }
    const end = this.at;
    this.at = start;
    this.push('format', end, '', undefined, parts);
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

  private push(kind: TokenKind, end: number, text: string, value?: Value, parts?: Token['parts']): void {
    this.tokens.push({ kind, span: { start: this.at, end }, text, value, parts });
    this.at = end;
  }

  private report(
    name: Parameters<typeof diagnose>[0],
    start: number,
    end: number,
    details?: Record<string, string | number>,
  ): void {
    this.diagnostics.push(diagnose(name, { start, end }, details));
  }
}

/** A character for each byte of the UTF-8 form. */
function utf8Bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** A character for the eye, even one that has no form. */
function printable(char: string): string {
  const code = char.codePointAt(0)!;
  const isVisible = code > 0x20 && code !== 0x7f && !(code >= 0x80 && code < 0xa1) && char.isWellFormed();
  return isVisible ? char : `\\u{${code.toString(16)}}`;
}

/** What is beyond 64 bits is a float. */
function ranged(value: bigint): bigint | number {
  return value < 2n ** 64n ? value : Number(value);
}
