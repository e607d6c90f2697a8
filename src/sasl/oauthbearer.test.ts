/** OAUTHBEARER: framing, tokens under published and fresh keys, key sets from files and addresses, token providers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { type HttpRequest, type Io, MillraceError } from '../base/index.ts';
import { authorityOf, exchange, random, standingIo } from './exchange-cases.ts';
import { saslErrors } from './errors.ts';
import { TOKEN_RULES, type TokenRules, verifyToken } from './jwt.ts';
import { KeySet } from './key-set.ts';
import type { SaslAuthority } from './mechanism.ts';
import { oauthbearer } from './oauthbearer.ts';
import { staticToken, tokenFromEndpoint, tokenFromFile, unsecuredToken } from './tokens.ts';

/** RFC 7515 A.2 and A.3: the same claims, which end at 1300819380, under an RSA and an elliptic key. */
const PAYLOAD = 'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ';
const END_MS = 1_300_819_380_000;
const RFC_KEYS = {
  keys: [
    {
      kty: 'RSA',
      n:
        'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W' +
        '_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4' +
        'uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
      e: 'AQAB',
    },
    {
      kty: 'EC',
      crv: 'P-256',
      x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
      y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
    },
  ],
};
const RS256 =
  `eyJhbGciOiJSUzI1NiJ9.${PAYLOAD}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG` +
  'bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--' +
  'xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw';
const ES256 = `eyJhbGciOiJFUzI1NiJ9.${PAYLOAD}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q`;

function rulesOver(io: Io, more: Partial<TokenRules> = {}): TokenRules {
  return { ...TOKEN_RULES, keys: new KeySet(io, { place: '/keys.json' }), ...more };
}

test('the tokens of RFC 7515 are taken until their end, and refused behind it', async () => {
  let nowMs = END_MS - 10_000;
  const io = standingIo({ nowMs: () => nowMs, files: new Map([['/keys.json', JSON.stringify(RFC_KEYS)]]) });
  const rules = rulesOver(io, { principalClaim: 'iss', clockSkewMs: 5_000 });
  for (const token of [RS256, ES256])
    assert.deepEqual(await verifyToken(io, rules, token), { principal: 'joe', expiresMs: END_MS });
  nowMs = END_MS + 4_000;
  assert.equal((await verifyToken(io, rules, ES256)).principal, 'joe');
  nowMs = END_MS + 6_000;
  await assert.rejects(verifyToken(io, rules, ES256), refusedFor(/exp/));
  nowMs = END_MS - 10_000;
  const changed = ES256.replace('.Dt', '.Du');
  await assert.rejects(verifyToken(io, rules, changed), refusedFor(/signature/i));
});

function refusedFor(reason: RegExp): (error: unknown) => boolean {
  return error => error instanceof MillraceError && error.code === 'MR4108' && reason.test(error.message);
}

const NOW_MS = 1_700_000_000_000;
const pair = await generateKeyPair('ES256', { extractable: true });
const publicKey: JWK = { ...(await exportJWK(pair.publicKey)), kid: 'one' };

function sign(claims: Record<string, unknown>, kid = 'one'): Promise<string> {
  const exp = NOW_MS / 1_000 + 600;
  return new SignJWT({ sub: 'alice', iss: 'https://id', aud: 'kafka', scope: 'read write', exp, ...claims })
    .setProtectedHeader({ alg: 'ES256', kid })
    .sign(pair.privateKey);
}

const RULES: Partial<TokenRules> = { issuers: ['https://id'], audiences: ['kafka', 'other'], scopes: ['write'] };
const fresh = standingIo({
  nowMs: () => NOW_MS,
  files: new Map([['/keys.json', JSON.stringify({ keys: [publicKey] })]]),
});

test('issuer, audience, scope, times and subject are checked', async () => {
  const rules = rulesOver(fresh, RULES);
  assert.equal((await verifyToken(fresh, rules, await sign({}))).principal, 'alice');
  assert.equal(
    (await verifyToken(fresh, rules, await sign({ scope: ['write'], aud: ['x', 'other'] }))).principal,
    'alice',
  );
  for (const [claims, reason] of [
    [{ iss: 'https://evil' }, /iss/],
    [{ aud: 'web' }, /aud/],
    [{ aud: undefined }, /aud/],
    [{ scope: 'read' }, /scope write/],
    [{ scope: undefined }, /scope write/],
    [{ exp: NOW_MS / 1_000 - 31 }, /exp/],
    [{ exp: undefined }, /exp/],
    [{ nbf: NOW_MS / 1_000 + 31 }, /nbf/],
    [{ sub: undefined }, /sub/],
    [{ sub: '' }, /sub/],
    [{ sub: 7 }, /sub/],
  ] as const) {
    await assert.rejects(verifyToken(fresh, rules, await sign(claims)), refusedFor(reason));
  }
});

