/** Stored SCRAM credentials: durable, changed whole or not at all, and never those of the configuration. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../base/index.ts';
import { mechanismOf, scramSaltedPassword } from '../../sasl/index.ts';
import { openMemoryLog } from '../../testing/memory-log.ts';
import { type ScramUpsertion, ScramUsers } from './scram-users.ts';
import { userAuthority } from './users.ts';

const SALT = Buffer.from('0123456789abcdef');

async function upsertion(user: string, mechanism: string, password: string): Promise<ScramUpsertion> {
  const saltedPassword = await scramSaltedPassword(mechanism, password, SALT, 4_096);
  return { user, mechanism, iterations: 4_096, salt: SALT, saltedPassword };
}

test('a stored user proves its password after the log was reopened; a deleted one does not', async () => {
  const first = await openMemoryLog();
  const users = await ScramUsers.open(first.io, first.log, []);
  const results = await users.alter([], [await upsertion('alice', 'SCRAM-SHA-512', 'secret')]);
  assert.deepEqual([...results], [['alice', undefined]]);
  await first.log.close();

  const second = await openMemoryLog(first.disk);
  const again = await ScramUsers.open(second.io, second.log, []);
  const authority = userAuthority({ io: second.io, users: [], scramUsers: again, tokens: undefined });
  const prove = async (password: string): Promise<string> => {
    const random = new SeededRandom(1);
    const mechanism = mechanismOf('SCRAM-SHA-512');
    const client = mechanism.client({ username: 'alice', password }, random);
    const server = mechanism.server(authority, random);
    let step = await server.step((await client.step(undefined))!);
    step = await server.step((await client.step(step.kind === 'challenge' ? step.bytes : undefined))!);
    return step.kind;
  };
  assert.deepEqual([await prove('secret'), await prove('guess')], ['done', 'failed']);
  await again.alter([{ user: 'alice', mechanism: 'SCRAM-SHA-512' }], []);
  assert.equal(await prove('secret'), 'failed');
  assert.equal(again.list().size, 0);
  await second.log.close();
});

test('the changes of one user are made whole or not at all, and say why', async () => {
  const { io, log } = await openMemoryLog();
  const users = await ScramUsers.open(io, log, [{ name: 'admin', password: 'x' }]);
  const good = await upsertion('bob', 'SCRAM-SHA-256', 'secret');
  const results = await users.alter(
    [
      { user: 'nobody', mechanism: 'SCRAM-SHA-256' },
      { user: 'admin', mechanism: 'SCRAM-SHA-256' },
      { user: 'mixed', mechanism: 'SCRAM-SHA-256' },
    ],
    [
      good,
      { ...good, user: 'weak', iterations: 100 },
      { ...good, user: 'short', saltedPassword: new Uint8Array(3) },
      { ...good, user: 'twice' },
      { ...good, user: 'twice' },
      { ...good, user: 'mixed', mechanism: 'SCRAM-SHA-512', saltedPassword: new Uint8Array(64) },
      { ...good, user: 'odd', mechanism: 'SCRAM-MD5' },
      { ...good, user: '' },
    ],
  );
  const codes = Object.fromEntries([...results].map(([user, error]) => [user, error?.row.kafka ?? 0]));
  assert.deepEqual(codes, {
    nobody: 91,
    admin: 93,
    mixed: 91,
    bob: 0,
    weak: 93,
    short: 93,
    twice: 92,
    odd: 33,
    '': 93,
  });
  const both = [
    { mechanism: 'SCRAM-SHA-256', iterations: 4_096 },
    { mechanism: 'SCRAM-SHA-512', iterations: 4_096 },
  ];
  assert.deepEqual(
    [...users.list()],
    [
      ['admin', both],
      ['bob', both.slice(0, 1)],
    ],
  );
  await log.close();
});
