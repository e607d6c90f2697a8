/**
 * Properties of the Kafka client as they are given on the command line: a file of `name=value` lines, `-X name=value` over it.
 *
 * A secret is never a flag's value, which other users of the machine and the shell's history see. It comes from the file (`-`:
 * standard input), or by reference: `${env:NAME}` and `${file:PATH}` in a value stand for what is there.
 */
import { isSecretProperty } from '../client/index.ts';
import { cliErrors } from './errors.ts';

export interface PropertySources {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readText(file: string): string;
}

const REFERENCE = /\$\{(env|file):([^}]+)\}/g;
const ONLY_REFERENCE = /^\$\{(env|file):[^}]+\}$/;

export function clientProperties(
  sources: PropertySources,
  listed: { readonly file: string; readonly text: string },
  given: readonly (readonly [string, string])[],
): Map<string, string> {
  for (const [name, value] of given) {
    if (!isSecretProperty(name) || ONLY_REFERENCE.test(value)) continue;
    const reason = 'a secret is no flag’s value; give it in a --properties file, or as ${env:NAME} or ${file:PATH}';
    throw cliErrors.badValue({ flag: `--property ${name}`, value: '***', reason });
  }
  const all = [...propertiesOf(listed.file, listed.text), ...given];
  return new Map(all.map(([name, value]) => [name, resolve(sources, name, value)]));
}

function propertiesOf(file: string, text: string): (readonly [string, string])[] {
  return text.split(/\r?\n/).flatMap((line, i) => {
    if (/^\s*(#|!|$)/.test(line)) return [];
    const [, name, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined)
      throw cliErrors.noSuchFile({ file: `${file}:${i + 1}`, reason: 'the line is not name=value' });
    return [[name, value ?? ''] as const];
  });
}

function resolve(sources: PropertySources, name: string, value: string): string {
  return value.replace(REFERENCE, (_text, kind: string, what: string) => {
    if (kind === 'file') return sources.readText(what).replace(/\r?\n$/, '');
    const found = sources.environment[what];
    if (found === undefined)
      throw cliErrors.badValue({ flag: `--property ${name}`, value, reason: `there is no variable ${what}` });
    return found;
  });
}
