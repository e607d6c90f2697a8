/** A user's text with its name: offsets to lines and columns (both from 1, columns in UTF-16 units). */

export class SourceText {
  readonly file: string;
  readonly text: string;
  private readonly lineStarts: readonly number[];

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
    const starts = [0];
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
    this.lineStarts = starts;
  }

  position(offset: number): { readonly line: number; readonly column: number } {
    let low = 0;
    let high = this.lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.lineStarts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - this.lineStarts[low]! + 1 };
  }

  /** Text of a line without its end; lines count from 1. */
  line(number: number): string {
    const start = this.lineStarts[number - 1] ?? this.text.length;
    const end = this.lineStarts[number] ?? this.text.length + 1;
    return this.text.slice(start, end - 1).replace(/\r$/, '');
  }
}
