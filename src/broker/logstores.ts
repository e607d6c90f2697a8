/**
 * Names on listeners of the log service: a topic is a Logstore, and `NAME.json` is the same Logstore, written to by clients that
 * want their values taken apart. A Logstore's name has no dot, so the alias is never a name of its own.
 *
 * Newer clients name topics by id: the alias has one, too. It is the Logstore's with its last four bytes changed by a fixed
 * mask, so that one follows from the other and nothing needs to be kept.
 */
const SUFFIX = '.json';
const NAME = /^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$/;
const MASK = 0x6a_73_6f_6e;
const MASKED_DIGITS = 8;

export function isLogstoreName(name: string): boolean {
  return NAME.test(name);
}

export function isJsonAlias(name: string): boolean {
  return name.endsWith(SUFFIX);
}

/** The Logstore that a name on the wire means. */
export function logstoreOf(name: string): string {
  return isJsonAlias(name) ? name.slice(0, -SUFFIX.length) : name;
}

/** From a Logstore's id to its alias's, and back. */
export function aliasId(id: string): string {
  const last = Number.parseInt(id.slice(-MASKED_DIGITS), 16);
  const changed = ((last ^ MASK) >>> 0).toString(16).padStart(MASKED_DIGITS, '0');
  return id.slice(0, -MASKED_DIGITS) + changed;
}
