/**
 * Authentication of one connection: which requests may come when, and who the client is.
 *
 *   fresh ──handshake 0──► tokens ──proved──► open        bare tokens behind it: i32 length, bytes
 *     └─────handshake 1──► frames ──proved──► open        SaslAuthenticate
 *                                              │ ▲
 *                                    handshake 1 └─proved── renewing     (KIP-368: the same principal, or the end)
 *
 * ApiVersions may come before and behind it. On a listener without SASL a connection begins open, and handshakes are
 * answered with 34.
 *
 * Invariants
 * I1 nothing but ApiVersions and a handshake is done for who has not proved anything.
 * I2 a failure is answered `failureDelayMs` late, and is the last answer.
 * I3 the principal of a connection never changes.
 * I4 behind the end of a session only a handshake is taken.
 */
import type { Io, MillraceError } from '../../base/index.ts';
import {
  mechanismNames,
  mechanismOf,
  type Proof,
  type SaslAuthority,
  type SaslServer,
  type SaslStep,
  saslErrors,
} from '../../sasl/index.ts';
import { errorCode } from '../../wire/index.ts';
import { securityErrors } from './errors.ts';
import { type Identity, isSamePrincipal, principalText } from './identity.ts';

type State = 'fresh' | 'tokens' | 'frames' | 'open' | 'renewing' | 'over';
type Event = 'versions' | 'handshake0' | 'handshake1' | 'message' | 'other' | 'proved' | 'failed';

/** Where an event leads; undefined: it has no place there. */
const NEXT: Readonly<Record<State, Readonly<Record<Event, State | undefined>>>> = {
  fresh: {
    versions: 'fresh',
    handshake0: 'tokens',
    handshake1: 'frames',
    message: undefined,
    other: undefined,
    proved: undefined,
    failed: 'over',
  },
  tokens: {
    versions: undefined,
    handshake0: undefined,
    handshake1: undefined,
    message: 'tokens',
    other: undefined,
    proved: 'open',
    failed: 'over',
  },
  frames: {
    versions: undefined,
    handshake0: undefined,
    handshake1: undefined,
    message: 'frames',
    other: undefined,
    proved: 'open',
    failed: 'over',
  },
  open: {
    versions: 'open',
    handshake0: undefined,
    handshake1: 'renewing',
    message: undefined,
    other: 'open',
    proved: undefined,
    failed: 'over',
  },
  renewing: {
    versions: undefined,
    handshake0: undefined,
    handshake1: undefined,
    message: 'renewing',
    other: undefined,
    proved: 'open',
    failed: 'over',
  },
  over: {
    versions: undefined,
    handshake0: undefined,
    handshake1: undefined,
    message: undefined,
    other: undefined,
    proved: undefined,
    failed: undefined,
  },
};

/** Of a frame before the proof: a message of a mechanism and little else. */
const UNPROVED_BYTES_MAX = 528_384;
/** How a token of Kerberos begins, which clients of 0.9 send without a handshake. */
const GSSAPI_TAG = 0x60;
const KEYS = { handshake: 17, versions: 18, authenticate: 36 } as const;
/** Longest message of a mechanism, as in Kafka (`sasl.server.max.receive.size`). */
const TOKEN_BYTES_MAX = 524_288;

export interface AuthenticationSettings {
  /** For messages: which listener it was. */
  readonly listener: string;
  /** None: the listener has no SASL. */
  readonly mechanisms: readonly string[];
  readonly authority: SaslAuthority<Identity> | undefined;
  /** Who everybody is on a listener without SASL. */
  readonly identity: Identity;
  /** How long a proof holds at most; 0: as long as it does by itself. */
  readonly sessionMaxMs: number;
  readonly failureDelayMs: number;
}

export interface HandshakeAnswer {
  readonly errorCode: number;
  readonly mechanisms: readonly string[];
}

export interface AuthenticateAnswer {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly authBytes: Uint8Array;
  readonly sessionLifetimeMs: number;
}

