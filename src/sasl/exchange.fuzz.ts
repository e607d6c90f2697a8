/** Any bytes at any point of an exchange end it with a verdict, never with an exception, and never prove anybody. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError, type SeededRandom } from '../base/index.ts';
import { fuzzAsync } from '../testing/index.ts';
import { authorityOf } from './exchange-cases.ts';
import { mechanisms } from './index.ts';
import { saslErrors } from './errors.ts';
import type { SaslAuthority } from './mechanism.ts';
import { staticToken } from './tokens.ts';

const PIECES = [
  'n',
  'y',
  'p=x',
  ',',
  ',,',
  'a=',
  'n=',
  'r=',
  's=',
  'i=4096',
  'c=biws',
  'v=',
  'e=x',
  'm=',
  'alice',
  'AAAA',
  '=2C',
  '=',
  '\0',
  '\x01',
  'auth=Bearer ',
  't',
  'é',
  '\ud800',
];

const refused = { kind: 'refused', error: saslErrors.tokenRefused({ reason: 'no' }), message: 'no' } as const;
const authority: SaslAuthority<string> = {
  ...authorityOf({}),
  verifyPassword: () => refused,
  verifyToken: () => Promise.resolve(refused),
  scramCredential: username =>
    username === 'alice'
      ? {
          identity: username,
          credential: {
            salt: Buffer.alloc(8),
            iterations: 4_096,
            storedKey: Buffer.alloc(32, 1),
            serverKey: Buffer.alloc(32),
          },
        }
      : undefined,
};

function message(random: SeededRandom, valid: Uint8Array | undefined): Uint8Array {
  if (random.below(4) === 0) return random.bytes(random.below(60));
  if (valid && random.below(2) === 0) {
    const bytes = Uint8Array.from(valid);
    if (bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
    return bytes;
  }
  const count = random.below(12);
  return Buffer.from(Array.from({ length: count }, () => PIECES[random.below(PIECES.length)]).join(''));
}

test('servers judge every message', () =>
  fuzzAsync(1, async random => {
    const mechanism = mechanisms[random.below(mechanisms.length)]!;
    const server = mechanism.server(authority, random);
    const client = mechanism.client({ username: 'alice', password: 'x', tokens: staticToken('t') }, random);
    let valid = await client.step(undefined);
    for (let i = 0; i < 4; i++) {
      const isValid = i === 0 && random.below(2) === 0;
      const step = await server.step(isValid && valid ? valid : message(random, valid));
      assert.notEqual(step.kind, 'done');
      valid = undefined;
    }
  }));

test('clients believe no message', () =>
  fuzzAsync(1, async random => {
    const scram = mechanisms.filter(({ name }) => name.startsWith('SCRAM'));
    const mechanism = scram[random.below(scram.length)]!;
    const client = mechanism.client({ username: 'alice', password: 'x' }, random);
    await client.step(undefined);
    await assert.rejects(
      async () => {
        for (let i = 0; i < 3; i++) if ((await client.step(message(random, undefined))) === undefined) return;
      },
      (error: unknown) => error instanceof MillraceError,
    );
  }));
