/**
 * `millrace check`: diagnostics of TQL files and configurations, for people or as JSON.
 *
 *   text   each diagnostic on stderr, then a line that sums up
 *   json   {"diagnostics": [{"file", "line", "column", "endLine", "endColumn", "severity", "code", "message", …}]} on stdout;
 *          lines and columns count from 1, columns in characters (Unicode code points)
 *
 * Exit codes: 0 no errors (warnings may be there), 3 errors were found, 4 a file is not there, 1 it cannot be read.
 */
import type { PipelineText } from '../../app/index.ts';
import { type Diagnostic, type FileSystem, systemCode, systemReason } from '../../base/index.ts';
import type { SourceText } from '../../lang/index.ts';
import { configFlag, defineCommand } from '../command.ts';
import { cliErrors } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { data, note } from '../output.ts';

interface Options {
  readonly config?: string;
  readonly parseOnly?: boolean;
  readonly format: 'text' | 'json';
}

interface Found {
  readonly diagnostic: Diagnostic;
  readonly source: SourceText | undefined;
  /** `language`: printed as the language has it. `command`: with its code and what to do. */
  readonly form: 'language' | 'command';
}

const YAML = /\.ya?ml$/;

export default defineCommand<Options>({
  name: 'check',
  summary: 'check TQL files and configurations without running them',
  description: 'A configuration is checked with its pipelines. Without paths, the one that `millrace up` would take.',
  arguments: [['[paths...]', 'TQL files, configurations (.yaml, or directories of them); - is TQL on standard input']],
  flags: [
    configFlag,
    { flags: '--parse-only', text: 'stop behind the parser' },
    { flags: '--format <format>', text: 'form of the diagnostics', choices: ['text', 'json'], default: 'text' },
  ],
  examples: ['millrace check', 'millrace check my.tql millrace.yaml', 'millrace check --format json my.tql'],
  run: async ([given]: readonly [readonly string[]], options) => {
    const [{ nodeIo }, { findConfig }] = await Promise.all([
      import('../../base/io/node.ts'),
      import('../../app/index.ts'),
    ]);
    const { files } = nodeIo();
    const nearest = options.config ?? findConfig(files, process.env, process.cwd());
    if (given.length === 0 && nearest === undefined)
      throw cliErrors.noSuchFile({ file: 'millrace.yaml', reason: 'there is none here, above, or with the user' });
    const paths = given.length > 0 ? given : [nearest!];
    const found: Found[] = [];
    const failures: string[] = [];
    for (const path of paths) {
      try {
        found.push(...(await checkPath(files, path, options.parseOnly === true)));
      } catch (error) {
        const code = systemCode(error);
        if (code === undefined) throw error;
        failures.push(code);
        const message = `cannot read ${path}: ${systemReason(error)}`;
        const diagnostic: Diagnostic = { code: cliErrors.noSuchFile.row.code, severity: 'error', message, file: path };
        found.push({ diagnostic, source: undefined, form: 'command' });
      }
    }
    const errors = found.filter(({ diagnostic }) => diagnostic.severity === 'error').length;
    await print(found, options.format);
    if (options.format === 'text') note(summary(paths.length, errors, found.length - errors));
    if (failures.length > 0) process.exitCode = failures.includes('ENOENT') ? EXIT.notFound : EXIT.failed;
    else if (errors > 0) process.exitCode = EXIT.found;
  },
});

function summary(paths: number, errors: number, warnings: number): string {
  const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
  const found = [
    ...(errors > 0 ? [counted(errors, 'error')] : []),
    ...(warnings > 0 ? [counted(warnings, 'warning')] : []),
  ];
  return `${counted(paths, 'file')} checked, ${found.join(' and ') || 'no errors'}`;
}

async function print(found: readonly Found[], format: Options['format']): Promise<void> {
  if (format === 'json') {
    const { diagnosticToJson, SourceText: Source } = await import('../../lang/index.ts');
    const diagnostics = found.map(({ diagnostic, source }) =>
      diagnosticToJson(diagnostic, source ?? new Source(diagnostic.file ?? '', '')),
    );
    data(`${JSON.stringify({ diagnostics }, null, 2)}\n`);
    return;
  }
  const { configDiagnosticText, diagnosticText } = await import('../diagnostics.ts');
  for (const { diagnostic, form, source } of found)
    note(form === 'command' ? configDiagnosticText(diagnostic, source) : diagnosticText(diagnostic, source!));
}

/** Throws the system's error when the file itself cannot be read. */
async function checkPath(files: FileSystem, path: string, isParseOnly: boolean): Promise<Found[]> {
  const { checkPipelines, loadConfig } = await import('../../app/index.ts');
  const programs = async (texts: readonly PipelineText[], hasImplicitEnds: boolean): Promise<Found[]> => {
    const findings = await checkPipelines(texts, { hasImplicitEnds, isParseOnly });
    return findings.map(finding => ({ ...finding, form: 'language' }));
  };
  const isDirectory = files.exists(path) && files.stat(path).isDirectory;
  const isConfig = isDirectory ? files.list(path).some(name => YAML.test(name)) : YAML.test(path);
  if (!isConfig) {
    const bytes = path === '-' ? await standardInput() : files.readFile(path);
    const { SourceText: Source } = await import('../../lang/index.ts');
    const source = Source.fromBytes(path === '-' ? '<stdin>' : path, bytes);
    return programs([{ id: 'check', file: source.file, text: source.text, source }], true);
  }
  if (!isDirectory) files.readFile(path);
  const { diagnostics, pipelines, sources } = loadConfig(files, process.env, path);
  const settings = diagnostics.map(
    (diagnostic): Found => ({ diagnostic, source: sources.get(diagnostic.file ?? ''), form: 'command' }),
  );
  return [...settings, ...(await programs(pipelines, false))];
}

async function standardInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
