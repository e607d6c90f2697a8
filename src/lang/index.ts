/** Front door of `lang`: languages to plans, and their diagnostics. */
export { diagnosticToJson, excerpt, type Palette, printDiagnostic } from './print-diagnostic.ts';
export { SourceText } from './source.ts';
export { type CompileOptions, compileTql, parse } from './tql/index.ts';
