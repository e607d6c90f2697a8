/** The budget for requests: in the order of asking, never above the limit but for one that is larger than all of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientMemory } from './memory.ts';

const KIB = 1024;
const make = () => new ClientMemory({ requestBytesMax: 1_000 * KIB, answerBytesMax: 10 });

test('who asks first is served first, also when a later one would fit', () => {
  const memory = make();
  const served: string[] = [];
  const ask = (name: string, bytes: number): boolean => memory.take(bytes, () => served.push(name));
  assert.ok(ask('a', 700 * KIB));
  assert.ok(!ask('b', 500 * KIB));
  assert.ok(!ask('c', 100 * KIB));
  memory.give(700 * KIB);
  assert.deepEqual(served, ['b', 'c']);
  assert.equal(memory.requestBytes, 600 * KIB);
});

test('a frame larger than everything is alone, and small ones are free', () => {
  const memory = make();
  const served: string[] = [];
  assert.ok(memory.take(200 * KIB, () => undefined));
  assert.ok(!memory.take(5_000 * KIB, () => served.push('big')));
  assert.ok(!memory.take(100 * KIB, () => served.push('behind it')));
  assert.ok(memory.take(16 * KIB, () => assert.fail()));
  memory.give(16 * KIB);
  memory.give(200 * KIB);
  assert.deepEqual(served, ['big']);
  memory.give(5_000 * KIB);
  assert.deepEqual(served, ['big', 'behind it']);
});

test('who leaves the line lets those behind through', () => {
  const memory = make();
  const served: string[] = [];
  const big = (): void => void served.push('big');
  assert.ok(memory.take(600 * KIB, () => undefined));
  assert.ok(!memory.take(900 * KIB, big));
  assert.ok(!memory.take(100 * KIB, () => served.push('small')));
  memory.leave(big);
  assert.deepEqual(served, ['small']);
  memory.leave(big);
});

test('what answers may still hold is never below nothing', () => {
  const memory = make();
  memory.answerBytes = 25;
  assert.equal(memory.answerBytesLeft, 0);
});
