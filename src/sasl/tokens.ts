/**
 * Where a client's bearer tokens come from: given once, a file that somebody renews, an OIDC token endpoint (OAuth 2.0
 * client credentials, RFC 6749 §4.4), or none but a name (unsecured tokens, for tests).
 */
import { type Io, messageOf, type TlsOptions } from '../base/index.ts';
import { saslErrors } from './errors.ts';
import type { TokenProvider } from './mechanism.ts';

export function staticToken(token: string): TokenProvider {
  return { token: () => Promise.resolve(token) };
}

/** Read anew for every exchange. */
export function tokenFromFile(io: Io, path: string): TokenProvider {
  return {
    token: async () => {
      try {
        const text = Buffer.from(io.files.readFile(path)).toString('utf8').trim();
        if (text === '') throw new Error('the file is empty');
        return text;
      } catch (error) {
        throw saslErrors.tokenUnavailable({ place: path, reason: messageOf(error) }, error);
      }
    },
  };
}

export interface TokenEndpoint {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope?: string;
  /** Further parameters of the request's form. */
  readonly parameters?: Readonly<Record<string, string>>;
  readonly tls?: TlsOptions;
}

const TIMEOUT_MS = 10_000;
const BYTES_MAX = 1_048_576;
/** A token is asked for anew when this share of its life is over. */
const RENEW_SHARE = 0.8;
const NO_EXPIRY_MS = 60_000;

/** Kept for most of its life; who asks meanwhile waits for the same request. */
export function tokenFromEndpoint(io: Io, endpoint: TokenEndpoint): TokenProvider {
  let kept: { readonly token: string; readonly untilMs: number } | undefined;
  let asking: Promise<string> | undefined;
  const ask = async (): Promise<string> => {
    const started = io.clock.monotonic();
    const { lifetimeMs, token } = await requestToken(io, endpoint);
    kept = { token, untilMs: started + lifetimeMs * RENEW_SHARE };
    return token;
  };
  return {
    token: () => {
      if (kept && io.clock.monotonic() < kept.untilMs) return Promise.resolve(kept.token);
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      return asking;
    },
  };
}

async function requestToken(io: Io, endpoint: TokenEndpoint): Promise<{ token: string; lifetimeMs: number }> {
  const { clientId, clientSecret, parameters, scope, tls, url } = endpoint;
  try {
    // RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
    const user = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`;
    const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope && { scope }), ...parameters });
    const { body, status } = await io.network.request({
      url,
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(user).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      body: form.toString(),
      timeoutMs: TIMEOUT_MS,
      bytesMax: BYTES_MAX,
      ...(tls && { tls }),
    });
    const answer = parseObject(Buffer.from(body).toString('utf8'));
    const failure = [answer['error'], answer['error_description']].filter(part => typeof part === 'string').join(': ');
    if (status !== 200) throw new Error(`status ${status}${failure === '' ? '' : `, ${failure}`}`);
    const token = answer['access_token'];
    if (typeof token !== 'string' || token === '') throw new Error('the answer has no access_token');
    const seconds = Number(answer['expires_in']);
    return { token, lifetimeMs: seconds > 0 ? seconds * 1_000 : NO_EXPIRY_MS };
  } catch (error) {
    throw saslErrors.tokenUnavailable({ place: url, reason: messageOf(error) }, error);
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** A token that nobody signed: it names a user for as long as asked. */
export function unsecuredToken(io: Io, claims: Readonly<Record<string, unknown>>, lifetimeMs: number): TokenProvider {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return {
    token: () => {
      const seconds = io.clock.now() / 1_000;
      const times = { iat: Math.floor(seconds), exp: Math.floor(seconds + lifetimeMs / 1_000) };
      return Promise.resolve(`${encode({ alg: 'none' })}.${encode({ ...claims, ...times })}.`);
    },
  };
}