/** An answer, and whether the connection ends behind it. */
export interface Judged<T> {
  readonly answer: T;
  readonly isLast: boolean;
}

export interface AuthenticationCounters {
  authenticated: number;
  authenticationsFailed: number;
  sessionsExpired: number;
}

const NO_BYTES = new Uint8Array(0);

export class Authentication {
  private readonly io: Io;
  private readonly settings: AuthenticationSettings;
  private readonly counters: AuthenticationCounters;
  private readonly refused: (error: MillraceError) => void;
  private state: State;
  private server: SaslServer<Identity> | undefined;
  private proof: Proof<Identity> | undefined;
  /** Monotonic time at which the session ends. */
  private endsMs = Number.POSITIVE_INFINITY;

  constructor(
    io: Io,
    settings: AuthenticationSettings,
    counters: AuthenticationCounters,
    refused: (error: MillraceError) => void,
  ) {
    this.io = io;
    this.settings = settings;
    this.counters = counters;
    this.refused = refused;
    this.state = settings.mechanisms.length === 0 ? 'open' : 'fresh';
  }

  get identity(): Identity {
    return this.proof?.identity ?? this.settings.identity;
  }

  /** The next frames are bare tokens. */
  get takesTokens(): boolean {
    return this.state === 'tokens';
  }

  /** Somebody has proved who it is, or need not. */
  get isOpen(): boolean {
    return this.state === 'open' || this.state === 'renewing';
  }

  /** How long a frame may be now, of at most `most`. */
  frameBytesMax(most: number): number {
    return this.isOpen ? most : Math.min(most, UNPROVED_BYTES_MAX);
  }

  /** Why a frame of this length is none that somebody unknown may send. */
  lengthRefusal(size: number): MillraceError | undefined {
    const isUnproved = !this.isOpen && size > UNPROVED_BYTES_MAX;
    return isUnproved ? securityErrors.tokenTooLong({ size, limit: TOKEN_BYTES_MAX }) : undefined;
  }

  /** Throws MR5426 for a frame that is a token of Kerberos. */
  expectNoToken(frame: Uint8Array): void {
    if (!this.isOpen && frame[0] === GSSAPI_TAG) throw securityErrors.gssapiToken();
  }

  /** Why the API cannot be asked now; the connection ends then. */
  objection(apiKey: number, apiName: string): MillraceError | undefined {
    // Handshake and authenticate judge themselves: they have answers for what is wrong.
    if (apiKey === KEYS.handshake || apiKey === KEYS.authenticate) return undefined;
    const { listener } = this.settings;
    if (!NEXT[this.state][apiKey === KEYS.versions ? 'versions' : 'other']) {
      if (this.state === 'fresh') return securityErrors.notAuthenticated({ api: apiName, listener });
      return securityErrors.outOfTurn({ api: apiName, reason: 'the authentication is not over' });
    }
    const lateMs = this.io.clock.monotonic() - this.endsMs;
    if (lateMs < 0 || apiKey === KEYS.versions) return undefined;
    this.counters.sessionsExpired++;
    return securityErrors.sessionExpired({
      principal: principalText(this.identity),
      seconds: Math.ceil(lateMs / 1_000),
    });
  }

  handshake(mechanism: string, version: number): Promise<Judged<HandshakeAnswer>> {
    const { authority, mechanisms } = this.settings;
    const answer = { mechanisms: [...mechanisms] };
    const next = NEXT[this.state][version === 0 ? 'handshake0' : 'handshake1'];
    if (mechanisms.length === 0 || !authority || !next) {
      const reason = mechanisms.length === 0 ? 'the listener has no SASL' : 'there was one already';
      this.refused(securityErrors.outOfTurn({ api: 'SaslHandshake', reason }));
      const isLast = mechanisms.length > 0;
      if (isLast) this.state = 'over';
      return Promise.resolve({ answer: { ...answer, errorCode: errorCode('ILLEGAL_SASL_STATE') }, isLast });
    }
    if (!mechanisms.includes(mechanism) || !mechanismNames.includes(mechanism)) {
      return this.late(saslErrors.noSuchMechanism({ mechanism, known: mechanisms.join(', ') }), {
        ...answer,
        errorCode: errorCode('UNSUPPORTED_SASL_MECHANISM'),
      });
    }
    this.state = next;
    this.server = mechanismOf(mechanism).server(authority, this.io.random);
    return Promise.resolve({ answer: { ...answer, errorCode: 0 }, isLast: false });
  }

