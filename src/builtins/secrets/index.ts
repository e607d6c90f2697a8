/**
 * Secret stores, and how a name finds its secret.
 *
 *   secret("store:key")   that store alone
 *   secret("name")        MILLRACE_SECRETS__NAME, then TENZIR_SECRETS__NAME in the environment (upper case; `-` and `.` are `_`),
 *                         then the configuration's `secrets`, in any case
 *
 * Whatever was found is known: `mask` takes it out of texts that people see.
 *
 * Invariants
 * I1 the text of a secret is in no error.
 */
import type { Secrets, SecretSources, SecretStoreDefinition } from '../../sdk/index.ts';
import environment from './environment.ts';
import file from './file.ts';

export const secretStores: readonly SecretStoreDefinition[] = [environment, file];

const PREFIXES = ['MILLRACE_SECRETS__', 'TENZIR_SECRETS__'];
/** Shorter texts are everywhere: masking them would tell more than it hides. */
const MASKED_LENGTH_MIN = 6;

export function openSecrets(sources: SecretSources, configured: Readonly<Record<string, string>>): Secrets {
  const byName = new Map(Object.entries(configured).map(([name, text]) => [name.toUpperCase(), text]));
  const known = new Set<string>();
  const find = (name: string): string | undefined => {
    const colon = name.indexOf(':');
    const store = secretStores.find(candidate => candidate.name === name.slice(0, Math.max(0, colon)));
    if (store) return store.get(name.slice(colon + 1), sources);
    const upper = name.toUpperCase();
    for (const prefix of PREFIXES) {
      const text = sources.environment[prefix + upper] ?? sources.environment[prefix + upper.replace(/[-.]/g, '_')];
      if (text !== undefined) return text;
    }
    return byName.get(upper);
  };
  return {
    get: name => {
      const text = find(name);
      if (text !== undefined && text.length >= MASKED_LENGTH_MIN) known.add(text);
      return text;
    },
    mask: text => {
      let masked = text;
      // Longer ones first: one may be a part of another.
      for (const secret of [...known].sort((a, b) => b.length - a.length)) masked = masked.replaceAll(secret, '***');
      return masked;
    },
  };
}
