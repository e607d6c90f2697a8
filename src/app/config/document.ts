/**
 * YAML as a tree with places: read from one or several files, merged by name, interpolated in scalars.
 *
 *   ${env:NAME}   ${env:NAME:-default}   ${file:PATH}   $${ is a plain ${
 *
 * Interpolation happens after parsing and in values only, so that no text from outside changes the structure; for the same
 * reason not in `tql`, whose programs have `secret()`. What it gives is text; where the schema wants a number or a truth
 * value, text that spells one is taken (`asScalar`).
 *
 * Invariants
 * I1 every node knows the file and span it came from; a value from the environment or a flag names that instead.
 * I2 reading never fails: what is wrong is a diagnostic, and the node is left out or empty.
 */
import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import type { Node } from 'yaml';
import { type Diagnostic, type Span, systemReason } from '../../base/index.ts';
import type { SourceText } from '../../lang/source.ts';
import { configNotices } from './errors.ts';

/** A text with its name; from a file, where its bytes cease to be UTF-8. */
export type ConfigText = Pick<SourceText, 'file' | 'text'> & { readonly invalidAt?: number | undefined };

/** What interpolation may look at. */
export interface Outside {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A file named in `from`; throws when it cannot be read. */
  readFile(path: string, from: string): SourceText;
}

export interface Place {
  /** File; or the variable or flag that the value came from. */
  readonly file: string;
  readonly span?: Span;
}

export interface ConfigMap {
  readonly kind: 'map';
  readonly place: Place;
  readonly entries: Map<string, { readonly keyPlace: Place; value: ConfigNode }>;
}

export interface ConfigList {
  readonly kind: 'list';
  readonly place: Place;
  readonly items: ConfigNode[];
}

export interface ConfigScalar {
  readonly kind: 'scalar';
  readonly place: Place;
  value: unknown;
  readonly isFromOutside: boolean;
  /** Of a block (`|`): its lines stand in the file as they are, behind an indentation. */
  readonly isBlock: boolean;
}

export type ConfigNode = ConfigMap | ConfigList | ConfigScalar;

/** More nodes than that are no configuration: aliases of aliases grow without end. */
const NODES_MAX = 100_000;
const DEPTH_MAX = 32;
const FILE_CHARS_MAX = 1024 * 1024;

export function configDiagnostic(
  name: keyof typeof configNotices,
  message: string,
  { file, span }: Place,
  more: { readonly hints?: readonly string[]; readonly notes?: readonly string[] } = {},
): Diagnostic {
  return { code: configNotices[name], severity: 'error', message, file, ...(span && { span }), ...more };
}

/** The tree of one file. */
export function readDocument(
  { file, invalidAt, text }: ConfigText,
  outside: Outside,
  report: (diagnostic: Diagnostic) => void,
): ConfigMap {
  // Loaded here: a process without a configuration file needs none of it.
  const { isAlias, isMap, isScalar, isSeq, parseDocument } = createRequire(import.meta.url)('yaml') as typeof Yaml;
  const document = parseDocument(text, { prettyErrors: false });
  const whole: Place = { file, span: { start: 0, end: 1 } };
  const empty: ConfigMap = { kind: 'map', place: whole, entries: new Map() };
  // Only the first: what follows a defect of the syntax is guesswork.
  for (const { message, pos } of document.errors.slice(0, 1)) {
    const span = { start: Math.min(pos[0], text.length), end: Math.max(pos[1], pos[0] + 1) };
    report(configDiagnostic('malformed', message.split('\n')[0]!, { file, span }));
  }
  if (invalidAt !== undefined)
    report(
      configDiagnostic('malformed', 'bytes that are no UTF-8', {
        file,
        span: { start: invalidAt, end: invalidAt + 1 },
      }),
    );
  if (document.errors.length > 0 || document.contents === null) return empty;
  let nodes = 0;
  const placeOf = (node: Node | null): Place => {
    const [start, end] = node?.range ?? [0, 1];
    return { file, span: { start, end: Math.max(end, start + 1) } };
  };
  const convert = (node: Node | null, depth: number, isProgram = false): ConfigNode => {
    const place = placeOf(node);
    if (++nodes > NODES_MAX || depth > DEPTH_MAX) {
      if (nodes === NODES_MAX + 1 || depth > DEPTH_MAX)
        report(configDiagnostic('malformed', 'too large or too deep for a configuration', place));
      return { kind: 'scalar', place, value: null, isFromOutside: false, isBlock: false };
    }
    if (isAlias(node)) return convert(node.resolve(document) ?? null, depth + 1);
    if (isMap(node)) {
      const map: ConfigMap = { kind: 'map', place, entries: new Map() };
      for (const { key, value } of node.items) {
        const name = isScalar(key) ? String(key.value) : String(key);
        map.entries.set(name, {
          keyPlace: placeOf(key as Node),
          value: convert(value as Node | null, depth + 1, name === 'tql'),
        });
      }
      return map;
    }
    if (isSeq(node)) return { kind: 'list', place, items: node.items.map(item => convert(item as Node, depth + 1)) };
    const value: unknown = isScalar(node) ? node.value : null;
    const isBlock = isScalar(node) && node.type === 'BLOCK_LITERAL';
    const scalar: ConfigScalar = { kind: 'scalar', place, value, isFromOutside: false, isBlock };
    return typeof value === 'string' && value.includes('${') && !isProgram
      ? interpolated(scalar, value, outside, report)
      : scalar;
  };
  const root = convert(document.contents as Node, 0);
  if (root.kind === 'map') return root;
  if (root.kind === 'scalar' && root.value === null) return empty;
  report(configDiagnostic('wrongValue', `the configuration must be a map of settings, got a ${root.kind}`, whole));
  return empty;
}

