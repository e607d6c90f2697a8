/** `millrace check`: diagnostics of TQL files and configurations, for people or as JSON. Exit 3 when there are errors. */
import { readFileSync } from 'node:fs';
import { configJsonSchema, parseConfig } from '../../app/index.ts';
import type { Diagnostic } from '../../base/index.ts';
import { builtins } from '../../builtins/index.ts';
import { compileTql, diagnosticToJson, parse, SourceText } from '../../lang/index.ts';
import { note, printDiagnostics } from '../output.ts';

export function check(
  paths: readonly string[],
  options: { readonly parseOnly?: boolean; readonly format: string },
): void {
  const all: { source: SourceText; diagnostics: readonly Diagnostic[] }[] = paths.map(path => {
    const source = new SourceText(path, readFileSync(path, 'utf8'));
    return { source, diagnostics: diagnosticsOf(source, options.parseOnly === true) };
  });
  const errors = all.flatMap(({ diagnostics }) => diagnostics).filter(({ severity }) => severity === 'error').length;
  if (options.format === 'json') {
    const diagnostics = all.flatMap(({ diagnostics: found, source }) =>
      found.map(diagnostic => diagnosticToJson(diagnostic, source)),
    );
    process.stdout.write(`${JSON.stringify({ diagnostics }, null, 2)}\n`);
  } else {
    for (const { diagnostics, source } of all) printDiagnostics(diagnostics, source);
    note(errors === 0 ? `${paths.length} checked, no errors` : `${errors} errors`);
  }
  if (errors > 0) process.exitCode = 3;
}

function diagnosticsOf(source: SourceText, isParseOnly: boolean): readonly Diagnostic[] {
  if (/\.ya?ml$/.test(source.file)) return parseConfig(source.text, process.env).diagnostics;
  if (isParseOnly) return parse(source).diagnostics;
  return compileTql(source, builtins, { id: 'check', hasImplicitEnds: true }).diagnostics;
}

export function schema(): void {
  process.stdout.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
}
