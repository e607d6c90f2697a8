/** Every request in every state; sessions that end and are renewed; failures that come late. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Io, type MillraceError, SeededRandom } from '../../base/index.ts';
import { type SaslAuthority, saslErrors } from '../../sasl/index.ts';
import { errorCode } from '../../wire/index.ts';
import { Authentication, type AuthenticationSettings } from './authentication.ts';
import { type Identity, principalText, userIdentity } from './identity.ts';

const VERSIONS = 18;
const METADATA = 3;

/** Knows every password that is the name twice; `NAME:MS` proves for that long. */
const authority: SaslAuthority<Identity> = {
  verifyPassword: (username, password) => {
    const [name = '', ms] = password.split(':');
    const expires = ms === undefined ? {} : { expiresMs: Number(ms) };
    if (name === `${username}${username}`) return { kind: 'proved', identity: userIdentity(username), ...expires };
    const error = saslErrors.refused({ mechanism: 'PLAIN', who: username, reason: 'wrong password' });
    return { kind: 'refused', error, message: 'no' };
  },
  scramCredential: () => undefined,
  verifyToken: () => Promise.reject(new Error('none')),
};

interface Made {
  readonly authentication: Authentication;
  readonly refusals: MillraceError[];
  readonly waits: number[];
  readonly counters: { authenticated: number; authenticationsFailed: number; sessionsExpired: number };
  pass(ms: number): void;
}

function make(more: Partial<AuthenticationSettings> = {}): Made {
  let nowMs = 1_000;
  const waits: number[] = [];
  const clock: Io['clock'] = {
    now: () => nowMs,
    monotonic: () => nowMs,
    after: (ms, callback) => {
      waits.push(ms);
      queueMicrotask(callback);
      return { cancel: () => undefined };
    },
  };
  const refusals: MillraceError[] = [];
  const counters = { authenticated: 0, authenticationsFailed: 0, sessionsExpired: 0 };
  const settings: AuthenticationSettings = {
    listener: 'public',
    mechanisms: ['PLAIN', 'SCRAM-SHA-256'],
    authority,
    identity: userIdentity('ANONYMOUS'),
    sessionMaxMs: 0,
    failureDelayMs: 100,
    ...more,
  };
  const authentication = new Authentication(
    { clock, random: new SeededRandom(1) } as unknown as Io,
    settings,
    counters,
    error => refusals.push(error),
  );
  return { authentication, refusals, waits, counters, pass: ms => (nowMs += ms) };
}

const token = (user: string, password = `${user}${user}`): Uint8Array => Buffer.from(`\0${user}\0${password}`);

test('nothing but ApiVersions and a handshake is done before; everything behind', async () => {
  const { authentication } = make();
  assert.equal(authentication.objection(VERSIONS, 'ApiVersions'), undefined);
  assert.equal(authentication.objection(METADATA, 'Metadata')?.code, 'MR5425');
  assert.deepEqual(await authentication.handshake('PLAIN', 1), {
    answer: { errorCode: 0, mechanisms: ['PLAIN', 'SCRAM-SHA-256'] },
    isLast: false,
  });
  assert.equal(authentication.objection(VERSIONS, 'ApiVersions')?.code, 'MR5427');
  assert.equal(authentication.isOpen, false);
  const { answer, isLast } = await authentication.authenticate(token('alice'), 2);
  assert.deepEqual(answer, { errorCode: 0, errorMessage: null, authBytes: new Uint8Array(0), sessionLifetimeMs: 0 });
  assert.equal(isLast, false);
  assert.equal(principalText(authentication.identity), 'User:alice');
  for (const key of [VERSIONS, METADATA]) assert.equal(authentication.objection(key, ''), undefined);
});

test('behind a handshake of version 0 come bare tokens; a failure has no words', async () => {
  const good = make();
  await good.authentication.handshake('PLAIN', 0);
  assert.ok(good.authentication.takesTokens);
  assert.deepEqual(await good.authentication.token(token('alice')), new Uint8Array(0));
  assert.ok(!good.authentication.takesTokens && good.authentication.isOpen);
  const bad = make();
  await bad.authentication.handshake('PLAIN', 0);
  assert.equal(await bad.authentication.token(token('alice', 'guess')), undefined);
  assert.deepEqual(bad.waits, [100]);
});

