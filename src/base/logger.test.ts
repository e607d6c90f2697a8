/** Repeats in the log, with a clock that the test moves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from './io/types.ts';
import { limitRepeats, textLogger } from './logger.ts';

test('a message that repeats is printed once a period, and then how often it came besides', () => {
  const due: (() => void)[] = [];
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    after: (_ms, callback) => {
      due.push(callback);
      return { cancel: () => undefined };
    },
  };
  const lines: string[] = [];
  const logger = limitRepeats(
    textLogger(
      'info',
      () => 0,
      line => lines.push(line.slice(9)),
    ),
    clock,
  );
  for (let i = 0; i < 5; i++) logger.warn('refused', { code: 'MR1' });
  logger.warn('another');
  logger.debug('below the level');
  assert.deepEqual(lines, ['warn  refused code=MR1', 'warn  another']);
  for (const run of due.splice(0)) run();
  assert.deepEqual(lines.slice(2), ['warn  refused code=MR1 repeated=4']);
  logger.warn('refused');
  assert.equal(lines.length, 4, 'a new period begins with the message itself');
});

test('of very many different messages the oldest counts are told early, so that memory stays bounded', () => {
  const lines: string[] = [];
  const never: Clock = { now: () => 0, monotonic: () => 0, after: () => ({ cancel: () => undefined }) };
  const logger = limitRepeats(
    textLogger(
      'info',
      () => 0,
      line => lines.push(line.slice(9)),
    ),
    never,
  );
  logger.warn('first');
  logger.warn('first');
  for (let i = 0; i < 1_000; i++) logger.warn(`message ${i}`);
  assert.ok(lines.includes('warn  first repeated=1'));
});
