/**
 * `millrace check`: diagnostics of TQL files and configurations, for people or as JSON.
 *
 *   text   each diagnostic on stderr in the form of `lang/print-diagnostic.ts`, then a line that sums up
 *   json   {"diagnostics": [{"file", "line", "column", "endLine", "endColumn", "severity", "code", "message", …}]} on stdout;
 *          lines and columns count from 1, columns in characters (Unicode code points)
 *
 * Exit codes: 0 no errors (warnings may be there), 3 errors were found, 4 a file is not there, 1 it cannot be read.
 */
import { readFileSync } from 'node:fs';
import { configJsonSchema, parseConfig } from '../../app/index.ts';
import type { Diagnostic } from '../../base/index.ts';
import { builtins } from '../../builtins/index.ts';
import { compileTql, diagnosticToJson, parse, printDiagnostic, SourceText } from '../../lang/index.ts';
import { note, palette } from '../output.ts';

const STANDARD_INPUT = 0;

interface Checked {
  readonly source: SourceText;
  readonly diagnostics: readonly Diagnostic[];
  /** Why the file could not be read, as the system calls it. */
  readonly failure?: string;
}

export function check(
  paths: readonly string[],
  options: { readonly parseOnly?: boolean; readonly format: 'text' | 'json' },
): void {
  const all = paths.map(path => checked(path, options.parseOnly === true));
  const count = (severity: Diagnostic['severity']): number =>
    all.flatMap(({ diagnostics }) => diagnostics).filter(diagnostic => diagnostic.severity === severity).length;
  if (options.format === 'json') {
    const diagnostics = all.flatMap(({ diagnostics: found, source }) =>
      found.map(diagnostic => diagnosticToJson(diagnostic, source)),
    );
    process.stdout.write(`${JSON.stringify({ diagnostics }, null, 2)}\n`);
  } else {
    for (const { diagnostics, source } of all)
      for (const diagnostic of diagnostics) note(`${printDiagnostic(diagnostic, source, palette)}\n`);
    const found = [some(count('error'), 'error'), some(count('warning'), 'warning')].filter(text => text !== '');
    note(`${some(paths.length, 'file')} checked, ${found.join(' and ') || 'no errors'}`);
  }
  const failures = all.flatMap(({ failure }) => failure ?? []);
  if (failures.length > 0) process.exitCode = failures.includes('ENOENT') ? 4 : 1;
  else if (count('error') > 0) process.exitCode = 3;
}

function some(count: number, noun: string): string {
  return count === 0 ? '' : `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function checked(path: string, isParseOnly: boolean): Checked {
  let source: SourceText;
  try {
    const bytes = readFileSync(path === '-' ? STANDARD_INPUT : path);
    source = SourceText.fromBytes(path === '-' ? '<stdin>' : path, bytes);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    const failure = String(error.code);
    const message = `cannot read ${path}: ${REASONS[failure] ?? error.message}`;
    const diagnostic: Diagnostic = { code: 'MR1020', severity: 'error', message };
    return { source: new SourceText(path, ''), diagnostics: [diagnostic], failure };
  }
  return { source, diagnostics: diagnosticsOf(source, isParseOnly) };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
};

function diagnosticsOf(source: SourceText, isParseOnly: boolean): readonly Diagnostic[] {
  if (/\.ya?ml$/.test(source.file)) return parseConfig(source.text, process.env).diagnostics;
  if (isParseOnly) return parse(source).diagnostics;
  return compileTql(source, builtins, { id: 'check', hasImplicitEnds: true }).diagnostics;
}

export function schema(): void {
  process.stdout.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
}
