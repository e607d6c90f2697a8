/** Places that a reset can name, and what they come to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadValue } from './command.ts';
import { newOffset, type PartitionState, resetTarget, topicChoice } from './offset-reset.ts';

const NOW = Date.parse('2026-01-02T00:00:00Z');
const STATE: PartitionState = { topic: 't', partition: 0, committed: 50, start: 10, end: 100 };

test('a place is read as offset, shift, age or time by its form', () => {
  assert.deepEqual(resetTarget('earliest', NOW), { kind: 'earliest' });
  assert.deepEqual(resetTarget('100', NOW), { kind: 'offset', offset: 100 });
  assert.deepEqual(resetTarget('-100', NOW), { kind: 'shift', by: -100 });
  assert.deepEqual(resetTarget('+5', NOW), { kind: 'shift', by: 5 });
  assert.deepEqual(resetTarget('-15m', NOW), { kind: 'time', timeMs: NOW - 900_000 });
  assert.deepEqual(resetTarget('2026-01-02T00:00:00Z', NOW), { kind: 'time', timeMs: NOW });
  for (const bad of ['', 'first', '1.5', '-5x', '2026-13-01T00:00:00Z', '1969-01-01T00:00:00Z'])
    assert.throws(() => resetTarget(bad, NOW), BadValue, bad);
});

test('a topic may be followed by partitions', () => {
  assert.deepEqual(topicChoice('a'), { topic: 'a', partitions: [] });
  assert.deepEqual(topicChoice('a.b:0,12'), { topic: 'a.b', partitions: [0, 12] });
  for (const bad of ['', ':1', 'a:1,', 'a:,']) assert.throws(() => topicChoice(bad), BadValue, bad);
});

test('new offsets stay within what the partition holds; who has none is shifted from the start', async () => {
  const at = async (text: string, state = STATE): Promise<number> =>
    newOffset(state, resetTarget(text, NOW), async (_topic, _partition, timeMs) => (timeMs === NOW ? 70 : 100));
  assert.deepEqual(
    await Promise.all(
      ['earliest', 'latest', '0', '60', '500', '-10', '-1000', '+1000', '2026-01-02'].map(text => at(text)),
    ),
    [10, 100, 10, 60, 100, 40, 10, 100, 70],
  );
  assert.equal(await at('+5', { ...STATE, committed: -1 }), 15);
});
