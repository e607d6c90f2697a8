/** SCRAM against the published exchanges, then both halves against each other and against tampering. */
import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { test } from 'node:test';
import { MillraceError } from '../base/index.ts';
import { authorityOf, exchange, random } from './exchange-cases.ts';
import type { SaslMechanism, SaslStep } from './mechanism.ts';
import {
  SCRAM_ITERATIONS_MAX,
  scram,
  scramCredential,
  scramCredentialFromSalted,
  scramSaltedPassword,
  scramSha256,
  scramSha512,
} from './scram.ts';

interface Vector {
  readonly from: string;
  readonly hash: { readonly mechanism: string; readonly digest: string; readonly bytes: number };
  readonly clientNonce: string;
  readonly serverNonce: string;
  readonly salt: string;
  readonly proof: string;
  readonly signature: string;
}

/** User `user`, password `pencil`, 4,096 iterations. */
const VECTORS: readonly Vector[] = [
  {
    from: 'RFC 5802 §5',
    hash: { mechanism: 'SCRAM-SHA-1', digest: 'sha1', bytes: 20 },
    clientNonce: 'fyko+d2lbbFgONRv9qkxdawL',
    serverNonce: '3rfcNHYJY1ZVvWVs7j',
    salt: 'QSXCR+Q6sek8bf92',
    proof: 'v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    signature: 'rmF9pqV8S7suAoZWja4dJRkFsKQ=',
  },
  {
    from: 'RFC 7677 §3',
    hash: { mechanism: 'SCRAM-SHA-256', digest: 'sha256', bytes: 32 },
    clientNonce: 'rOprNGfwEbeRWgbNEkqO',
    serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
    salt: 'W22ZaJ0SNY7soEsUEjb6gQ==',
    proof: 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    signature: '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  },
  {
    // No RFC has one; several libraries test with this one.
    from: 'the exchange for SHA-512 in Qpid’s tests',
    hash: { mechanism: 'SCRAM-SHA-512', digest: 'sha512', bytes: 64 },
    clientNonce: 'rOprNGfwEbeRWgbNEkqO',
    serverNonce: '02431b08-2f89-4bad-a4e6-80c0564ec865',
    salt: 'Yin2FuHTt/M0kJWb0t9OI32n2VmOGi3m+JfjOvuDF88=',
    proof: 'Hc5yec3NmCD7t+kFRw4/3yD6/F3SQHc7AVYschRja+Bc3sbdjlA0eH1OjJc0DD4ghn1tnXN5/Wr6qm9xmaHt4A==',
    signature: 'BQuhnKHqYDwQWS5jAw4sZed+C9KFUALsbrq81bB0mh+bcUUbbMPNNmBIupnS2AmyyDnG5CTBQtkjJ9kyY4kzmw==',
  },
];

for (const { clientNonce, from, hash, proof, salt, serverNonce, signature } of VECTORS) {
  test(`the exchange of ${from} comes out byte for byte, on both sides`, async () => {
    const nonces = [clientNonce, serverNonce];
    const mechanism = scram(hash, () => nonces.shift()!);
    const saltBytes = Buffer.from(salt, 'base64');
    const salted = pbkdf2Sync('pencil', saltBytes, 4_096, hash.bytes, hash.digest);
    const key = (text: string): Buffer => createHmac(hash.digest, salted).update(text).digest();
    const credential = {
      salt: saltBytes,
      iterations: 4_096,
      storedKey: createHash(hash.digest).update(key('Client Key')).digest(),
      serverKey: key('Server Key'),
    };
    const authority = authorityOf({ scram: new Map([[`user ${hash.mechanism}`, credential]]) });
    const { messages, result } = await exchange(mechanism, { username: 'user', password: 'pencil' }, authority);
    assert.deepEqual(messages, [
      `n,,n=user,r=${clientNonce}`,
      `r=${clientNonce}${serverNonce},s=${salt},i=4096`,
      `c=biws,r=${clientNonce}${serverNonce},p=${proof}`,
      `v=${signature}`,
    ]);
    assert.equal(result?.kind, 'done');
  });
}

for (const mechanism of [scramSha256, scramSha512]) {
  test(`${mechanism.name}: names with commas and equals signs, any UTF-8 in passwords`, async () => {
    for (const [username, password] of [
      ['alice', 'secret'],
      ['a,b=c', 'p,=w'],
      ['ünï', 'пароль ✓'],
    ] as const) {
      const scram = new Map([
        [`${username} ${mechanism.name}`, await scramCredential(mechanism.name, password, random)],
      ]);
      const { result } = await exchange(mechanism, { username, password }, authorityOf({ scram }));
      assert.deepEqual([result?.kind, result?.kind === 'done' && result.identity], ['done', username]);
    }
  });
}

const failure = (
  result: SaslStep<string> | undefined,
): { readonly reason: string; readonly told: string; readonly bytes: string } => {
  assert.equal(result?.kind, 'failed');
  const { bytes, error, message } = result as Extract<SaslStep<string>, { kind: 'failed' }>;
  return { reason: error.message, told: message, bytes: Buffer.from(bytes).toString() };
};

async function attempt(
  username: string,
  password: string,
  tamper?: (message: string, from: 'client' | 'server') => string,
): ReturnType<typeof exchange> {
  const scram = new Map([['alice SCRAM-SHA-256', await scramCredential('SCRAM-SHA-256', 'secret', random)]]);
  return exchange(scramSha256, { username, password }, authorityOf({ scram }), tamper);
}

test('an unknown user and a wrong password look the same from outside', async () => {
  const wrong = await attempt('alice', 'guess');
  const unknown = await attempt('bob', 'secret');
  assert.deepEqual(
    [failure(wrong.result).told, failure(wrong.result).bytes],
    [failure(unknown.result).told, failure(unknown.result).bytes],
  );
  assert.match(failure(wrong.result).reason, /alice failed: wrong password/);
  assert.match(failure(unknown.result).reason, /bob failed: no such user/);
  const shape = (message: string): string => message.replace(/(r|s)=[^,]*/g, (_text, name) => `${name}=`);
  assert.equal(shape(wrong.messages[1]!), shape(unknown.messages[1]!));
  const length = (message: string): number => message.length;
  assert.equal(length(wrong.messages[1]!), length(unknown.messages[1]!));
  // Asked again, the same stranger gets the same salt.
  const again = await attempt('bob', 'other');
  const salt = (message: string): string => /s=([^,]*)/.exec(message)![1]!;
  assert.equal(salt(again.messages[1]!), salt(unknown.messages[1]!));
  assert.notEqual(salt((await attempt('carol', 'x')).messages[1]!), salt(unknown.messages[1]!));
});

const replace =
  (from: 'client' | 'server', pattern: RegExp, by: string) =>
  (message: string, who: 'client' | 'server'): string =>
    who === from ? message.replace(pattern, by) : message;

for (const [what, tamper, reason] of [
  ['channel binding that is insisted on', replace('client', /^n,,/, 'p=tls-unique,,'), /channel binding/],
  ['another GS2 header at the end', replace('client', /^c=biws/, 'c=eSws'), /another GS2 header/],
  ['another nonce at the end', replace('client', /,r=(.*),p=/, ',r=x$1,p='), /another nonce/],
  ['another authorisation id', replace('client', /^n,,/, 'n,a=root,'), /act as root/],
  ['a mandatory extension', replace('client', /^n,,/, 'n,,m=x,'), /extension/],
  ['a user name with a stray equals sign', replace('client', /n=alice/, 'n=al=ice'), /saslname/],
  ['no user name', replace('client', /n=alice/, 'n='), /saslname/],
  ['a proof that is no base64', replace('client', /p=.*/, 'p=***'), /base64/],
  ['a proof of another length', replace('client', /p=.*/, 'p=AAAA'), /wrong password/],
  ['a proof with a changed bit', replace('client', /p=(.)/, 'p=_'), /base64/],
  ['a first message of another mechanism', replace('client', /^n,,.*/, '\0alice\0secret'), /GS2 header/],
] as const) {
  test(`the server refuses ${what}`, async () => {
    assert.match(failure((await attempt('alice', 'secret', tamper)).result).reason, reason);
  });
}

test('the nonce of librdkafka before 2.6.1, which names its own part twice, is taken with a proof over it', async () => {
  const credential = await scramCredential('SCRAM-SHA-256', 'secret', random);
  const server = scramSha256.server(authorityOf({ scram: new Map([['alice SCRAM-SHA-256', credential]]) }), random);
  const first = await server.step(Buffer.from('n,,n=alice,r=own'));
  const serverFirst = Buffer.from(first.kind === 'challenge' ? first.bytes : []).toString();
  const nonce = /^r=([^,]*)/.exec(serverFirst)![1]!;
  const finish = (sent: string): Promise<SaslStep<string>> => {
    const withoutProof = `c=biws,r=${sent}`;
    const salted = pbkdf2Sync('secret', credential.salt, credential.iterations, 32, 'sha256');
    const clientKey = createHmac('sha256', salted).update('Client Key').digest();
    const authMessage = `n=alice,r=own,${serverFirst},${withoutProof}`;
    const signature = createHmac('sha256', credential.storedKey).update(authMessage).digest();
    const proof = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!)).toString('base64');
    return server.step(Buffer.from(`${withoutProof},p=${proof}`));
  };
  assert.equal((await finish(`own${nonce}`)).kind, 'done');
});