  /** A message of the mechanism in a SaslAuthenticate request. */
  async authenticate(message: Uint8Array, version: number): Promise<Judged<AuthenticateAnswer>> {
    const failed = (error: number, text: string, bytes: Uint8Array = NO_BYTES): AuthenticateAnswer => ({
      errorCode: error,
      errorMessage: text,
      authBytes: bytes,
      sessionLifetimeMs: 0,
    });
    if (this.state !== 'frames' && this.state !== 'renewing') {
      const error = securityErrors.outOfTurn({ api: 'SaslAuthenticate', reason: 'there was no handshake before it' });
      this.refused(error);
      if (this.settings.mechanisms.length > 0) this.state = 'over';
      const answer = failed(errorCode('ILLEGAL_SASL_STATE'), error.message);
      return { answer, isLast: this.settings.mechanisms.length > 0 };
    }
    if (message.length > TOKEN_BYTES_MAX) {
      const error = securityErrors.tokenTooLong({ size: message.length, limit: TOKEN_BYTES_MAX });
      return this.late(error, failed(errorCode('SASL_AUTHENTICATION_FAILED'), error.message));
    }
    const step = await this.step(message);
    if (step.kind === 'failed')
      return this.late(step.error, failed(errorCode('SASL_AUTHENTICATION_FAILED'), step.message, step.bytes));
    const lifetimeMs = step.kind === 'done' ? this.lifetimeMs : 0;
    return {
      answer: {
        errorCode: 0,
        errorMessage: null,
        authBytes: step.bytes,
        sessionLifetimeMs: version >= 1 ? lifetimeMs : 0,
      },
      isLast: false,
    };
  }

  /** A bare token; undefined when the connection ends, which is all that can be said then. */
  async token(message: Uint8Array): Promise<Uint8Array | undefined> {
    const step = await this.step(message);
    if (step.kind !== 'failed') return step.bytes;
    await this.late(step.error, undefined);
    return undefined;
  }

  private get lifetimeMs(): number {
    const left = this.endsMs - this.io.clock.monotonic();
    return Number.isFinite(left) ? Math.max(1, Math.floor(left)) : 0;
  }

  private async step(message: Uint8Array): Promise<SaslStep<Identity>> {
    const step = await this.server!.step(message);
    if (step.kind !== 'done') return step;
    const before = this.proof?.identity;
    if (before && !isSamePrincipal(before, step.identity)) {
      const error = securityErrors.otherPrincipal({
        before: principalText(before),
        after: principalText(step.identity),
      });
      return { kind: 'failed', bytes: NO_BYTES, error, message: 'Cannot change principals during re-authentication' };
    }
    const { expiresMs } = step;
    const { sessionMaxMs } = this.settings;
    const limits = [
      ...(sessionMaxMs > 0 ? [sessionMaxMs] : []),
      ...(expiresMs === undefined ? [] : [Math.max(1, expiresMs - this.io.clock.now())]),
    ];
    this.endsMs = limits.length === 0 ? Number.POSITIVE_INFINITY : this.io.clock.monotonic() + Math.min(...limits);
    this.proof = step;
    this.server = undefined;
    this.state = NEXT[this.state].proved ?? 'over';
    this.counters.authenticated++;
    return step;
  }

  private async late<T>(error: MillraceError, answer: T): Promise<Judged<T>> {
    this.state = 'over';
    this.server = undefined;
    this.counters.authenticationsFailed++;
    this.refused(error);
    await new Promise<void>(resolve => {
      this.io.clock.after(this.settings.failureDelayMs, resolve, { background: true });
    });
    return { answer, isLast: true };
  }
}
