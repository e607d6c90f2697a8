/** Diagnostics as commands print them. A module of its own, because it loads the languages. */
import type { Diagnostic } from '../base/index.ts';
import { excerpt, printDiagnostic, type SourceText } from '../lang/index.ts';
import { palette } from './output.ts';

/** A diagnostic about a program, as the language prints it. */
export function diagnosticText(diagnostic: Diagnostic, source: SourceText): string {
  return `${printDiagnostic(diagnostic, source, palette)}\n`;
}

/** A diagnostic about a configuration: with its code, the place marked, and what to do. */
export function configDiagnosticText(diagnostic: Diagnostic, source: SourceText | undefined): string {
  const { code, file, hints = [], message, notes = [], span } = diagnostic;
  const place = source && span ? excerpt(diagnostic, source, palette) : file === undefined ? [] : [` --> ${file}`];
  const lines = [
    `${palette.error(`error[${code}]`)}: ${palette.bold(message)}`,
    ...place,
    ...notes.map(text => `note: ${text}`),
    ...hints.map(text => `help: ${text}`),
    `see: millrace explain ${code}`,
  ];
  return `${lines.join('\n')}\n`;
}