test('a flag that says the client could bind channels, had we offered it, is taken', async () => {
  const tamper = (message: string, who: string): string =>
    who === 'client' ? message.replace(/^n,,/, 'y,,').replace(/^c=biws/, 'c=eSws') : message;
  // The proof covers the header, so a changed one is found out; a client of its own makes a right one.
  assert.match(failure((await attempt('alice', 'secret', tamper)).result).reason, /wrong password/);
});

for (const [what, tamper, code] of [
  ['a nonce that does not extend ours', replace('server', /^r=./, 'r=!'), 'MR4102'],
  [
    'a nonce that adds nothing',
    (m: string, who: string) => (who === 'server' ? m.replace(/^r=(.{32})[^,]*/, 'r=$1') : m),
    'MR4102',
  ],
  ['too few iterations', replace('server', /i=4096/, 'i=4095'), 'MR4104'],
  ['too many iterations', replace('server', /i=4096/, `i=${SCRAM_ITERATIONS_MAX + 1}`), 'MR4104'],
  ['iterations that are no number', replace('server', /i=4096/, 'i=1e9'), 'MR4104'],
  ['an empty salt', replace('server', /s=[^,]*/, 's='), 'MR4102'],
  ['a mandatory extension', replace('server', /^r=/, 'm=x,r='), 'MR4102'],
  ['an error in place of a challenge', replace('server', /^r=.*/, 'e=other-error'), 'MR4105'],
  ['a signature of somebody else', replace('server', /^v=.{4}/, 'v=AAAA'), 'MR4103'],
  ['a signature of another length', replace('server', /^v=.*/, 'v=AAAA'), 'MR4103'],
  ['an error at the end', replace('server', /^v=.*/, 'e=invalid-proof'), 'MR4105'],
  ['nothing at the end', replace('server', /^v=.*/, ''), 'MR4102'],
] as const) {
  test(`the client refuses ${what}`, async () => {
    await assert.rejects(
      attempt('alice', 'secret', tamper),
      error => error instanceof MillraceError && error.code === code,
    );
  });
}

