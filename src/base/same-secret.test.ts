/** Secrets compare by their bytes, whatever their length. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sameSecret } from './same-secret.ts';

test('secrets are the same when all their bytes are', () => {
  assert.ok(sameSecret('sécret', Buffer.from('sécret')));
  for (const other of ['', 'secret', 'sécret ', 'sécre']) assert.ok(!sameSecret('sécret', other));
});
