/**
 * Bearer tokens as a server judges them: signed JSON Web Tokens under the keys of a JSON Web Key Set.
 *
 * Invariants
 * I1 only the listed asymmetric algorithms are taken: a public key is never used as a shared secret.
 * I2 an unsecured token ("alg": "none") is taken only where that was asked for by name.
 * I3 a token without an end is refused; the end of what it proves is the token's.
 * I4 the time is the seam's; clocks may differ by `clockSkewMs` either way.
 */
import { type Io, messageOf } from '../base/index.ts';
import { saslErrors } from './errors.ts';
import type { KeySet } from './key-set.ts';

export interface TokenRules {
  /** Undefined: no signed token can be checked, so only unsecured ones are taken, if they are. */
  readonly keys: KeySet | undefined;
  /** Issuers, one of which the token must name; undefined: any. */
  readonly issuers: readonly string[] | undefined;
  /** Audiences, one of which the token must name; undefined: any. */
  readonly audiences: readonly string[] | undefined;
  /** Scopes that the token must have, all of them. */
  readonly scopes: readonly string[];
  /** Claim that names the user. */
  readonly principalClaim: string;
  /** Claim with the scopes: words in a string, or a list. */
  readonly scopeClaim: string;
  readonly clockSkewMs: number;
  readonly acceptsUnsecured: boolean;
}

export const TOKEN_RULES: TokenRules = {
  keys: undefined,
  issuers: undefined,
  audiences: undefined,
  scopes: [],
  principalClaim: 'sub',
  scopeClaim: 'scope',
  clockSkewMs: 30_000,
  acceptsUnsecured: false,
};

export interface TokenClaims {
  readonly principal: string;
  readonly expiresMs: number;
}

const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
] as const;
const TOKEN_BYTES_MAX = 65_536;

type Payload = Readonly<Record<string, unknown>>;

/** What the token says, once it is proved. Throws MR4108, or MR4109 when keys cannot be had. */
export async function verifyToken(io: Io, rules: TokenRules, token: string): Promise<TokenClaims> {
  if (token.length > TOKEN_BYTES_MAX) throw refused(`it has more than ${TOKEN_BYTES_MAX} bytes`);
  const jose = await import('jose');
  const { audiences, clockSkewMs, issuers, keys, principalClaim, scopes, scopeClaim } = rules;
  const options = {
    clockTolerance: clockSkewMs / 1_000,
    currentDate: new Date(io.clock.now()),
    requiredClaims: ['exp', principalClaim],
    ...(issuers && { issuer: [...issuers] }),
    ...(audiences && { audience: [...audiences] }),
  };
  let payload: Payload;
  try {
    if (jose.decodeProtectedHeader(token).alg === 'none') {
      if (!rules.acceptsUnsecured) throw refused('it is not signed');
      payload = jose.UnsecuredJWT.decode(token, options).payload;
    } else {
      if (!keys) throw refused('there are no keys to check signed tokens with');
      const verified = await keys.use(set =>
        verifyWith(jose, set as never, key => jose.jwtVerify(token, key, { ...options, algorithms: [...ALGORITHMS] })),
      );
      payload = verified.payload;
    }
  } catch (error) {
    if (!(error instanceof jose.errors.JOSEError) && !(error instanceof TypeError)) throw error;
    throw refused(messageOf(error), error);
  }
  const principal = payload[principalClaim];
  const expires = payload['exp'];
  if (typeof principal !== 'string' || principal === '') throw refused(`its claim ${principalClaim} names nobody`);
  const has = scopesOf(payload[scopeClaim]);
  const missing = scopes.filter(scope => !has.includes(scope));
  if (missing.length > 0) throw refused(`it lacks the scope ${missing.join(', ')}`);
  return { principal, expiresMs: Number(expires) * 1_000 };
}

type Jose = typeof import('jose');
type Verified = Awaited<ReturnType<Jose['jwtVerify']>>;

/** Several keys of a set may fit a token that names none: each is tried. */
async function verifyWith(
  jose: Jose,
  set: Parameters<Jose['createLocalJWKSet']>[0],
  verify: (key: Parameters<Jose['jwtVerify']>[1]) => Promise<Verified>,
): Promise<Verified> {
  try {
    return await verify(jose.createLocalJWKSet(set));
  } catch (error) {
    if (!(error instanceof jose.errors.JWKSMultipleMatchingKeys)) throw error;
    for await (const key of error) {
      try {
        return await verify(key);
      } catch (inner) {
        if (!(inner instanceof jose.errors.JWSSignatureVerificationFailed)) throw inner;
      }
    }
    throw new jose.errors.JWSSignatureVerificationFailed();
  }
}

function scopesOf(claim: unknown): readonly unknown[] {
  if (typeof claim === 'string') return claim.split(' ');
  return Array.isArray(claim) ? claim : [];
}

function refused(reason: string, cause?: unknown): Error {
  return saslErrors.tokenRefused({ reason }, cause);
}
