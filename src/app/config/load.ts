/**
 * Which configuration, and what it says: found, read, merged, overlaid, checked.
 *
 *   found   --config, MILLRACE_CONFIG · millrace.yaml here and upward to the repository's root ·
 *           $XDG_CONFIG_HOME/millrace · /etc/millrace
 *   order   flag, environment (MILLRACE__A__B), file, default
 *
 * A directory stands for the .yaml files in it, merged by name.
 */
import { dirname, join, resolve } from 'node:path';
import { type Diagnostic, type FileSystem, nearest, type Span, systemReason } from '../../base/index.ts';
import { SourceText } from '../../lang/source.ts';
import {
  asScalar,
  configDiagnostic,
  type ConfigMap,
  type ConfigNode,
  type ConfigText,
  mergeDocuments,
  nodeAt,
  type Outside,
  type Place,
  placeAt,
  readDocument,
  setValue,
  valueOf,
} from './document.ts';
import { type Config, type ConfigIssue, validateConfig } from './schema.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface PipelineText {
  readonly id: string;
  /** Name of the text in diagnostics. */
  readonly file: string;
  readonly text: string;
  /** What becomes of events that a stage refuses; dead letters unless given. */
  readonly onError?: 'dead_letter' | 'drop' | 'stop';
  /** Which topic takes its dead letters, if not the one for all. */
  readonly deadLetterTopic?: string;
  /** The text as it was read from a file of its own: it knows of bytes that are no UTF-8. */
  readonly source?: SourceText;
  /** Where the text stands line by line in a file of the configuration. */
  readonly origin?: { readonly source: SourceText; spanOf(span: Span): Span };
}

export interface LoadedConfig {
  /** Absent when there are errors. */
  readonly config: Config | undefined;
  readonly pipelines: readonly PipelineText[];
  readonly diagnostics: readonly Diagnostic[];
  /** Texts that diagnostics refer to, by file. */
  readonly sources: ReadonlyMap<string, SourceText>;
}

const NAME = 'millrace.yaml';
const SETTING = /^MILLRACE__([A-Za-z0-9_]+)$/;

/** File or directory of the configuration; undefined when there is none and the defaults hold. */
export function findConfig(files: FileSystem, environment: Environment, directory: string): string | undefined {
  for (let at = resolve(directory); ; at = dirname(at)) {
    if (files.exists(join(at, NAME))) return join(at, NAME);
    if (files.exists(join(at, '.git')) || dirname(at) === at) break;
  }
  const home = environment['XDG_CONFIG_HOME'] ?? (environment['HOME'] && join(environment['HOME'], '.config'));
  const candidates = [...(home ? [join(home, 'millrace')] : []), '/etc/millrace'];
  return candidates.find(path => files.exists(path) && yamlFiles(files, path).length > 0);
}

/** Reads `path` (absent: defaults) under the flags given by setting, such as `kafka.listen`. */
export function loadConfig(
  files: FileSystem,
  environment: Environment,
  path: string | undefined,
  flags: ReadonlyMap<string, { readonly flag: string; readonly value: string }> = new Map(),
): LoadedConfig {
  const diagnostics: Diagnostic[] = [];
  const texts: ConfigText[] = [];
  const paths =
    path === undefined ? [] : files.exists(path) && files.stat(path).isDirectory ? yamlFiles(files, path) : [path];
  for (const file of paths) {
    try {
      texts.push(readSource(files, file));
    } catch (error) {
      diagnostics.push(configDiagnostic('malformed', `${file} cannot be read: ${systemReason(error)}`, { file }));
    }
  }
  const loaded = readConfig(texts, environment, {
    readFile: (name, from) => readSource(files, resolve(dirname(from), name)),
    flags,
  });
  return {
    ...loaded,
    diagnostics: [...diagnostics, ...loaded.diagnostics],
    config: diagnostics.length > 0 ? undefined : loaded.config,
  };
}

/** What texts say that are in hand already. */
export function readConfig(
  texts: readonly ConfigText[],
  environment: Environment,
  more: Partial<Omit<Outside, 'environment'>> & {
    readonly flags?: ReadonlyMap<string, { readonly flag: string; readonly value: string }>;
  } = {},
): LoadedConfig {
  const diagnostics: Diagnostic[] = [];
  const report = (diagnostic: Diagnostic): void => void diagnostics.push(diagnostic);
  const sources = new Map(texts.map(({ file, text }) => [file, new SourceText(file, text)]));
  const describe = ({ file, span }: Place): string => {
    const at = span && sources.get(file)?.position(span.start);
    return at ? `${file}:${at.line}:${at.column}` : file;
  };
  const readFile: Outside['readFile'] =
    more.readFile ??
    (() => {
      throw new Error('there are no files here');
    });
  const root: ConfigMap = {
    kind: 'map',
    place: { file: texts[0]?.file ?? 'defaults', span: { start: 0, end: 1 } },
    entries: new Map(),
  };
  for (const text of texts)
    mergeDocuments(root, readDocument(text, { environment, readFile }, report), describe, report);
  for (const [variable, value] of Object.entries(environment)) {
    const [, name] = SETTING.exec(variable) ?? [];
    if (name !== undefined && value !== undefined) setValue(root, settingPath(name), value, variable);
  }
  for (const [setting, { flag, value }] of more.flags ?? []) setValue(root, setting.split('.'), value, flag);
  const parsed = checked(root, describe, report);
  const config = parsed && withWholePaths(parsed, path => dirname(placeAt(root, path, false).file));
  const pipelines = (config?.pipelines ?? []).flatMap((settings, i): PipelineText[] => {
    const { dead_letter_topic: deadLetterTopic, file, id, on_error: onError, tql } = settings;
    const fate = { onError, ...(deadLetterTopic !== undefined && { deadLetterTopic }) };
    const at = placeAt(root, ['pipelines', i, 'file'], false);
    if (tql !== undefined) {
      const origin = blockOrigin(nodeAt(root, ['pipelines', i, 'tql']), sources);
      return [{ id, file: `${at.file}#${id}`, text: tql, ...fate, ...(origin && { origin }) }];
    }
    const name = resolve(dirname(at.file), file!);
    try {
      const source = readFile(file!, at.file);
      return [{ id, file: name, text: source.text, ...fate, source }];
    } catch (error) {
      report(configDiagnostic('noPipelineFile', `pipeline ${id}: ${file} cannot be read: ${systemReason(error)}`, at));
      return [];
    }
  });
  // As they stand in the files, whoever found them.
  const order = (file: string | undefined): number => texts.findIndex(text => text.file === file);
  diagnostics.sort((a, b) => order(a.file) - order(b.file) || (a.span?.start ?? 0) - (b.span?.start ?? 0));
  return { config: diagnostics.length > 0 ? undefined : config, pipelines, diagnostics, sources };
}