test('a credential made by an administrator’s client is the same as one made here', async () => {
  const here = await scramCredential('SCRAM-SHA-512', 'secret', random, 8_192);
  const salted = await scramSaltedPassword('SCRAM-SHA-512', 'secret', here.salt, 8_192);
  assert.deepEqual(scramCredentialFromSalted('SCRAM-SHA-512', salted, here.salt, 8_192), here);
});

test('credentials out of bounds are refused', async () => {
  const salted = new Uint8Array(32);
  const salt = new Uint8Array(8);
  for (const make of [
    () => scramCredentialFromSalted('SCRAM-SHA-256', salted, salt, 4_095),
    () => scramCredentialFromSalted('SCRAM-SHA-256', salted, salt, SCRAM_ITERATIONS_MAX + 1),
    () => scramCredentialFromSalted('SCRAM-SHA-256', salted, new Uint8Array(0), 4_096),
    () => scramCredentialFromSalted('SCRAM-SHA-512', salted, salt, 4_096),
    () => scramCredentialFromSalted('SCRAM-MD5', salted, salt, 4_096),
  ]) {
    assert.throws(make, MillraceError);
  }
  await assert.rejects(scramCredential('SCRAM-SHA-256', '', random), MillraceError);
});

test('a half that is used twice, or with bytes that are no text, fails cleanly', async () => {
  const mechanism: SaslMechanism = scramSha256;
  const scram = new Map([['alice SCRAM-SHA-256', await scramCredential('SCRAM-SHA-256', 'secret', random)]]);
  const server = mechanism.server(authorityOf({ scram }), random);
  assert.equal((await server.step(Buffer.from('n,,n=alice,r=abc'))).kind, 'challenge');
  assert.equal((await server.step(Buffer.from([0xff, 0xfe]))).kind, 'failed');
  assert.equal((await server.step(Buffer.from('c=biws,r=abc,p=AAAA'))).kind, 'failed');
  assert.equal((await mechanism.server(authorityOf({ scram }), random).step(Buffer.alloc(20_000, 'n'))).kind, 'failed');
});