test('a token under an unknown key, without a signature, or signed with the public key as a secret is refused', async () => {
  const rules = rulesOver(fresh, RULES);
  await assert.rejects(verifyToken(fresh, rules, await sign({}, 'two')), refusedFor(/key/));
  const unsigned = await unsecuredToken(
    fresh,
    { sub: 'alice', iss: 'https://id', aud: 'kafka', scope: 'write' },
    60_000,
  ).token();
  await assert.rejects(verifyToken(fresh, rules, unsigned), refusedFor(/not signed/));
  const asSecret = await new SignJWT({ sub: 'alice', exp: NOW_MS / 1_000 + 60 })
    .setProtectedHeader({ alg: 'HS256', kid: 'one' })
    .sign(Buffer.from(JSON.stringify(publicKey)));
  await assert.rejects(verifyToken(fresh, rulesOver(fresh), asSecret), refusedFor(/alg/i));
  await assert.rejects(verifyToken(fresh, rules, 'not a token'), refusedFor(/./));
  await assert.rejects(verifyToken(fresh, rules, 'x'.repeat(70_000)), refusedFor(/bytes/));
});

test('an unsecured token is taken where it was asked for by name, and its claims still count', async () => {
  const rules: TokenRules = { ...TOKEN_RULES, acceptsUnsecured: true, scopes: ['write'] };
  const token = (scope: string): Promise<string> => unsecuredToken(fresh, { sub: 'alice', scope }, 60_000).token();
  assert.deepEqual(await verifyToken(fresh, rules, await token('write')), {
    principal: 'alice',
    expiresMs: NOW_MS + 60_000,
  });
  await assert.rejects(verifyToken(fresh, rules, await token('read')), refusedFor(/scope/));
  await assert.rejects(verifyToken(fresh, rules, await sign({})), refusedFor(/no keys/));
});

test('keys without names are tried in turn', async () => {
  const other = await generateKeyPair('ES256', { extractable: true });
  const { kid: _kid, ...nameless } = publicKey;
  const keys = JSON.stringify({ keys: [await exportJWK(other.publicKey), nameless] });
  const io = standingIo({ nowMs: () => NOW_MS, files: new Map([['/keys.json', keys]]) });
  const token = await new SignJWT({ sub: 'alice', exp: NOW_MS / 1_000 + 60 })
    .setProtectedHeader({ alg: 'ES256' })
    .sign(pair.privateKey);
  assert.equal((await verifyToken(io, rulesOver(io), token)).principal, 'alice');
});

test('a key set at an address is fetched once, again for an unknown key but not at will, and kept when it fails', async () => {
  let nowMs = NOW_MS;
  let status = 200;
  const served: JWK[] = [{ ...publicKey, kid: 'old' }];
  const asked: string[] = [];
  const io = standingIo({
    nowMs: () => nowMs,
    request: async ({ url }) => {
      asked.push(url);
      return { status, body: Buffer.from(JSON.stringify({ keys: served })) };
    },
  });
  const rules: TokenRules = { ...TOKEN_RULES, keys: new KeySet(io, { place: 'https://id/keys' }) };
  await Promise.all([sign({}, 'old'), sign({}, 'old')].map(async token => verifyToken(io, rules, await token)));
  assert.deepEqual(asked, ['https://id/keys']);
  await assert.rejects(verifyToken(io, rules, await sign({})), refusedFor(/key/));
  await assert.rejects(verifyToken(io, rules, await sign({})), refusedFor(/key/));
  assert.equal(asked.length, 1, 'within the pause nobody makes us ask');
  served.push(publicKey);
  nowMs += 11_000;
  assert.equal((await verifyToken(io, rules, await sign({}))).principal, 'alice');
  assert.equal(asked.length, 2);
  status = 500;
  nowMs += 4_000_000;
  const late = await sign({ exp: nowMs / 1_000 + 60 });
  assert.equal((await verifyToken(io, rules, late)).principal, 'alice');
  assert.equal(asked.length, 3);
  nowMs += 100_000_000;
  await assert.rejects(
    verifyToken(io, rules, await sign({ exp: nowMs / 1_000 + 60 })),
    error => error instanceof MillraceError && error.code === 'MR4109' && /status 500/.test(error.message),
  );
});

