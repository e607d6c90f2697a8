/** Bytes that wait: put together once, bounded, and skipped to the line's end when they were too many. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pending } from './pending.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (of: Uint8Array | undefined): string | undefined => of && Buffer.from(of).toString();

test('pieces come back as one, and what is kept comes first the next time', () => {
  const pending = new Pending();
  pending.add(bytes('ab'));
  pending.add(bytes('cd'));
  assert.equal(text(pending.take()), 'abcd');
  assert.equal(pending.keep(bytes('cd')), undefined);
  pending.add(bytes('ef'));
  assert.equal(text(pending.take()), 'cdef');
});

test('what was added may change behind its back', () => {
  const pending = new Pending();
  const slab = bytes('ab');
  pending.add(slab);
  slab.fill(0);
  assert.equal(text(pending.take()), 'ab');
});

test('an incomplete rest is worth another look when it has doubled', () => {
  const pending = new Pending();
  pending.add(bytes('abcd'));
  assert.equal(pending.hasDoubled, true);
  pending.keep(pending.take());
  pending.add(bytes('efg'));
  assert.equal(pending.hasDoubled, false);
  pending.add(bytes('h'));
  assert.equal(pending.hasDoubled, true);
});

test('a rest beyond the limit is given up, and bytes up to the next line are left out', () => {
  const pending = new Pending(4);
  pending.add(bytes('abcde'));
  assert.equal(text(pending.keep(pending.take())), 'abcde');
  assert.equal(pending.add(bytes('fgh')).length, 0);
  assert.equal(text(pending.add(bytes('ij\nkl'))), 'kl');
  pending.add(bytes('m'));
  assert.equal(text(pending.take()), 'klm');
});