test('a failure is told late with 58 and its text, and is the last answer', async () => {
  const { authentication, counters, refusals, waits } = make();
  await authentication.handshake('PLAIN', 1);
  const { answer, isLast } = await authentication.authenticate(token('alice', 'guess'), 1);
  assert.deepEqual(
    [answer.errorCode, answer.errorMessage, isLast],
    [errorCode('SASL_AUTHENTICATION_FAILED'), 'no', true],
  );
  assert.deepEqual(waits, [100]);
  assert.match(refusals[0]!.message, /wrong password/);
  assert.deepEqual(counters, { authenticated: 0, authenticationsFailed: 1, sessionsExpired: 0 });
  assert.ok(authentication.objection(VERSIONS, 'ApiVersions'));
  assert.equal((await authentication.authenticate(token('alice'), 1)).isLast, true);
});

test('an unknown mechanism is 33 with the list, a second handshake and a message without one are 34; all end', async () => {
  const unknown = make();
  assert.deepEqual(await unknown.authentication.handshake('GSSAPI', 1), {
    answer: { errorCode: errorCode('UNSUPPORTED_SASL_MECHANISM'), mechanisms: ['PLAIN', 'SCRAM-SHA-256'] },
    isLast: true,
  });
  const twice = make();
  await twice.authentication.handshake('PLAIN', 1);
  const second = await twice.authentication.handshake('PLAIN', 1);
  assert.deepEqual([second.answer.errorCode, second.isLast], [errorCode('ILLEGAL_SASL_STATE'), true]);
  const early = await make().authentication.authenticate(token('alice'), 1);
  assert.deepEqual([early.answer.errorCode, early.isLast], [errorCode('ILLEGAL_SASL_STATE'), true]);
});

test('on a listener without SASL everybody is who the listener says; a handshake is 34 and harms nothing', async () => {
  const { authentication } = make({ mechanisms: [], authority: undefined });
  assert.equal(authentication.objection(METADATA, 'Metadata'), undefined);
  const { answer, isLast } = await authentication.handshake('PLAIN', 1);
  assert.deepEqual([answer.errorCode, answer.mechanisms, isLast], [errorCode('ILLEGAL_SASL_STATE'), [], false]);
  assert.equal((await authentication.authenticate(token('alice'), 1)).isLast, false);
  assert.equal(authentication.objection(METADATA, 'Metadata'), undefined);
  assert.equal(principalText(authentication.identity), 'User:ANONYMOUS');
});

test('a session ends by the listener’s limit or the proof’s, and is renewed by the same principal', async () => {
  const { authentication, counters, pass } = make({ sessionMaxMs: 5_000 });
  await authentication.handshake('PLAIN', 1);
  assert.equal((await authentication.authenticate(token('alice'), 1)).answer.sessionLifetimeMs, 5_000);
  pass(4_999);
  assert.equal(authentication.objection(METADATA, 'Metadata'), undefined);
  pass(2);
  assert.equal(authentication.objection(METADATA, 'Metadata')?.code, 'MR5428');
  assert.equal(counters.sessionsExpired, 1);
  assert.equal((await authentication.handshake('PLAIN', 1)).answer.errorCode, 0);
  assert.equal(authentication.objection(METADATA, 'Metadata')?.code, 'MR5427');
  const again = await authentication.authenticate(token('alice', 'alicealice:8001'), 1);
  assert.equal(again.answer.sessionLifetimeMs, 2_000);
  assert.equal(authentication.objection(METADATA, 'Metadata'), undefined);
});

test('who comes back as somebody else, or with a handshake of version 0, is ended', async () => {
  const { authentication, refusals } = make();
  await authentication.handshake('PLAIN', 1);
  await authentication.authenticate(token('alice'), 0);
  await authentication.handshake('PLAIN', 1);
  const { answer, isLast } = await authentication.authenticate(token('bob'), 0);
  assert.deepEqual([answer.errorCode, isLast], [errorCode('SASL_AUTHENTICATION_FAILED'), true]);
  assert.equal(refusals[0]!.code, 'MR5429');
  assert.equal(principalText(authentication.identity), 'User:alice');
  const old = make();
  await old.authentication.handshake('PLAIN', 1);
  await old.authentication.authenticate(token('alice'), 0);
  assert.equal((await old.authentication.handshake('PLAIN', 0)).isLast, true);
});
