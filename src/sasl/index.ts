/** Front door of `sasl`: mechanisms, each with both halves; credentials, tokens and their keys. */
import { saslErrors } from './errors.ts';
import type { SaslMechanism } from './mechanism.ts';
import { oauthbearer } from './oauthbearer.ts';
import { plain } from './plain.ts';
import { scramSha256, scramSha512 } from './scram.ts';

export const mechanisms: readonly SaslMechanism[] = [plain, scramSha256, scramSha512, oauthbearer];

export const mechanismNames: readonly string[] = mechanisms.map(({ name }) => name);

/** Throws MR4106 for one that is not there. */
export function mechanismOf(name: string): SaslMechanism {
  const found = mechanisms.find(mechanism => mechanism.name === name);
  if (!found) throw saslErrors.noSuchMechanism({ mechanism: name, known: mechanismNames.join(', ') });
  return found;
}

export { saslErrors } from './errors.ts';
export { TOKEN_RULES, type TokenClaims, type TokenRules, verifyToken } from './jwt.ts';
export { KeySet, type KeySetPlace } from './key-set.ts';
export {
  type ClientCredentials,
  invalidCredentials,
  type Proof,
  type Refusal,
  type SaslAuthority,
  type SaslClient,
  type SaslMechanism,
  type SaslServer,
  type SaslStep,
  type ScramCredential,
  type TokenProvider,
  type Verdict,
} from './mechanism.ts';
export {
  SCRAM_ITERATIONS_DEFAULT,
  SCRAM_ITERATIONS_MAX,
  SCRAM_ITERATIONS_MIN,
  scramCredential,
  scramCredentialFromSalted,
  scramSaltedPassword,
} from './scram.ts';
export { staticToken, type TokenEndpoint, tokenFromEndpoint, tokenFromFile, unsecuredToken } from './tokens.ts';