const authority: SaslAuthority<string> = authorityOf({
  verifyToken: async token =>
    token === 'good'
      ? { kind: 'proved', identity: 'alice', expiresMs: 5 }
      : { kind: 'refused', error: saslErrors.tokenRefused({ reason: 'it is bad' }), message: 'bad token' },
});

test('a good token is answered with nothing, a bad one with the reason and then the failure', async () => {
  const good = await exchange(oauthbearer, { tokens: staticToken('good') }, authority);
  assert.deepEqual(good.messages, ['n,,\x01auth=Bearer good\x01\x01', '']);
  assert.deepEqual(good.result, { kind: 'done', identity: 'alice', expiresMs: 5, bytes: new Uint8Array(0) });
  const bad = await exchange(oauthbearer, { tokens: staticToken('bad') }, authority);
  assert.deepEqual(bad.messages, ['n,,\x01auth=Bearer bad\x01\x01', '{"status":"invalid_token"}', '\x01']);
  assert.equal(bad.result?.kind === 'failed' && bad.result.message, 'bad token');
});

for (const [what, message] of [
  ['no GS2 header', '\x01auth=Bearer good\x01\x01'],
  ['channel binding', 'p=x,,\x01auth=Bearer good\x01\x01'],
  ['another scheme', 'n,,\x01auth=Basic good\x01\x01'],
  ['two tokens', 'n,,\x01auth=Bearer good\x01auth=Bearer good\x01\x01'],
  ['no token', 'n,,\x01host=x\x01\x01'],
  ['an extension with a digit in its name', 'n,,\x01auth=Bearer good\x01a1=x\x01\x01'],
  ['no end', 'n,,\x01auth=Bearer good\x01'],
] as const) {
  test(`a message with ${what} is refused`, async () => {
    assert.equal((await oauthbearer.server(authority, random).step(Buffer.from(message))).kind, 'failed');
  });
}

test('extensions are taken', async () => {
  const extensions = [['traceId', 'a b']] as const;
  const { messages } = await exchange(oauthbearer, { tokens: staticToken('good'), extensions }, authority);
  assert.equal(messages[0], 'n,,\x01auth=Bearer good\x01traceId=a b\x01\x01');
  for (const wrong of [
    ['auth', 'x'],
    ['a1', 'x'],
    ['a', '\x01'],
  ] as const)
    assert.throws(
      () => oauthbearer.client({ tokens: staticToken('good'), extensions: [wrong] }, random),
      MillraceError,
    );
  const message = 'n,a=alice,\x01auth=Bearer good\x01traceId=a b\x01\x01';
  assert.equal((await oauthbearer.server(authority, random).step(Buffer.from(message))).kind, 'done');
});

test('tokens come from a file as it is now, and from an endpoint once for most of their life', async () => {
  let nowMs = 0;
  const files = new Map([['/token', 'first\n']]);
  const asked: HttpRequest[] = [];
  let answer = { status: 200, body: '{"access_token":"t1","expires_in":100}' };
  const io = standingIo({
    nowMs: () => nowMs,
    files,
    request: async request => {
      asked.push(request);
      return { status: answer.status, body: Buffer.from(answer.body) };
    },
  });
  const file = tokenFromFile(io, '/token');
  assert.equal(await file.token(), 'first');
  files.set('/token', 'second');
  assert.equal(await file.token(), 'second');
  await assert.rejects(tokenFromFile(io, '/none').token(), MillraceError);

  const endpoint = { url: 'https://id/token', clientId: 'my app', clientSecret: 's:e/cret', scope: 'kafka' };
  const tokens = tokenFromEndpoint(io, endpoint);
  assert.deepEqual(await Promise.all([tokens.token(), tokens.token()]), ['t1', 't1']);
  assert.equal(asked.length, 1);
  assert.equal(asked[0]!.body, 'grant_type=client_credentials&scope=kafka');
  const basic = asked[0]!.headers['authorization']!.replace('Basic ', '');
  assert.equal(Buffer.from(basic, 'base64').toString(), 'my%20app:s%3Ae%2Fcret');
  nowMs = 79_000;
  await tokens.token();
  assert.equal(asked.length, 1);
  answer = { status: 200, body: '{"access_token":"t2"}' };
  nowMs = 81_000;
  assert.equal(await tokens.token(), 't2');
  answer = { status: 401, body: '{"error":"invalid_client","error_description":"who?"}' };
  nowMs = 200_000;
  await assert.rejects(tokens.token(), error => {
    assert.ok(error instanceof MillraceError);
    assert.match(error.message, /status 401, invalid_client: who\?/);
    assert.doesNotMatch(error.message, /e\/cret/);
    return true;
  });
});