const REFERENCE = /\$\$\{|\$\{([^}]*)\}/g;
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

function interpolated(
  scalar: ConfigScalar,
  text: string,
  outside: Outside,
  report: (diagnostic: Diagnostic) => void,
): ConfigScalar {
  const { place } = scalar;
  const resolve = (reference: string): string => {
    const [scheme, rest] = [reference.slice(0, reference.indexOf(':')), reference.slice(reference.indexOf(':') + 1)];
    const variable = scheme === 'env' ? VARIABLE.exec(rest) : undefined;
    if (variable) {
      const [, name = '', fallback] = variable;
      const found = outside.environment[name] ?? fallback;
      if (found === undefined)
        report(configDiagnostic('unset', `environment variable ${name} is not set and has no default`, place));
      return found ?? '';
    }
    if (scheme === 'file' && rest !== '') {
      try {
        const content = outside.readFile(rest, place.file).text;
        if (content.length <= FILE_CHARS_MAX) return content.replace(/\r?\n$/, '');
        report(configDiagnostic('unset', `file ${rest} is longer than ${FILE_CHARS_MAX} characters`, place));
      } catch (error) {
        report(configDiagnostic('unset', `file ${rest} cannot be read: ${systemReason(error)}`, place));
      }
      return '';
    }
    report(configDiagnostic('unknownReference', `unknown reference \${${reference}}`, place));
    return '';
  };
  const value = text.replace(REFERENCE, (whole, reference: string | undefined) =>
    reference === undefined ? whole.slice(1) : resolve(reference),
  );
  return { ...scalar, value, isFromOutside: true };
}

/** Puts `from` into `into`: maps by name, lists one behind the other; anything else may be set once. */
export function mergeDocuments(
  into: ConfigMap,
  from: ConfigMap,
  describe: (place: Place) => string,
  report: (diagnostic: Diagnostic) => void,
): void {
  for (const [name, entry] of from.entries) {
    const before = into.entries.get(name);
    if (!before) into.entries.set(name, entry);
    else if (before.value.kind === 'map' && entry.value.kind === 'map')
      mergeDocuments(before.value, entry.value, describe, report);
    else if (before.value.kind === 'list' && entry.value.kind === 'list') before.value.items.push(...entry.value.items);
    else {
      const notes = [`it is set in ${describe(before.keyPlace)}, too`];
      report(configDiagnostic('setTwice', `"${name}" is set twice`, entry.keyPlace, { notes }));
    }
  }
}

/** Sets one value from outside the files (a flag, a variable), over what they say. */
export function setValue(root: ConfigMap, path: readonly string[], value: string, source: string): void {
  const place: Place = { file: source };
  let map = root;
  for (const name of path.slice(0, -1)) {
    const found = map.entries.get(name)?.value;
    const next: ConfigMap = found?.kind === 'map' ? found : { kind: 'map', place, entries: new Map() };
    if (next !== found) map.entries.set(name, { keyPlace: place, value: next });
    map = next;
  }
  const scalar: ConfigScalar = { kind: 'scalar', place, value, isFromOutside: true, isBlock: false };
  map.entries.set(path.at(-1)!, { keyPlace: place, value: scalar });
}

export function valueOf(node: ConfigNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(valueOf);
  return Object.fromEntries([...node.entries].map(([name, { value }]) => [name, valueOf(value)]));
}

/** The node at a path, or undefined. */
export function nodeAt(root: ConfigNode, path: readonly (string | number)[]): ConfigNode | undefined {
  let node: ConfigNode | undefined = root;
  for (const part of path) {
    if (node?.kind === 'list') node = node.items[Number(part)];
    else if (node?.kind === 'map') node = node.entries.get(String(part))?.value;
    else return undefined;
  }
  return node;
}

/** Place of what stands at a path (of the key, where it is one), or of what is nearest above it. */
export function placeAt(root: ConfigNode, path: readonly (string | number)[], isKey: boolean): Place {
  for (let length = path.length; length > 0; length--) {
    const parent = nodeAt(root, path.slice(0, length - 1));
    const entry = parent?.kind === 'map' ? parent.entries.get(String(path[length - 1])) : undefined;
    const node = entry?.value ?? nodeAt(root, path.slice(0, length));
    if (entry && (isKey || length < path.length)) return entry.keyPlace;
    if (node) return node.place;
  }
  return root.place;
}

/** Turns text from outside into the number or truth value that it spells; true when it did. */
export function asScalar(node: ConfigNode | undefined): boolean {
  if (node?.kind !== 'scalar' || !node.isFromOutside || typeof node.value !== 'string') return false;
  if (/^-?\d{1,15}$/.test(node.value)) node.value = Number(node.value);
  else if (node.value === 'true' || node.value === 'false') node.value = node.value === 'true';
  else return false;
  return true;
}
