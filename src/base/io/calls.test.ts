/** Calls between two ends of a channel. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Calls } from './calls.ts';
import { portPair } from './inline.ts';

interface Adder {
  add(a: number, b: number): number;
  fail(): Promise<void>;
  never(): Promise<void>;
}

function ends(): [Calls, Calls] {
  const [left, right] = portPair();
  return [new Calls(left), new Calls(right)];
}

test('a call is answered by what the other end serves, in both directions', async () => {
  const [left, right] = ends();
  const adder = { add: (a: number, b: number) => a + b };
  left.serve('adder', adder);
  right.serve('adder', { add: (a: number, b: number) => Promise.resolve(100 + a + b) });
  assert.equal(await right.remote<Adder>('adder').add(1, 2), 3);
  assert.equal(await left.remote<Adder>('adder').add(1, 2), 103);
});

test('a failure keeps its message and code; an unknown method is a failure', async () => {
  const [left, right] = ends();
  left.serve('adder', { fail: () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })) });
  await assert.rejects(right.remote<Adder>('adder').fail(), { message: 'full', code: 'ENOSPC' });
  await assert.rejects(right.remote<Adder>('adder').add(1, 2), /nothing is served as adder.add/);
});

test('closing fails what is open and what comes later', async () => {
  const [left, right] = ends();
  left.serve('adder', { never: () => new Promise(() => undefined) });
  const open = right.remote<Adder>('adder').never();
  right.close(new Error('the thread ended'));
  await assert.rejects(open, /the thread ended/);
  await assert.rejects(right.remote<Adder>('adder').add(1, 2), /the thread ended/);
});
