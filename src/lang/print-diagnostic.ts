/**
 * Diagnostics as a compiler prints them, and as JSON.
 *
 *   warning: <message>
 *    --> <file>:<line>:<column>
 *     |
 *   3 | where count > 2
 *     |       ~~~~~~~~~
 *     |
 *     = note: …
 *     = hint: …
 *
 * `^` underlines errors, `~` warnings, `-` other places; a gap between two lines is `⋮`; the gutter is as wide as the
 * largest line number; a place of several lines is underlined on its first line, with the length of the whole place.
 * Tabs stand under tabs, and two marks under a character that takes two cells. Of a very long line a part around the place is shown, and of a very long place its beginning.
 */
import { cellsOf, type Diagnostic, type Span } from '../base/index.ts';
import type { SourceText } from './source.ts';

export interface Palette {
  error(text: string): string;
  warning(text: string): string;
  accent(text: string): string;
  bold(text: string): string;
}

const PLAIN: Palette = { error: text => text, warning: text => text, accent: text => text, bold: text => text };

const LINE_LENGTH_MAX = 400;
const SHOWN_BEFORE = 60;
const UNDERLINE_LENGTH_MAX = 2_000;

interface Place {
  readonly line: number;
  readonly column: number;
  readonly length: number;
  readonly mark: '^' | '~' | '-';
  readonly text: string;
}

export function printDiagnostic(
  diagnostic: Diagnostic,
  source: SourceText | undefined,
  palette: Palette = PLAIN,
): string {
  const paint = diagnostic.severity === 'error' ? palette.error : palette.warning;
  const lines = [`${paint(diagnostic.severity)}: ${palette.bold(diagnostic.message)}`];
  const hasPlace = source !== undefined && diagnostic.span !== undefined;
  if (hasPlace) lines.push(...excerpt(diagnostic, source, palette));
  const indent = ' '.repeat(gutterOf(hasPlace ? placesOf(diagnostic, source) : []) + 1);
  for (const note of diagnostic.notes ?? []) lines.push(`${indent}${palette.accent('=')} note: ${note}`);
  for (const hint of diagnostic.hints ?? []) lines.push(`${indent}${palette.accent('=')} hint: ${hint}`);
  return lines.join('\n');
}

/** File, line and column, and the lines with their places marked. */
export function excerpt(diagnostic: Diagnostic, source: SourceText, palette: Palette = PLAIN): string[] {
  const paint = diagnostic.severity === 'error' ? palette.error : palette.warning;
  const places = placesOf(diagnostic, source);
  const gutter = gutterOf(places);
  const bar = `${' '.repeat(gutter + 1)}${palette.accent('|')}`;
  const { column, line } = source.position(diagnostic.span!.start);
  const lines = [`${' '.repeat(gutter)}${palette.accent('-->')} ${source.file}:${line}:${column}`, bar];
  let last: number | undefined;
  let shown = shownOf('', 1);
  for (const place of places) {
    if (last !== undefined && place.line > last + 1) lines.push(`${' '.repeat(gutter)}${palette.accent('⋮')}`);
    if (place.line !== last) shown = shownOf(source.line(place.line), place.column);
    if (place.line !== last)
      lines.push(`${palette.accent(String(place.line).padStart(gutter))} ${palette.accent('|')} ${shown.text}`);
    const under = paint(place.mark.repeat(Math.min(UNDERLINE_LENGTH_MAX, Math.max(1, shown.cells(place)))));
    lines.push(`${bar} ${shown.blank(place.column)}${under}${place.text === '' ? '' : ` ${place.text}`}`);
    last = place.line;
  }
  return [...lines, bar];
}

function gutterOf(places: readonly Place[]): number {
  return String(Math.max(1, ...places.map(place => place.line))).length;
}

function placesOf(diagnostic: Diagnostic, source: SourceText): Place[] {
  const main = diagnostic.severity === 'error' ? '^' : '~';
  const place = (span: Span, mark: Place['mark'], text: string): Place => ({
    ...source.position(span.start),
    length: source.characters(span.start, span.end),
    mark,
    text,
  });
  const places = [place(diagnostic.span!, main, '')];
  for (const { span, text } of diagnostic.secondary ?? []) places.push(place(span, '-', text));
  return places.sort((a, b) => a.line - b.line || a.column - b.column);
}

interface Shown {
  readonly text: string;
  /** What stands under the line before a column. */
  blank(column: number): string;
  /** How many marks a place takes; what lies on further lines counts by characters. */
  cells(place: Place): number;
}

function shownOf(line: string, column: number): Shown {
  const characters = [...line];
  const from = characters.length > LINE_LENGTH_MAX ? Math.max(0, column - 1 - SHOWN_BEFORE) : 0;
  const part = characters.slice(from, from + LINE_LENGTH_MAX);
  const isCut = from + part.length < characters.length;
  const blanks = (count: number): string[] =>
    part.slice(0, count).map(char => (char === '\t' ? char : ' '.repeat(cellsOf(char))));
  return {
    text: `${from > 0 ? '…' : ''}${part.join('')}${isCut ? '…' : ''}`,
    blank: at => `${from > 0 ? ' ' : ''}${blanks(Math.max(0, at - 1 - from)).join('')}`,
    cells: place => {
      const start = Math.max(0, place.column - 1 - from);
      const marked = part.slice(start, start + place.length);
      return marked.reduce((sum, char) => sum + cellsOf(char), place.length - marked.length);
    },
  };
}

/** `line` and `column` as in the printed form: from 1, columns in characters; `endLine`, `endColumn` behind the place. */
export function diagnosticToJson(diagnostic: Diagnostic, source: SourceText): Record<string, unknown> {
  const at = diagnostic.span && source.position(diagnostic.span.start);
  const end = diagnostic.span && source.position(diagnostic.span.end);
  return {
    file: source.file,
    line: at?.line ?? 1,
    column: at?.column ?? 1,
    endLine: end?.line ?? 1,
    endColumn: end?.column ?? 1,
    severity: diagnostic.severity,
    code: diagnostic.code,
    message: diagnostic.message,
    places: (diagnostic.secondary ?? []).map(({ span, text }) => ({ ...source.position(span.start), message: text })),
    notes: diagnostic.notes ?? [],
    hints: diagnostic.hints ?? [],
  };
}
