/** Where secrets are found, and that texts lose them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeIo } from '../../base/io/node.ts';
import { openSecrets } from './index.ts';

const { files } = nodeIo();

test('a name is looked up in the environment, then in the configuration, whatever its case', () => {
  const environment = {
    MILLRACE_SECRETS__A: 'own',
    TENZIR_SECRETS__A: 'other',
    TENZIR_SECRETS__B_C: 'dashed',
    PLAIN: 'variable',
  };
  const secrets = openSecrets({ environment, files }, { a: 'configured', d: 'only here' });
  const found = ['a', 'A', 'b-c', 'b.c', 'D', 'e', 'env:PLAIN', 'env:NONE', 'vault:x', 'PLAIN'];
  assert.deepEqual(
    found.map(name => secrets.get(name)),
    ['own', 'own', 'dashed', 'dashed', 'only here', undefined, 'variable', undefined, undefined, undefined],
  );
});

test('a file holds a secret without its last line end; one that is not there has none', t => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-secrets-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const secrets = openSecrets({ environment: {}, files }, {});
  const contents = { a: 'token\n', b: 'token\r\n', c: 'two\nlines\n\n', d: '', e: 'ü' };
  for (const [name, content] of Object.entries(contents)) writeFileSync(join(directory, name), content);
  assert.deepEqual(
    [...Object.keys(contents), 'none'].map(name => secrets.get(`file:${join(directory, name)}`)),
    ['token', 'token', 'two\nlines\n', '', 'ü', undefined],
  );
  assert.throws(() => secrets.get(`file:${directory}`), { code: 'MR7602' });
  assert.throws(() => secrets.get('file:/dev/zero'), { code: 'MR7602' });
});

test('what was found is masked, the longer one first; short texts are left alone', () => {
  const secrets = openSecrets(
    { environment: {}, files },
    { a: 'hushhush', b: 'hushhush hush', c: 'token', d: 'unasked' },
  );
  for (const name of ['a', 'b', 'c']) secrets.get(name);
  assert.equal(secrets.mask('say hushhush hush, hushhush and token, unasked'), 'say ***, *** and token, unasked');
});
