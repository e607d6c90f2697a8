/**
 * SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, 7677): both sides prove that they know the password, none sends it.
 *
 *   client-first   gs2-header client-first-bare       gs2-header = ("n" | "y") "," ["a=" authzid] ","
 *                                                     client-first-bare = "n=" user ",r=" nonce ["," extensions]
 *   server-first   "r=" nonce nonce' ",s=" salt ",i=" iterations
 *   client-final   "c=" base64(gs2-header) ",r=" nonce nonce' ["," extensions] ",p=" proof
 *   server-final   "v=" signature    or    "e=" error
 *
 *   saltedPassword = PBKDF2(password, salt, iterations)     clientKey = HMAC(saltedPassword, "Client Key")
 *   storedKey = H(clientKey)                                serverKey = HMAC(saltedPassword, "Server Key")
 *   proof = clientKey XOR HMAC(storedKey, authMessage)      signature = HMAC(serverKey, authMessage)
 *   authMessage = client-first-bare "," server-first "," client-final without its proof
 *
 * Invariants
 * I1 an unknown user gets a salt that stays the same for its name, the usual iterations, and the refusal of a wrong
 *    password, by the same calculations.
 * I2 iterations are 4,096 to 1,000,000 on both sides: fewer are weak, more are an attack on the client's processor.
 * I3 channel binding is not offered: a client that insists on it ("p=") is refused, and so is one whose final message
 *    repeats another header than it began with.
 *
 * Deliberately not done: SASLprep, as in Kafka; delegation tokens (`tokenauth=true` is an extension that is not mandatory, so
 * it is ignored, and the token's id is an unknown user).
 */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { Random } from '../base/index.ts';
import { saslErrors } from './errors.ts';
import {
  invalidCredentials,
  NO_BYTES,
  type SaslAuthority,
  type SaslClient,
  type SaslMechanism,
  type SaslServer,
  type SaslStep,
  type ScramCredential,
  utf8,
} from './mechanism.ts';

export const SCRAM_ITERATIONS_MIN = 4_096;
export const SCRAM_ITERATIONS_MAX = 1_000_000;
export const SCRAM_ITERATIONS_DEFAULT = 4_096;
const SALT_BYTES = 24;
const NONCE_BYTES = 24;
const MESSAGE_BYTES_MAX = 16_384;

const derive = promisify(pbkdf2);

export interface ScramHash {
  readonly mechanism: string;
  /** Node's name of the hash. */
  readonly digest: string;
  readonly bytes: number;
}

const SHA_256: ScramHash = { mechanism: 'SCRAM-SHA-256', digest: 'sha256', bytes: 32 };
const SHA_512: ScramHash = { mechanism: 'SCRAM-SHA-512', digest: 'sha512', bytes: 64 };

export const scramSha256: SaslMechanism = scram(SHA_256);
export const scramSha512: SaslMechanism = scram(SHA_512);

const HASHES = new Map([SHA_256, SHA_512].map(hash => [hash.mechanism, hash]));

/** What a server keeps of a password. */
export async function scramCredential(
  mechanism: string,
  password: string,
  random: Random,
  iterations: number = SCRAM_ITERATIONS_DEFAULT,
): Promise<ScramCredential> {
  const hash = hashOf(mechanism);
  if (password === '') throw saslErrors.badCredential({ mechanism, what: 'an empty password' });
  checkIterations(mechanism, iterations);
  const salt = random.bytes(SALT_BYTES);
  return fromSaltedPassword(hash, await derive(password, salt, iterations, hash.bytes, hash.digest), salt, iterations);
}

/** The same from what an administrator's client has derived already. */
export function scramCredentialFromSalted(
  mechanism: string,
  saltedPassword: Uint8Array,
  salt: Uint8Array,
  iterations: number,
): ScramCredential {
  const hash = hashOf(mechanism);
  if (salt.length === 0) throw saslErrors.badCredential({ mechanism, what: 'an empty salt' });
  if (saltedPassword.length !== hash.bytes)
    throw saslErrors.badCredential({ mechanism, what: `a salted password of ${saltedPassword.length} bytes` });
  checkIterations(mechanism, iterations);
  return fromSaltedPassword(hash, saltedPassword, Uint8Array.from(salt), iterations);
}

