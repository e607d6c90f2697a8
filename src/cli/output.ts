/** Output of commands: data on stdout, all else on stderr. */
import { MillraceError } from '../base/index.ts';
import type { Palette } from '../lang/index.ts';
import { EXIT } from './exit-codes.ts';
import { asciiText, type ColourChoice, isUtf8, wantsColour } from './terminal.ts';

let colour: ColourChoice = 'auto';

/** What `--color` says. */
export function setColour(choice: ColourChoice): void {
  colour = choice;
}

const paint = (code: number) => (text: string) =>
  wantsColour(colour, process.env, process.stderr.isTTY === true) ? `\x1b[${code}m${text}\x1b[0m` : text;

export const palette: Palette & { dim(text: string): string; good(text: string): string } = {
  error: paint(31),
  warning: paint(33),
  accent: paint(36),
  bold: paint(1),
  dim: paint(2),
  good: paint(32),
};

/** A text to stderr as it is, in ASCII where the locale is not UTF-8. */
export function say(text: string): void {
  process.stderr.write(isUtf8(process.env) ? text : asciiText(text));
}

export function note(line: string): void {
  say(`${line}\n`);
}

export function data(text: string): void {
  process.stdout.write(text);
}

/** Prints an error as people need it and returns the exit code. */
export function reportError(error: unknown): number {
  if (error instanceof MillraceError) {
    note(`${palette.error(`error[${error.code}]`)}: ${palette.bold(error.message)}`);
    note(`help: ${error.help}`);
    if (error.row.exit !== EXIT.usage) note(`see: millrace explain ${error.code}`);
    return error.row.exit ?? EXIT.failed;
  }
  // Not foreseen, so a defect: the stack is what its report needs.
  note(`${palette.error('error')}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  note('help: this is a defect of Millrace; please report it with the lines above');
  return EXIT.failed;
}

export type Cell = string | number | boolean | null;
export type Row = Readonly<Record<string, Cell>>;
export type Format = 'table' | 'json' | 'ndjson';

/** A list: `json` is one document, `ndjson` one object a line, `table` columns in the order of `columns`. */
export function listText(format: Format, columns: readonly string[], rows: readonly Row[]): string {
  if (format === 'json') return `${JSON.stringify(rows, null, 2)}\n`;
  if (format === 'ndjson') return rows.map(row => `${JSON.stringify(row)}\n`).join('');
  const header = columns.map(column => column.toUpperCase().replaceAll('_', ' '));
  const cells = rows.map(row => columns.map(column => (row[column] === null ? '-' : String(row[column] ?? ''))));
  const isNumeric = columns.map(column => rows.length > 0 && rows.every(row => typeof (row[column] ?? 0) === 'number'));
  return `${table([header, ...cells], isNumeric)}\n`;
}

/** Rows in columns as wide as their longest cell; numbers to the right. */
export function table(rows: readonly (readonly string[])[], isRight: readonly boolean[] = [], gap = 2): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  const pad = (cell: string, i: number): string => (isRight[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!));
  return rows.map(row => row.map(pad).join(' '.repeat(gap)).trimEnd()).join('\n');
}
