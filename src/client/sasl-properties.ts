/**
 * Credentials by librdkafka's property names: which mechanism, and where its secret or its tokens come from.
 *
 *   sasl.mechanism(s)               PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER; without one GSSAPI would be meant, which
 *                                   is not offered, so it must be named
 *   sasl.oauthbearer.method         `oidc`: a token endpoint, asked with client id and secret
 *   sasl.oauthbearer.token, …       our own names: a token as it is, or the file in which somebody keeps a good one
 *   enable.sasl.oauthbearer.unsecure.jwt, sasl.oauthbearer.config
 *                                   a token that nobody signs, for tests: `principal=NAME scope=a,b lifeSeconds=60`
 */
import type { Io, TlsOptions } from '../base/index.ts';
import {
  type ClientCredentials,
  saslErrors,
  staticToken,
  type TokenProvider,
  tokenFromEndpoint,
  tokenFromFile,
  unsecuredToken,
} from '../sasl/index.ts';
import { saslAuthenticate } from './authenticator.ts';

export interface SaslDraft {
  isOn: boolean;
  mechanism: string | undefined;
  username?: string;
  password?: string;
  readonly oauth: Map<(typeof OAUTH_NAMES)[number], string>;
}

export const OAUTH_NAMES = [
  'sasl.oauthbearer.method',
  'sasl.oauthbearer.client.id',
  'sasl.oauthbearer.client.secret',
  'sasl.oauthbearer.scope',
  'sasl.oauthbearer.extensions',
  'sasl.oauthbearer.token.endpoint.url',
  'sasl.oauthbearer.token',
  'sasl.oauthbearer.token.location',
  'sasl.oauthbearer.config',
  'enable.sasl.oauthbearer.unsecure.jwt',
  'https.ca.location',
] as const;

const LIFETIME_SECONDS = 3_600;

/** Throws MR4107 for what is missing. */
export function authenticatorOf(io: Io, draft: SaslDraft): ReturnType<typeof saslAuthenticate> {
  const { mechanism, password, username } = draft;
  if (mechanism === undefined) throw saslErrors.missingCredentials({ mechanism: 'SASL', what: 'sasl.mechanism' });
  const tokens = mechanism === 'OAUTHBEARER' ? tokensOf(io, draft.oauth) : undefined;
  const extensions = draft.oauth.get('sasl.oauthbearer.extensions');
  const credentials: ClientCredentials = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tokens && { tokens }),
    ...(extensions !== undefined && { extensions: extensions.split(',').map(splitPair) }),
  };
  return saslAuthenticate({ mechanism, credentials }, io.random);
}

function tokensOf(io: Io, oauth: SaslDraft['oauth']): TokenProvider | undefined {
  const token = oauth.get('sasl.oauthbearer.token');
  if (token !== undefined) return staticToken(token);
  const file = oauth.get('sasl.oauthbearer.token.location');
  if (file !== undefined) return tokenFromFile(io, file);
  if (oauth.get('sasl.oauthbearer.method')?.toLowerCase() === 'oidc') return fromEndpoint(io, oauth);
  if (oauth.get('enable.sasl.oauthbearer.unsecure.jwt') === 'true') return unsecured(io, oauth);
  return undefined;
}

function fromEndpoint(io: Io, oauth: SaslDraft['oauth']): TokenProvider {
  const need = (name: (typeof OAUTH_NAMES)[number]): string => {
    const value = oauth.get(name);
    if (value === undefined) throw saslErrors.missingCredentials({ mechanism: 'OAUTHBEARER', what: name });
    return value;
  };
  const scope = oauth.get('sasl.oauthbearer.scope');
  const ca = oauth.get('https.ca.location');
  const tls: TlsOptions | undefined = ca === undefined ? undefined : { ca: io.files.readFile(ca) };
  return tokenFromEndpoint(io, {
    url: need('sasl.oauthbearer.token.endpoint.url'),
    clientId: need('sasl.oauthbearer.client.id'),
    clientSecret: need('sasl.oauthbearer.client.secret'),
    ...(scope !== undefined && { scope }),
    ...(tls && { tls }),
  });
}

function unsecured(io: Io, oauth: SaslDraft['oauth']): TokenProvider {
  const config = new Map(
    (oauth.get('sasl.oauthbearer.config') ?? '')
      .split(' ')
      .filter(pair => pair !== '')
      .map(splitPair),
  );
  const principal = config.get('principal');
  if (!principal)
    throw saslErrors.missingCredentials({
      mechanism: 'OAUTHBEARER',
      what: 'sasl.oauthbearer.config with principal=NAME',
    });
  const scope = config.get('scope')?.split(',');
  const claims = {
    [config.get('principalClaimName') ?? 'sub']: principal,
    ...(scope && { [config.get('scopeClaimName') ?? 'scope']: scope }),
  };
  return unsecuredToken(io, claims, Number(config.get('lifeSeconds') ?? LIFETIME_SECONDS) * 1_000);
}

/** `name=value`, where the value may have more of it. */
function splitPair(pair: string): readonly [string, string] {
  const at = pair.indexOf('=');
  return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
}