/** PBKDF2 of the password, for an administrator's client. */
export function scramSaltedPassword(
  mechanism: string,
  password: string,
  salt: Uint8Array,
  iterations: number,
): Promise<Uint8Array> {
  const hash = hashOf(mechanism);
  return derive(password, salt, iterations, hash.bytes, hash.digest);
}

function hashOf(mechanism: string): ScramHash {
  const hash = HASHES.get(mechanism);
  if (!hash) throw saslErrors.noSuchMechanism({ mechanism, known: [...HASHES.keys()].join(', ') });
  return hash;
}

function checkIterations(mechanism: string, iterations: number): void {
  if (iterations >= SCRAM_ITERATIONS_MIN && iterations <= SCRAM_ITERATIONS_MAX) return;
  const what = `${iterations} iterations; ${SCRAM_ITERATIONS_MIN} to ${SCRAM_ITERATIONS_MAX} are taken`;
  throw saslErrors.badCredential({ mechanism, what });
}

function fromSaltedPassword(
  { digest }: ScramHash,
  saltedPassword: Uint8Array,
  salt: Uint8Array,
  iterations: number,
): ScramCredential {
  const storedKey = createHash(digest)
    .update(hmac(digest, saltedPassword, 'Client Key'))
    .digest();
  return { salt, iterations, storedKey, serverKey: hmac(digest, saltedPassword, 'Server Key') };
}

/** @internal the mechanism over a hash; `nonce` is chosen by tests only */
export function scram(hash: ScramHash, nonce: (random: Random) => string = randomNonce): SaslMechanism {
  // Salts of users that do not exist: the same for a name as long as the process runs.
  let disguise: Uint8Array | undefined;
  return {
    name: hash.mechanism,
    client({ password, username }, random) {
      const { mechanism } = hash;
      if (username === undefined) throw saslErrors.missingCredentials({ mechanism, what: 'sasl.username' });
      if (password === undefined) throw saslErrors.missingCredentials({ mechanism, what: 'sasl.password' });
      return new ScramClient(hash, username, password, nonce(random));
    },
    server(authority, random) {
      disguise ??= random.bytes(32);
      return new ScramServer(hash, authority, nonce(random), disguise);
    },
  };
}

class ScramClient implements SaslClient {
  private readonly hash: ScramHash;
  private readonly bare: string;
  private readonly nonce: string;
  private readonly password: string;
  private state: 'begin' | 'first' | 'final' | 'over' = 'begin';
  private serverSignature: Buffer = Buffer.alloc(0);

  constructor(hash: ScramHash, username: string, password: string, nonce: string) {
    this.hash = hash;
    this.password = password;
    this.nonce = nonce;
    this.bare = `n=${username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`;
  }

  async step(challenge: Uint8Array | undefined): Promise<Uint8Array | undefined> {
    switch (this.state) {
      case 'begin':
        this.state = 'first';
        return Buffer.from(`n,,${this.bare}`);
      case 'first':
        this.state = 'final';
        return this.prove(this.textOf(challenge));
      case 'final':
        this.state = 'over';
        this.believe(this.textOf(challenge));
        return undefined;
      default:
        throw this.malformed('a message behind the last one');
    }
  }

