/** Refusals: bounded, by client and code, logged once a minute. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../base/index.ts';
import { ManualClock } from '../testing/sim/manual-io.ts';
import { brokerErrors } from './errors.ts';
import { Refusals } from './refusals.ts';

function make() {
  const clock = new ManualClock();
  const lines: { message: string; fields: unknown }[] = [];
  const logger = { ...silentLogger, warn: (message: string, fields?: unknown) => lines.push({ message, fields }) };
  return { clock, lines, refusals: new Refusals(logger, () => clock.now()) };
}

const client = { id: 'app', host: '10.0.0.1', software: 'librdkafka/2.0' };
const reason = (text: string) => brokerErrors.garbage({ reason: text });

test('a line names client, cause and remedy; repetitions are counted and told once a minute', async () => {
  const { clock, lines, refusals } = make();
  for (let i = 0; i < 5; i++) refusals.add(client, reason(`number ${i}`));
  assert.equal(lines.length, 1);
  assert.match(
    lines[0]!.message,
    /^refused app librdkafka\/2\.0 10\.0\.0\.1: bytes that are no Kafka request: number 0$/,
  );
  await clock.pass(60_000);
  refusals.add(client, reason('number 5'));
  assert.deepEqual((lines[1]!.fields as { repeated: number }).repeated, 5);
  const [entry] = refusals.list();
  assert.deepEqual([entry!.count, entry!.reason, refusals.total], [6, 'bytes that are no Kafka request: number 5', 6]);
});

test('many clients push out who was not heard of for longest; the total goes on', async () => {
  const { clock, lines, refusals } = make();
  refusals.add(client, reason('first'));
  for (let i = 0; i < 1_000; i++) {
    refusals.add({ ...client, host: `10.0.${i >> 8}.${i & 255}`, id: `c${i}` }, reason('x'));
    if (i % 100 === 0) refusals.add(client, reason('again'));
  }
  const list = refusals.list();
  assert.equal(list.length, 200);
  assert.ok(list.some(entry => entry.client.startsWith('app ')));
  assert.equal(refusals.total, 1_011);
  assert.equal(lines.length, 300, 'nobody fills the log');
  await clock.pass(60_000);
  refusals.add(client, reason('later'));
  assert.match(lines[300]!.message, /^701 more refusals/);
});

test('a client’s words are bounded and cannot write lines of their own', () => {
  const { lines, refusals } = make();
  refusals.add({ ...client, id: `evil\nrefused somebody else\u001b[31m${'x'.repeat(10_000)}` }, reason('a\rb'));
  const { message } = lines[0]!;
  assert.ok(!/[\u0000-\u001f]/.test(message) && message.length < 900, message);
});
