/**
 * From a client certificate's subject to a user's name, by rules in the form of Kafka's `ssl.principal.mapping.rules`:
 *
 *   RULE:pattern/replacement/   RULE:pattern/replacement/L   RULE:pattern/replacement/U   DEFAULT
 *
 * separated by commas. The first whose pattern matches the whole distinguished name gives the name, in lower or upper case
 * where it says so; `DEFAULT` gives the distinguished name as it is, in the form of RFC 2253 (`CN=writer,OU=shop,C=DE`).
 * No rules at all mean `DEFAULT`; a name that no rule matches is refused.
 *
 * Patterns are regular expressions of JavaScript, `$1` in the replacement is their first group. A slash in either is `\/`.
 * An attribute without a short name in RFC 2253 (an e-mail address) appears under the name that the TLS library gives it,
 * where Java prints its number.
 */
import { X509Certificate } from 'node:crypto';
import { securityErrors } from './errors.ts';

type Rule = (name: string) => string | undefined;

const RULE = /^RULE:((?:\\.|[^\\/])*)\/((?:\\.|[^\\/])*)\/([LU]?)$/;

/** Throws MR5420 for rules that cannot be read. */
export function parsePrincipalRules(text: string): readonly Rule[] {
  const rules = splitRules(text.trim()).map(parseRule);
  return rules.length > 0 ? rules : [name => name];
}

export function mapPrincipal(rules: readonly Rule[], name: string): string | undefined {
  for (const rule of rules) {
    const mapped = rule(name);
    if (mapped !== undefined) return mapped;
  }
  return undefined;
}

/** Distinguished name of a certificate's subject, the last attribute of the encoding first. */
export function distinguishedName(certificate: Uint8Array): string {
  const { subject } = new X509Certificate(certificate);
  return subject
    .split('\n')
    .reverse()
    .map(attributes => attributes.replaceAll(' + ', '+'))
    .join(',');
}

/** At commas that a rule begins behind: patterns have commas, too. */
function splitRules(text: string): string[] {
  return text === '' ? [] : text.split(/,\s*(?=RULE:|DEFAULT\s*(?:,|$))/).map(rule => rule.trim());
}

function parseRule(text: string): Rule {
  if (text === 'DEFAULT') return name => name;
  const match = RULE.exec(text);
  if (!match)
    throw securityErrors.badPrincipalRule({
      rule: text,
      reason: 'it is neither DEFAULT nor RULE:pattern/replacement/',
    });
  const [, source = '', replacement = '', letters] = match;
  const slashes = (part: string): string => part.replaceAll('\\/', '/');
  let pattern: RegExp;
  try {
    pattern = new RegExp(`^(?:${slashes(source)})$`, 'u');
  } catch (error) {
    throw securityErrors.badPrincipalRule({ rule: text, reason: (error as Error).message }, error);
  }
  return name => {
    if (!pattern.test(name)) return undefined;
    const mapped = name.replace(pattern, slashes(replacement));
    if (letters === 'L') return mapped.toLowerCase();
    return letters === 'U' ? mapped.toUpperCase() : mapped;
  };
}
