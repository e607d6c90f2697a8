/**
 * A user's text with its name: offsets to lines and columns, both from 1. Columns count characters (Unicode code points), so
 * that an accent or an emoji is one, as an editor shows it; offsets count UTF-16 units, as strings do.
 */

const REPLACEMENT = '\ufffd';

export class SourceText {
  readonly file: string;
  readonly text: string;
  /** Where the bytes that the text came from cease to be UTF-8. */
  readonly invalidAt: number | undefined;
  private readonly lineStarts: readonly number[];

  constructor(file: string, text: string, invalidAt?: number) {
    this.file = file;
    this.text = text;
    this.invalidAt = invalidAt;
    const starts = [0];
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
    this.lineStarts = starts;
  }

  /** A file's content: UTF-8, with or without a byte order mark. */
  static fromBytes(file: string, bytes: Uint8Array): SourceText {
    const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
    const content = hasMark ? bytes.subarray(3) : bytes;
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(content);
    return new SourceText(file, text, invalidAt(content, text));
  }

  position(offset: number): { readonly line: number; readonly column: number } {
    let low = 0;
    let high = this.lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.lineStarts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: this.characters(this.lineStarts[low]!, offset) + 1 };
  }

  /** Characters between two offsets. */
  characters(start: number, end: number): number {
    let count = 0;
    for (let at = start; at < end; count++) at += (this.text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
    return count;
  }

  /** Offset at which a line begins; the text's end for lines behind it. */
  lineStart(number: number): number {
    return this.lineStarts[number - 1] ?? this.text.length;
  }

  /** Text of a line without its end; lines count from 1. */
  line(number: number): string {
    const start = this.lineStart(number);
    const end = this.lineStarts[number] ?? this.text.length + 1;
    return this.text.slice(start, end - 1).replace(/\r$/, '');
  }
}

/** A character of replacement that the bytes do not have themselves. */
function invalidAt(bytes: Uint8Array, text: string): number | undefined {
  let byte = 0;
  let from = 0;
  for (let at = text.indexOf(REPLACEMENT); at >= 0; at = text.indexOf(REPLACEMENT, at + 1)) {
    byte += Buffer.byteLength(text.slice(from, at));
    if (bytes[byte] !== 0xef || bytes[byte + 1] !== 0xbf || bytes[byte + 2] !== 0xbd) return at;
    from = at;
  }
  return undefined;
}
