/** Who knows the users of listeners that are not a project's: passwords of the configuration, SCRAM credentials, tokens. */
import { type Io, messageOf, MillraceError, sameSecret } from '../../base/index.ts';
import {
  invalidCredentials,
  type SaslAuthority,
  saslErrors,
  type TokenRules,
  type Verdict,
  verifyToken,
} from '../../sasl/index.ts';
import { type Identity, userIdentity } from './identity.ts';
import type { PasswordUser, ScramUsers } from './scram-users.ts';

export function userAuthority(parts: {
  readonly io: Io;
  readonly users: readonly PasswordUser[];
  readonly scramUsers: ScramUsers;
  /** Undefined: no tokens are taken. */
  readonly tokens: TokenRules | undefined;
}): SaslAuthority<Identity> {
  const { io, scramUsers, tokens, users } = parts;
  const passwords = new Map(users.map(({ name, password }) => [name, password]));
  return {
    verifyPassword: (username, password): Verdict<Identity> => {
      const known = passwords.get(username);
      // Compared also when nobody is known, so that both take the same time.
      const isSame = sameSecret(known ?? 'none', password);
      if (known !== undefined && isSame) return { kind: 'proved', identity: userIdentity(username) };
      const reason = known === undefined ? 'no such user with a password' : 'wrong password';
      return {
        kind: 'refused',
        error: saslErrors.refused({ mechanism: 'PLAIN', who: username, reason }),
        message: invalidCredentials('PLAIN'),
      };
    },
    scramCredential: (username, mechanism) => {
      const credential = scramUsers.credential(username, mechanism);
      return credential && { credential, identity: userIdentity(username) };
    },
    verifyToken: async (token): Promise<Verdict<Identity>> => {
      try {
        if (!tokens) throw saslErrors.tokenRefused({ reason: 'this listener has no rules for tokens' });
        const { expiresMs, principal } = await verifyToken(io, tokens, token);
        return { kind: 'proved', identity: userIdentity(principal), expiresMs };
      } catch (error) {
        if (!(error instanceof MillraceError)) throw error;
        return { kind: 'refused', error, message: `Authentication failed: ${messageOf(error)}` };
      }
    },
  };
}
