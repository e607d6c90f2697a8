/** PLAIN: both halves, and every malformed token. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError, sameSecret } from '../base/index.ts';
import { authorityOf, exchange, random } from './exchange-cases.ts';
import { saslErrors } from './errors.ts';
import { invalidCredentials } from './mechanism.ts';
import { plain } from './plain.ts';

const authority = authorityOf({
  verifyPassword: (username, password) =>
    username === 'shop' && sameSecret(password, 'id#se#cret')
      ? { kind: 'proved', identity: username }
      : {
          kind: 'refused',
          error: saslErrors.refused({ mechanism: 'PLAIN', who: username, reason: 'wrong password' }),
          message: invalidCredentials('PLAIN'),
        },
});

test('the right password proves the user; nothing but an empty answer follows', async () => {
  const { messages, result } = await exchange(plain, { username: 'shop', password: 'id#se#cret' }, authority);
  assert.deepEqual(messages, ['\0shop\0id#se#cret', '']);
  assert.deepEqual(result?.kind === 'done' && result.identity, 'shop');
});

for (const [what, token, told] of [
  ['a wrong password', '\0shop\0guess', /invalid credentials/],
  ['an unknown user', '\0nobody\0id#se#cret', /invalid credentials/],
  ['another authorisation id', 'root\0shop\0id#se#cret', /invalid credentials/],
  ['an empty user name', '\0\0x', /user name is empty/],
  ['an empty password', '\0shop\0', /password is empty/],
  ['a token of two parts', 'shop\0x', /NUL/],
  ['a token of four parts', '\0shop\0x\0y', /NUL/],
  ['an empty token', '', /NUL/],
] as const) {
  test(`${what} is refused`, async () => {
    const step = await plain.server(authority, random).step(Buffer.from(token));
    assert.equal(step.kind, 'failed');
    assert.match(step.kind === 'failed' ? step.message : '', told);
    assert.doesNotMatch(JSON.stringify(step), /se#cret/);
  });
}

test('the user may be named as authorisation id, too', async () => {
  assert.equal((await plain.server(authority, random).step(Buffer.from('shop\0shop\0id#se#cret'))).kind, 'done');
});

test('bytes that are no UTF-8, and a second token, are refused', async () => {
  const server = plain.server(authority, random);
  assert.equal((await server.step(Buffer.from([0, 0xff, 0, 0xff]))).kind, 'failed');
  assert.equal((await server.step(Buffer.from('\0shop\0id#se#cret'))).kind, 'failed');
});

test('a client without user or password says what is missing', () => {
  for (const credentials of [{}, { username: 'x' }, { password: 'x' }])
    assert.throws(() => plain.client(credentials, random), MillraceError);
});
