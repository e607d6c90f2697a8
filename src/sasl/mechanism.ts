/**
 * What a SASL mechanism is: a name, a client half and a server half that exchange messages in turn.
 *
 *   client                                      server
 *   step(undefined) ── first message ─────────► step(message)
 *   step(message)  ◄── challenge ────────────── { kind: 'challenge' }
 *   step(undefined result) …                    …
 *                  ◄── last bytes, maybe none ─ { kind: 'done' }   or { kind: 'failed' }
 *
 * How the messages are framed (SaslAuthenticate or bare tokens) is the business of broker and client.
 *
 * Invariants
 * I1 a half is good for one exchange.
 * I2 a client half is content (`undefined`) only when the server has proved what the mechanism lets it prove.
 * I3 what a failed peer is told (`message`) is the same for an unknown user and a wrong secret.
 */
import type { MillraceError, Random } from '../base/index.ts';

export interface SaslClient {
  /** The next message for the server; undefined: nothing more to say, the server is believed. Throws when it is not. */
  step(challenge: Uint8Array | undefined): Promise<Uint8Array | undefined>;
}

/** Who somebody has proved to be, in the words of whoever knows the users. */
export interface Proof<I> {
  readonly identity: I;
  /** Wall time in milliseconds at which the proof ends; undefined: by itself never. */
  readonly expiresMs?: number;
}

export interface Refusal {
  /** For the operator: names what the client is not told. Never a secret. */
  readonly error: MillraceError;
  /** For the client. */
  readonly message: string;
}

export type Verdict<I> = ({ readonly kind: 'proved' } & Proof<I>) | ({ readonly kind: 'refused' } & Refusal);

export type SaslStep<I> =
  | { readonly kind: 'challenge'; readonly bytes: Uint8Array }
  | ({ readonly kind: 'done'; readonly bytes: Uint8Array } & Proof<I>)
  | ({ readonly kind: 'failed'; readonly bytes: Uint8Array } & Refusal);

export interface SaslServer<I> {
  step(message: Uint8Array): Promise<SaslStep<I>>;
}

export interface TokenProvider {
  /** A bearer token that is good now. */
  token(): Promise<string>;
}

/** What a client half may need; each mechanism says which it misses. */
export interface ClientCredentials {
  readonly username?: string;
  readonly password?: string;
  readonly tokens?: TokenProvider;
  /** Names and values that go with a token (KIP-342). */
  readonly extensions?: readonly (readonly [string, string])[];
}

/** A SCRAM secret as a server keeps it: the password cannot be had from it. */
export interface ScramCredential {
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** Who knows the users: what server halves ask. */
export interface SaslAuthority<I> {
  verifyPassword(username: string, password: string): Verdict<I>;
  /** Undefined: nobody of that name can use the mechanism. */
  scramCredential(
    username: string,
    mechanism: string,
  ): { readonly credential: ScramCredential; readonly identity: I } | undefined;
  verifyToken(token: string): Promise<Verdict<I>>;
}

export interface SaslMechanism {
  readonly name: string;
  client(credentials: ClientCredentials, random: Random): SaslClient;
  server<I>(authority: SaslAuthority<I>, random: Random): SaslServer<I>;
}

export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Told for a wrong secret and for an unknown user alike. */
export function invalidCredentials(mechanism: string): string {
  return `Authentication failed: invalid credentials with SASL mechanism ${mechanism}`;
}

/** UTF-8 text; undefined for bytes that are none. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    // A copy: the bytes may lie in shared memory, which not every decoder takes.
    return decoder.decode(Uint8Array.from(bytes));
  } catch {
    return undefined;
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