/** Files of certificates and keys count from the file of the configuration that names them. */
function withWholePaths(config: Config, directoryOf: (path: readonly (string | number)[]) => string): Config {
  const { kafka } = config;
  const whole = <T extends object>(settings: T, path: readonly (string | number)[], names: readonly string[]): T => {
    const found = Object.entries(settings).map(([name, value]) => {
      const isFile = names.includes(name) && typeof value === 'string' && !/^https?:/.test(value);
      return [name, isFile ? resolve(directoryOf([...path, name]), value) : value];
    });
    return Object.fromEntries(found) as T;
  };
  const listeners = kafka.listeners.map((listener, i) =>
    listener.tls
      ? { ...listener, tls: whole(listener.tls, ['kafka', 'listeners', i, 'tls'], ['certificate', 'key', 'ca']) }
      : listener,
  );
  const oauth = kafka.oauth && whole(kafka.oauth, ['kafka', 'oauth'], ['keys', 'ca']);
  return { ...config, kafka: { ...kafka, listeners, ...(oauth && { oauth }) } };
}

/** The configuration of a tree, with a second look at values from outside that spell a number. */
function checked(
  root: ConfigMap,
  describe: (place: Place) => string,
  report: (diagnostic: Diagnostic) => void,
): Config | undefined {
  let { config, issues } = validateConfig(valueOf(root));
  const converted = (issues ?? []).filter(({ path }) => asScalar(nodeAt(root, path)));
  if (converted.length > 0) ({ config, issues } = validateConfig(valueOf(root)));
  for (const issue of issues ?? []) if (!isConsequence(issue, issues!)) report(diagnosticOf(issue, root, describe));
  return config;
}

/** Whether what a map as a whole lacks may be what a misspelt key in it was meant to be. */
function isConsequence({ knownKeys, path }: ConfigIssue, issues: readonly ConfigIssue[]): boolean {
  const isAbove = (other: ConfigIssue): boolean =>
    other.knownKeys !== undefined &&
    other.path.length === path.length + 1 &&
    path.every((part, i) => part === other.path[i]);
  return knownKeys === undefined && issues.some(isAbove);
}

function diagnosticOf(
  { first, knownKeys, message, path }: ConfigIssue,
  root: ConfigMap,
  describe: (place: Place) => string,
): Diagnostic {
  const place = placeAt(root, path, knownKeys !== undefined);
  if (first)
    return configDiagnostic('setTwice', message, place, { notes: [`by ${describe(placeAt(root, first, false))}`] });
  if (!knownKeys) return configDiagnostic('wrongValue', message, place);
  const near = nearest(String(path.at(-1)), knownKeys);
  const hints = near === undefined ? [`there are ${knownKeys.join(', ')}`] : [`did you mean "${near}"?`];
  return configDiagnostic('unknownKey', message, place, { hints });
}

/** Offsets of a text in a block (`|`) as offsets in its file: line k of it is the k-th behind the `|`, indented. */
function blockOrigin(node: ConfigNode | undefined, sources: ReadonlyMap<string, SourceText>): PipelineText['origin'] {
  if (node?.kind !== 'scalar' || !node.isBlock || !node.place.span) return undefined;
  const source = sources.get(node.place.file)!;
  const program = new SourceText('', String(node.value));
  const header = source.position(node.place.span.start).line;
  const leading = (lines: readonly string[]): number =>
    /^\s*/.exec(lines.find(line => line.trim() !== '') ?? '')![0].length;
  const below = source.text.slice(source.lineStart(header + 1)).split('\n');
  const indentation = leading(below) - leading(program.text.split('\n'));
  const offsetOf = (offset: number): number => {
    const { column, line } = program.position(offset);
    return source.lineStart(header + line) + indentation + column - 1;
  };
  return { source, spanOf: ({ end, start }) => ({ start: offsetOf(start), end: offsetOf(start) + end - start }) };
}

/** `KAFKA__LISTEN` is `kafka.listen`; names of secrets keep their case. */
function settingPath(name: string): string[] {
  const [first = '', ...rest] = name.split('__');
  return [first.toLowerCase(), ...(first === 'SECRETS' ? rest : rest.map(part => part.toLowerCase()))];
}

function yamlFiles(files: FileSystem, directory: string): string[] {
  const names = files.stat(directory).isDirectory ? files.list(directory) : [];
  return names
    .filter(name => /\.ya?ml$/.test(name))
    .sort()
    .map(name => join(directory, name));
}

function readSource(files: FileSystem, path: string): SourceText {
  return SourceText.fromBytes(path, files.readFile(path));
}
