/** Terminal output: data on stdout, all else on stderr; colour only where it is wanted. */
import { type Diagnostic, MillraceError } from '../base/index.ts';
import { type Palette, printDiagnostic, type SourceText } from '../lang/index.ts';

const wantsColour = (): boolean => {
  const { env, stderr } = process;
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false;
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0') return true;
  return stderr.isTTY === true && env['TERM'] !== 'dumb';
};

const paint = (code: number) => (text: string) => (wantsColour() ? `\x1b[${code}m${text}\x1b[0m` : text);

export const palette: Palette = { error: paint(31), warning: paint(33), accent: paint(36), bold: paint(1) };

export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

export function printDiagnostics(diagnostics: readonly Diagnostic[], source: SourceText): void {
  for (const diagnostic of diagnostics) note(`${printDiagnostic(diagnostic, source, palette)}\n`);
}

/** Prints an error as people need it and returns the exit code. */
export function reportError(error: unknown): number {
  if (error instanceof MillraceError) {
    note(`${palette.error(`error[${error.code}]`)}: ${error.message}`);
    note(`help: ${error.help}`);
    return error.row.exit ?? 1;
  }
  note(`${palette.error('error')}: ${error instanceof Error ? error.message : String(error)}`);
  return 1;
}

/** Rows in columns as wide as their longest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  return rows
    .map(row =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