  private async prove(serverFirst: string): Promise<Uint8Array> {
    const { bytes, digest, mechanism } = this.hash;
    const [r, s, i] = attributes(serverFirst);
    if (r?.[0] === 'm') throw this.malformed('the server asks for an extension');
    if (r?.[0] === 'e') throw saslErrors.rejected({ mechanism, reason: r[1] });
    if (r?.[0] !== 'r' || s?.[0] !== 's' || i?.[0] !== 'i') throw this.malformed('the first answer is not r, s, i');
    if (!r[1].startsWith(this.nonce) || r[1].length === this.nonce.length)
      throw this.malformed('the nonce of the server does not extend ours');
    const salt = fromBase64(s[1]);
    if (!salt || salt.length === 0) throw this.malformed('the salt is no base64');
    const iterations = /^[1-9]\d{0,9}$/.test(i[1]) ? Number(i[1]) : 0;
    if (iterations < SCRAM_ITERATIONS_MIN || iterations > SCRAM_ITERATIONS_MAX) {
      const [min, max] = [SCRAM_ITERATIONS_MIN, SCRAM_ITERATIONS_MAX];
      throw saslErrors.weakServer({ mechanism, iterations: i[1].slice(0, 20), min, max });
    }
    const saltedPassword = await derive(this.password, salt, iterations, bytes, digest);
    const withoutProof = `c=${Buffer.from('n,,').toString('base64')},r=${r[1]}`;
    const authMessage = `${this.bare},${serverFirst},${withoutProof}`;
    const clientKey = hmac(digest, saltedPassword, 'Client Key');
    const storedKey = createHash(digest).update(clientKey).digest();
    const proof = xor(clientKey, hmac(digest, storedKey, authMessage));
    this.serverSignature = hmac(digest, hmac(digest, saltedPassword, 'Server Key'), authMessage);
    return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`);
  }

  private believe(serverFinal: string): void {
    const { mechanism } = this.hash;
    const [verdict] = attributes(serverFinal);
    if (verdict?.[0] === 'e') throw saslErrors.rejected({ mechanism, reason: verdict[1] });
    if (verdict?.[0] !== 'v') throw this.malformed('the last answer is neither v nor e');
    const signature = fromBase64(verdict[1]);
    if (!signature || signature.length !== this.serverSignature.length)
      throw saslErrors.serverUnproved({ reason: 'its signature has another length' });
    if (!timingSafeEqual(signature, this.serverSignature))
      throw saslErrors.serverUnproved({ reason: 'its signature is wrong' });
  }

  private textOf(challenge: Uint8Array | undefined): string {
    const text = challenge && challenge.length <= MESSAGE_BYTES_MAX ? utf8(challenge) : undefined;
    if (text === undefined || text === '') throw this.malformed('an answer that is empty, too long or not UTF-8');
    return text;
  }

  private malformed(reason: string): Error {
    return saslErrors.malformed({ mechanism: this.hash.mechanism, reason });
  }
}

class ScramServer<I> implements SaslServer<I> {
  private readonly hash: ScramHash;
  private readonly authority: SaslAuthority<I>;
  private readonly ownNonce: string;
  private readonly disguise: Uint8Array;
  private state: 'first' | 'final' | 'over' = 'first';
  private header = '';
  private bare = '';
  private serverFirst = '';
  private clientNonce = '';
  private nonce = '';
  private username = '';
  private known: { readonly credential: ScramCredential; readonly identity: I } | undefined;
  private credential: ScramCredential | undefined;

  constructor(hash: ScramHash, authority: SaslAuthority<I>, ownNonce: string, disguise: Uint8Array) {
    this.hash = hash;
    this.authority = authority;
    this.ownNonce = ownNonce;
    this.disguise = disguise;
  }

  async step(message: Uint8Array): Promise<SaslStep<I>> {
    const text = message.length <= MESSAGE_BYTES_MAX ? utf8(message) : undefined;
    if (text === undefined) return this.failed('invalid-encoding', 'a message that is too long or not UTF-8');
    switch (this.state) {
      case 'first':
        this.state = 'final';
        return this.challenge(text);
      case 'final':
        this.state = 'over';
        return this.judge(text);
      case 'over':
        return this.failed('other-error', 'a message behind the last one');
    }
  }

  private challenge(text: string): SaslStep<I> {
    const match = /^([nyp])(?:=([^,]*))?,(?:a=([^,]*))?,(.*)$/s.exec(text);
    if (!match) return this.failed('other-error', 'the first message has no GS2 header');
    const [, flag, binding, authzidText, bare = ''] = match;
    if (flag === 'p') return this.failed('channel-binding-not-supported', 'the client insists on channel binding');
    if (binding !== undefined) return this.failed('other-error', 'the GS2 header names a binding that it does not use');
    const [n, r] = attributes(bare);
    if (n?.[0] === 'm') return this.failed('extensions-not-supported', 'the client asks for an extension');
    if (n?.[0] !== 'n' || r?.[0] !== 'r') return this.failed('other-error', 'the first message is not n, r');
    const username = decodeName(n[1]);
    const authzid = decodeName(authzidText ?? '');
    if (username === undefined || authzid === undefined || username === '')
      return this.failed('invalid-username-encoding', 'the user name is not encoded as a saslname');
    if (!/^[\x21-\x2b\x2d-\x7e]+$/.test(r[1])) return this.failed('other-error', 'the nonce is not printable');
    this.username = username;
    if (authzid !== '' && authzid !== username) return this.refused(`it asked to act as ${authzid}`);
    this.header = text.slice(0, text.length - bare.length);
    this.bare = bare;
    this.known = this.authority.scramCredential(username, this.hash.mechanism);
    this.credential = this.known?.credential ?? this.disguised(username);
    this.clientNonce = r[1];
    this.nonce = this.clientNonce + this.ownNonce;
    const { iterations, salt } = this.credential;
    this.serverFirst = `r=${this.nonce},s=${Buffer.from(salt).toString('base64')},i=${iterations}`;
    return { kind: 'challenge', bytes: Buffer.from(this.serverFirst) };
  }

  private judge(text: string): SaslStep<I> {
    const { digest } = this.hash;
    const credential = this.credential;
    if (!credential) return this.failed('other-error', 'a final message without a first one');
    const at = text.lastIndexOf(',p=');
    const [c, r] = attributes(text);
    if (at < 0 || c?.[0] !== 'c' || r?.[0] !== 'r')
      return this.failed('other-error', 'the final message is not c, r, p');
    if (c[1] !== Buffer.from(this.header).toString('base64'))
      return this.failed('channel-bindings-dont-match', 'the final message repeats another GS2 header');
    // librdkafka before 2.6.1 puts its own nonce in front of the whole one; the proof covers what it sent.
    if (r[1] !== this.nonce && r[1] !== this.clientNonce + this.nonce)
      return this.failed('other-error', 'the final message has another nonce');
    const proof = fromBase64(text.slice(at + 3));
    if (!proof) return this.failed('invalid-encoding', 'the proof is no base64');
    const authMessage = `${this.bare},${this.serverFirst},${text.slice(0, at)}`;
    const signature = hmac(digest, credential.storedKey, authMessage);
    const hasLength = proof.length === signature.length;
    const clientKey = xor(hasLength ? proof : Buffer.alloc(signature.length), signature);
    const isProved = timingSafeEqual(createHash(digest).update(clientKey).digest(), credential.storedKey);
    const bytes = Buffer.from(`v=${hmac(digest, credential.serverKey, authMessage).toString('base64')}`);
    if (!this.known || !isProved || !hasLength)
      return this.refused(this.known ? 'wrong password' : 'no such user with this mechanism');
    return { kind: 'done', bytes, identity: this.known.identity };
  }

  /** A credential that nobody can prove. */
  private disguised(username: string): ScramCredential {
    const { bytes, digest } = this.hash;
    const of = (what: string): Buffer => hmac(digest, this.disguise, `${what} ${username}`);
    const salt = of('salt').subarray(0, SALT_BYTES);
    const keys = { storedKey: of('stored').subarray(0, bytes), serverKey: of('server').subarray(0, bytes) };
    return { salt, iterations: SCRAM_ITERATIONS_DEFAULT, ...keys };
  }

  private refused(reason: string): SaslStep<I> {
    const { mechanism } = this.hash;
    return {
      kind: 'failed',
      bytes: Buffer.from('e=invalid-proof'),
      error: saslErrors.refused({ mechanism, who: this.username, reason }),
      message: invalidCredentials(mechanism),
    };
  }

  private failed(code: string, reason: string): SaslStep<I> {
    this.state = 'over';
    return {
      kind: 'failed',
      bytes: code === '' ? NO_BYTES : Buffer.from(`e=${code}`),
      error: saslErrors.malformed({ mechanism: this.hash.mechanism, reason }),
      message: `Authentication failed: ${reason}`,
    };
  }
}

function randomNonce(random: Random): string {
  return Buffer.from(random.bytes(NONCE_BYTES)).toString('base64');
}

/** `n=user,r=nonce` as letter and value, in order. */
function attributes(text: string): (readonly [string, string])[] {
  return text.split(',').map(part => (part[1] === '=' ? [part[0]!, part.slice(2)] : ['', part]));
}

/** A saslname: `=2C` stands for a comma, `=3D` for an equals sign, and no other `=` is there. */
function decodeName(text: string): string | undefined {
  if (/=(?!2C|3D)/.test(text)) return undefined;
  return text.replaceAll('=2C', ',').replaceAll('=3D', '=');
}

function fromBase64(text: string): Buffer | undefined {
  const isBase64 = text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text);
  return isBase64 ? Buffer.from(text, 'base64') : undefined;
}

function hmac(digest: string, key: Uint8Array, text: string): Buffer {
  return createHmac(digest, key).update(text).digest();
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, i) => byte ^ b[i]!);
}
