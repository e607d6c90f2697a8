/**
 * Which bracket closes which, and where reading can go on behind an error.
 *
 * Brackets match by kind: `}` closes the nearest open `{` and leaves a `(` in between unclosed, so one that is missing or
 * too many confuses no other. A statement with a bracket that is never closed ends with the line before the error: the
 * lines behind are most likely statements of their own.
 *
 * Invariants
 * I1 all of it is linear in the number of tokens; a step of recovery only looks at tokens that nobody reads again.
 */
import type { Token } from './lexer.ts';

const CLOSES: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };

export class Brackets {
  private readonly tokens: readonly Token[];
  /** For each bracket the one that it belongs to; undefined for one alone. */
  private readonly partner: (number | undefined)[] = [];

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
    const open: number[] = [];
    const waiting: Record<string, number> = { '(': 0, '[': 0, '{': 0 };
    tokens.forEach(({ kind, text }, i) => {
      if (kind !== 'symbol') return;
      if (text in waiting) {
        open.push(i);
        waiting[text]!++;
        return;
      }
      const wanted = CLOSES[text];
      if (wanted === undefined || waiting[wanted] === 0) return;
      for (;;) {
        const opening = open.pop()!;
        const kindOf = tokens[opening]!.text;
        waiting[kindOf]!--;
        if (kindOf !== wanted) continue;
        this.partner[opening] = i;
        this.partner[i] = opening;
        return;
      }
    });
  }

  /** The bracket that closes the one at `index`. */
  closing(index: number): number | undefined {
    return this.partner[index];
  }

  /**
   * Where to go on after an error at `error` in what began at `from`: the first token behind that ends it, at the same
   * depth. A bracket that encloses `from` ends it in any case.
   */
  behind(from: number, error: number, ends: (token: Token) => boolean): number {
    if (this.tokens[error]!.kind === 'end') return error;
    const unclosed = this.firstUnclosed(from, error);
    if (unclosed !== undefined) {
      for (let i = error - 1; i > unclosed; i--) if (this.tokens[i]!.kind === 'newline') return i;
    }
    for (let i = this.outOf(from, error); ; i++) {
      const token = this.tokens[i]!;
      if (token.kind === 'end' || ends(token)) return i;
      const partner = this.partner[i];
      if (partner === undefined) continue;
      if (partner < from) return i;
      if (partner > i) i = partner;
    }
  }

  /** The `{` that opens a body behind an error in what stands before it: on the same line, or where the next one begins. */
  bodyBehind(from: number, error: number): number | undefined {
    const isBrace = ({ kind, text }: Token): boolean => kind === 'symbol' && text === '{';
    let found = this.behind(from, error, token => token.kind === 'newline' || isBrace(token));
    while (this.tokens[found]!.kind === 'newline') found++;
    return isBrace(this.tokens[found]!) && this.partner[found] !== undefined ? found : undefined;
  }

  private firstUnclosed(from: number, to: number): number | undefined {
    for (let i = from; i < to; i++) {
      const { kind, text } = this.tokens[i]!;
      if (kind === 'symbol' && (text === '(' || text === '[' || text === '{') && this.partner[i] === undefined)
        return i;
    }
    return undefined;
  }

  /** Behind the outermost bracket since `from` that encloses `index`; `index` itself when there is none. */
  private outOf(from: number, index: number): number {
    for (let i = from; i < index; i++) {
      const partner = this.partner[i];
      if (partner === undefined || partner < i) continue;
      if (partner >= index) return partner + 1;
      i = partner;
    }
    return index;
  }
}
