/**
 * What the language itself needs of a front matter: the arguments that the operator of a package declares.
 *
 *   args:
 *     positional:
 *       - name: event
 *     named:
 *       - name: "limit"
 *
 * Only these lines are looked at; whoever loads packages reads the YAML as a whole.
 */
import type { Span } from '../../base/index.ts';

export interface DeclaredArguments {
  /** Of the word `args`. */
  readonly place: Span;
  readonly names: readonly string[];
}

const NAME = /^[ \t]+(?:-[ \t]+)?name:[ \t]*["']?([A-Za-z_]\w*)["']?[ \t\r]*$/gm;

export function declaredArguments(text: string, { end, start }: Span): DeclaredArguments | undefined {
  const yaml = text.slice(start, end);
  const found = /^args:[ \t\r]*$/m.exec(yaml);
  if (!found) return undefined;
  const from = found.index + found[0].length;
  // Up to the next key at the left margin.
  const next = /^[^\s#-]/m.exec(yaml.slice(from));
  const block = yaml.slice(from, next ? from + next.index : undefined);
  const place = { start: start + found.index, end: start + found.index + 'args'.length };
  return { place, names: Array.from(block.matchAll(NAME), match => match[1]!) };
}
