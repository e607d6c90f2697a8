/** The receiver answers as Splunk documents it for its HTTP Event Collector. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { HecReceiver } from './hec-receiver.ts';

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function open(
  t: TestContext,
  acknowledges = false,
): Promise<{
  receiver: HecReceiver;
  post: (path: string, body: string | Uint8Array, headers?: Record<string, string>) => Promise<Answer>;
}> {
  const receiver = await HecReceiver.start({ token: 'secret', acknowledges });
  t.after(() => receiver.close());
  const post = async (
    path: string,
    body: string | Uint8Array,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const answer = await fetch(`${receiver.url}/services/collector${path}`, {
      method: 'POST',
      body: Buffer.from(body),
      headers: { authorization: 'Splunk secret', ...headers },
    });
    const text = await answer.text();
    return { status: answer.status, body: text.startsWith('{') ? JSON.parse(text) : text };
  };
  return { receiver, post };
}

const CHANNEL = { 'x-splunk-request-channel': '00000000-0000-0000-0000-000000000001' };

test('a token is required, must be well-formed and right', async t => {
  const { post, receiver } = await open(t);
  const bare = await fetch(`${receiver.url}/services/collector/event`, { method: 'POST', body: '{"event": 1}' });
  assert.deepEqual([bare.status, await bare.json()], [401, { text: 'Token is required', code: 2 }]);
  assert.deepEqual(await post('/event', '{"event": 1}', { authorization: 'Bearer x' }), {
    status: 401,
    body: { text: 'Invalid authorization', code: 3 },
  });
  for (const token of ['wrong!', 'secre', 'secret2', ''])
    assert.deepEqual(
      await post('/event', '{"event": 1}', { authorization: `Splunk ${token} ` }),
      token === ''
        ? { status: 401, body: { text: 'Invalid authorization', code: 3 } }
        : { status: 403, body: { text: 'Invalid token', code: 4 } },
    );
  assert.equal(receiver.events, 0);
});

test('envelopes one after another are taken, packed or not, at each of the three paths', async t => {
  const { post, receiver } = await open(t);
  const success = { status: 200, body: { text: 'Success', code: 0 } };
  assert.deepEqual(await post('/event', '{"event": {"a": 1}}{"event": "b"}\n {"event": "c"}'), success);
  assert.deepEqual(await post('', gzipSync('{"event": 1}'), { 'content-encoding': 'gzip' }), success);
  assert.deepEqual(await post('/event/1.0', '{"event": 1}'), success);
  assert.deepEqual(await post('/raw', 'line 1\nline 2\n'), success);
  assert.equal(receiver.events, 7);
});

test('of what is wrong the number of the event is told, and nothing of the request is taken', async t => {
  const { post, receiver } = await open(t);
  const refused = (code: number, text: string, event: number): Answer => ({
    status: 400,
    body: { text, code, 'invalid-event-number': event },
  });
  assert.deepEqual(await post('/event', '{"event": 1}{"event": '), refused(6, 'Invalid data format', 1));
  assert.deepEqual(await post('/event', '[1]'), refused(6, 'Invalid data format', 0));
  assert.deepEqual(await post('/event', '{"event": 1}{"evnt": 1}'), refused(12, 'Event field is required', 1));
  assert.deepEqual(await post('/event', '{"event": ""}'), refused(13, 'Event field cannot be blank', 0));
  assert.deepEqual(await post('/event', ''), { status: 400, body: { text: 'No data', code: 5 } });
  assert.deepEqual(await post('/event', 'no gzip', { 'content-encoding': 'gzip' }), {
    status: 400,
    body: { text: 'Invalid data format', code: 6 },
  });
  assert.equal((await post('/nowhere', 'x')).status, 404);
  assert.equal(receiver.events, 0);
});

test('an acknowledgement needs a channel, is told once, and asking for it wrongly breaks nothing', async t => {
  const { post } = await open(t, true);
  assert.deepEqual(await post('/event', '{"event": 1}'), {
    status: 400,
    body: { text: 'Data channel is missing', code: 10 },
  });
  assert.deepEqual((await post('/event', '{"event": 1}', CHANNEL)).body, { text: 'Success', code: 0, ackId: 0 });
  assert.deepEqual((await post('/event?channel=x', '{"event": 1}')).body, { text: 'Success', code: 0, ackId: 1 });
  assert.deepEqual((await post('/ack', '{"acks": [0, 1, 7]}', CHANNEL)).body, { acks: { 0: true, 1: true, 7: false } });
  assert.deepEqual((await post('/ack', '{"acks": [0]}', CHANNEL)).body, { acks: { 0: false } });
  for (const body of ['', '{', 'null', '{"acks": 1}'])
    assert.deepEqual(
      await post('/ack', body, CHANNEL),
      { status: 400, body: { text: 'Invalid data format', code: 6 } },
      body,
    );
  const { post: plain } = await open(t, false);
  assert.deepEqual(await plain('/ack', '{"acks": [0]}', CHANNEL), {
    status: 400,
    body: { text: 'ACK is disabled', code: 14 },
  });
});

test('health is told without a token', async t => {
  const { receiver } = await open(t);
  const health = async (): Promise<unknown> => (await fetch(`${receiver.url}/services/collector/health`)).json();
  assert.deepEqual(await health(), { text: 'HEC is healthy', code: 17 });
  receiver.fault = 'busy';
  assert.deepEqual(await health(), { text: 'Server is busy', code: 9 });
});
