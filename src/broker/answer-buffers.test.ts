/** The pool of answers: what is used again, what is kept. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerBuffers } from './answer-buffers.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

test('what was given back is used again by what fits into it', () => {
  const buffers = new AnswerBuffers();
  const first = buffers.take(900 * KIB);
  assert.equal(first.length, MIB);
  assert.notEqual(buffers.take(900 * KIB), first, 'it is with one answer at a time');
  buffers.give(first);
  assert.notEqual(buffers.take(300 * KIB), first);
  assert.equal(buffers.take(MIB), first);
});

test('any size is at least what was asked for', () => {
  const buffers = new AnswerBuffers();
  for (const bytes of [0, 1, 8191, 8192, 8193, 16_384, 16_385, MIB - 1, MIB, MIB + 1, 4 * MIB, 4 * MIB + 1, 50 * MIB]) {
    const buffer = buffers.take(bytes);
    assert.ok(buffer.length >= bytes && buffer.length <= Math.max(2 * bytes, 16_384), `${bytes}: ${buffer.length}`);
    buffers.give(buffer);
    assert.ok(buffers.take(bytes).length >= bytes);
  }
});

test('what is kept stays below its limit, whatever is given back', () => {
  const buffers = new AnswerBuffers();
  const taken = Array.from({ length: 20 }, () => buffers.take(4 * MIB));
  const small = Array.from({ length: 3_000 }, () => buffers.take(16 * KIB));
  const all = new Set([...taken, ...small]);
  assert.equal(all.size, 3_020);
  for (const buffer of all) buffers.give(buffer);
  const again = [
    ...Array.from({ length: 20 }, () => buffers.take(4 * MIB)),
    ...Array.from({ length: 3_000 }, () => buffers.take(16 * KIB)),
  ].filter(buffer => all.has(buffer));
  assert.equal(
    again.reduce((sum, { length }) => sum + length, 0),
    32 * MIB,
  );
});
