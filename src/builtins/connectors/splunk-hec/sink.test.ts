/**
 * `to_splunk` against each answer that a collector gives (the table in `endpoint.ts`), in simulated time: what is settled, what
 * is sent again and when, what a balance gives to whom, and that the ledger adds up.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineOperator } from '../../../sdk/index.ts';
import { assertBalanced, type Fields, type Stand, standOf } from '../../../testing/index.ts';
import { eventsOf, type FakeAnswer, FakeHec, type FakeRequest, OK } from './hec-cases.ts';
import { makeSplunkSink, toSplunk } from './index.ts';

interface Splunk extends Stand {
  /** By host. */
  hec(host?: string): FakeHec;
}

async function splunk(text: string, answer: (request: FakeRequest) => FakeAnswer = () => OK): Promise<Splunk> {
  const all = new Map<string, FakeHec>();
  const operator = defineOperator({
    name: 'to_splunk',
    summary: toSplunk.summary,
    input: ['events'],
    output: 'void',
    args: toSplunk.args,
    create: (args, context) => {
      const hec = new FakeHec(context.io.clock);
      hec.answer = answer;
      const sink = makeSplunkSink(args as never, context, hec);
      all.set(sink.endpoint, hec);
      return sink;
    },
  });
  const stand = await standOf(text, { operators: [operator] });
  return Object.assign(stand, { hec: (host = 'a:8088') => all.get(host)! });
}

const ALONE = 'feed\nto_splunk "a", hec_token="t", buffer_timeout=10ms';
const BOTH = 'let $to = ["a", "b"]\nfeed\nload_balance $to { to_splunk $to, hec_token="t", buffer_timeout=10ms }';
const x = (...values: readonly number[]): Fields[] => values.map(value => ({ x: BigInt(value) }));
const error = (status: number, code: number, text: string, more: object = {}): FakeAnswer => ({
  status,
  body: { text, code, ...more },
});
const numbers = (requests: readonly FakeRequest[]): number[][] =>
  requests.map(({ body }) => (eventsOf(body) as { x: number }[]).map(event => event.x));

async function send(stand: Stand, ...events: readonly Fields[]): Promise<void> {
  stand.feed.send(...events);
  stand.feed.cut(String(Math.random()));
  await stand.pass(50);
}

async function finish(stand: Stand): Promise<void> {
  stand.feed.end();
  await stand.pass(200_000);
  await stand.task.finished;
  assertBalanced(stand.report().ledger);
}

test('a request is sent when its time is over, with token, channel and envelopes', async () => {
  const stand = await splunk('feed\nto_splunk "https://a:8088/", hec_token="t", index="main", host=h');
  stand.feed.send({ x: 1n, h: 'one' }, { x: 2n, h: 'two' });
  await stand.pass(4_900);
  assert.equal(stand.hec().requests.length, 0);
  await stand.pass(200);
  const [request] = stand.hec().requests;
  const { authorization, 'content-encoding': encoding, 'content-type': type } = request!.headers;
  assert.deepEqual([authorization, encoding, type], ['Splunk t', 'gzip', 'application/json']);
  assert.match(request!.headers['x-splunk-request-channel']!, /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
  assert.equal(request!.query['channel'], request!.headers['x-splunk-request-channel']);
  assert.equal(request!.path, '/services/collector/event');
  assert.equal(
    request!.body,
    '{"event":{"x":1,"h":"one"},"host":"one","sourcetype":"_json","index":"main"}{"event":{"x":2,"h":"two"},"host":"two","sourcetype":"_json","index":"main"}',
  );
  await finish(stand);
});

test('a full request is sent at once, and none is larger than the limit', async () => {
  const stand = await splunk('feed\nto_splunk "a", hec_token="t", max_content_length=100, buffer_timeout=1h');
  await send(stand, ...x(1, 2, 3, 4, 5));
  const { sent } = stand.hec();
  assert.deepEqual(numbers(sent), [
    [1, 2],
    [3, 4],
  ]);
  for (const { body } of sent) assert.ok(body.length <= 100);
  await finish(stand);
  assert.deepEqual(numbers(stand.hec().sent).at(-1), [5]);
});

test('an event above the limit warns with its size and goes to the dead letters; the others are delivered', async () => {
  const stand = await splunk('feed\nto_splunk "a", hec_token="t", max_content_length=100, buffer_timeout=10ms');
  await send(stand, ...x(1), { x: 2n, text: 'y'.repeat(100) }, ...x(3));
  assert.deepEqual(numbers(stand.hec().sent).flat(), [1, 3]);
  const [letter] = stand.letters;
  assert.equal(letter!.code, 'MR7402');
  assert.match(letter!.message, /event too large for given `max_content_length`: serialized event size was `\d+`/);
  assert.match(stand.warnings.join(), /event too large for given `max_content_length`/);
  await finish(stand);
});

test('an event that the collector refuses by its number is a dead letter, the others go again', async () => {
  let isFirst = true;
  const stand = await splunk(ALONE, () => {
    if (!isFirst) return OK;
    isFirst = false;
    return error(400, 6, 'Invalid data format', { 'invalid-event-number': 2 });
  });
  await send(stand, ...x(0, 1, 2, 3, 4));
  assert.deepEqual(numbers(stand.hec().sent), [
    [0, 1, 2, 3, 4],
    [0, 1],
    [3, 4],
  ]);
  assert.deepEqual(
    stand.letters.map(({ code, message, origin }) => [code, message, origin]),
    [['MR7401', 'HTTP 400: Invalid data format', 't/0/2']],
  );
  const line = stand.line('2');
  assert.deepEqual([line.delivered, line.deadLettered, line.possibleDuplicates, line.retried], [4, 1, 2, 4]);
  await finish(stand);
});

test('an incorrect index pauses where the index is constant, whatever event is named, and refuses nothing', async () => {
  let isWrong = true;
  const answer = (request: FakeRequest): FakeAnswer =>
    isWrong && request.method === 'POST' ? error(400, 7, 'Incorrect index', { 'invalid-event-number': 0 }) : OK;
  for (const index of ['', ', index="main"', ', index=$index']) {
    isWrong = true;
    const stand = await splunk(`let $index = "main"\n${ALONE}${index}`, answer);
    await send(stand, ...x(1));
    await stand.pass(20_000);
    assert.deepEqual(stand.letters, []);
    assert.match(stand.report().health[0]!.reason ?? '', /HTTP 400: Incorrect index/);
    isWrong = false;
    await stand.pass(70_000);
    assert.equal(stand.line('3').delivered, 1);
    await finish(stand);
  }
});

test('an incorrect index of some event is found by halving where the index is the event’s', async () => {
  const answer = ({ body }: FakeRequest): FakeAnswer =>
    body.includes('"index":"bad"') ? error(400, 7, 'Incorrect index') : OK;
  const stand = await splunk(`${ALONE}, index=i`, answer);
  await send(stand, ...[0, 1, 2, 3, 4, 5, 6, 7].map(value => ({ x: BigInt(value), i: value === 5 ? 'bad' : 'good' })));
  assert.deepEqual(
    stand.letters.map(({ message, origin }) => [message, origin]),
    [['HTTP 400: Incorrect index', 't/0/5']],
  );
  assert.equal(stand.line('2').delivered, 7);
  await finish(stand);
});

for (const [code, text] of [
  [5, 'No data'],
  [6, 'Invalid data format'],
  [12, 'Event field is required'],
  [13, 'Event field cannot be blank'],
  [15, 'Error in handling indexed fields'],
] as const) {
  test(`code ${code} without a number: the event is found by halving`, async () => {
    const stand = await splunk(ALONE, ({ body }) => (body.includes('"x":3') ? error(400, code, text) : OK));
    await send(stand, ...x(0, 1, 2, 3, 4));
    assert.deepEqual(
      stand.letters.map(({ origin }) => origin),
      ['t/0/3'],
    );
    assert.equal(stand.line('2').delivered, 4);
    await finish(stand);
  });
}

for (const [status, code, text] of [
  [400, 10, 'Data channel is missing'],
  [400, 11, 'Invalid data channel'],
  [400, 14, 'ACK is disabled'],
  [400, 16, 'Query string authorization is not enabled'],
  [400, 21, 'Invalid token'],
  [400, 22, 'Token disabled'],
  [401, 2, 'Token is required'],
  [401, 3, 'Invalid authorization'],
  [403, 1, 'Token disabled'],
  [403, 4, 'Invalid token'],
  [404, 404, 'The requested URL was not found'],
] as const) {
  test(`${status} with code ${code} pauses the endpoint, refuses nothing, and shows why`, async () => {
    let isRefusing = true;
    const stand = await splunk(ALONE, ({ method }) =>
      isRefusing && method === 'POST' ? error(status, code, text) : OK,
    );
    await send(stand, ...x(1));
    await stand.pass(10_000);
    assert.deepEqual(stand.letters, []);
    const [health] = stand.report().health;
    assert.equal(health!.isUp, false);
    assert.equal(health!.reason, `HTTP ${status}: ${text}`);
    assert.ok(stand.hec().sent.length < 12, 'not asked all the time');
    isRefusing = false;
    await stand.pass(70_000);
    assert.equal(stand.line('2').delivered, 1);
    assert.equal(stand.report().health[0]!.isUp, true);
    await finish(stand);
  });
}

for (const [answer, kind] of [
  [error(408, 0, 'slow'), 'busy'],
  [error(429, 26, 'HEC queue is at capacity'), 'busy'],
  [error(500, 8, 'Internal server error'), 'server'],
  [error(503, 9, 'Server is busy'), 'busy'],
  [error(503, 23, 'Server is shutting down'), 'busy'],
  [error(502, 0, 'bad gateway'), 'server'],
  ['reset', 'connection'],
  ['hang', 'timeout'],
] as const) {
  const name = typeof answer === 'string' ? answer : `${answer.status} ${(answer.body as { text: string }).text}`;
  test(`${name}: tried again until it is taken, and counted`, async () => {
    let left = 3;
    const stand = await splunk(ALONE, ({ method }) => (method === 'POST' && left-- > 0 ? answer : OK));
    await send(stand, ...x(1, 2));
    await stand.pass(200_000);
    assert.deepEqual(
      numbers(stand.hec().sent),
      Array.from({ length: 4 }, () => [1, 2]),
    );
    assert.equal(stand.line('2').delivered, 2);
    assert.equal(stand.line('2').retried, 6);
    assert.deepEqual(stand.line('2').errors, { [kind]: 3 });
    await finish(stand);
  });
}

test('`Retry-After` is honoured', async () => {
  let left = 1;
  const stand = await splunk(ALONE, () =>
    left-- > 0 ? { status: 503, body: { text: 'busy', code: 9 }, retryAfterMs: 20_000 } : OK,
  );
  await send(stand, ...x(1));
  await stand.pass(19_000);
  assert.equal(stand.hec().requests.length, 1);
  assert.ok(stand.report().health[0]!.nextTryMs! <= 1_100);
  await stand.pass(2_000);
  assert.equal(stand.line('2').delivered, 1);
  await finish(stand);
});

test('413 splits the request; a single event that is still too large is a dead letter', async () => {
  const stand = await splunk(ALONE, ({ body }) => (body.length > 130 ? error(413, 27, 'too large') : OK));
  await send(stand, ...x(1, 2, 3, 4), { x: 5n, text: 'y'.repeat(200) });
  assert.deepEqual(
    numbers(stand.hec().sent.filter(({ body }) => body.length <= 130))
      .flat()
      .sort(),
    [1, 2, 3, 4],
  );
  assert.deepEqual(
    stand.letters.map(({ message, origin }) => [message, origin]),
    [['HTTP 413: too large', 't/0/4']],
  );
  await finish(stand);
});

test('an answer that nobody knows is tried again for ever, or `max_attempts` times', async () => {
  const answer = ({ method }: FakeRequest): FakeAnswer => (method === 'GET' ? OK : { status: 418, body: 'teapot' });
  const forEver = await splunk(ALONE, answer);
  await send(forEver, ...x(1));
  await forEver.pass(600_000);
  assert.ok(forEver.hec().sent.length > 10);
  assert.deepEqual(forEver.letters, []);
  assert.equal(forEver.report().health[0]!.reason, 'HTTP 418');
  forEver.task.abort('over');
  const bounded = await splunk(`${ALONE}, max_attempts=3`, answer);
  await send(bounded, ...x(1, 2));
  await bounded.pass(100_000);
  assert.equal(bounded.hec().sent.length, 3);
  assert.deepEqual(
    bounded.letters.map(({ code, message }) => [code, message]),
    [
      ['MR7405', 'HTTP 418, after 3 attempts'],
      ['MR7405', 'HTTP 418, after 3 attempts'],
    ],
  );
  await finish(bounded);
});

test('with acknowledgements an event is delivered when the collector confirms it, and only then its epoch commits', async () => {
  let nextId = 0;
  const confirmed = new Set<number>();
  const stand = await splunk(ALONE, ({ body, path }) => {
    if (path.endsWith('/ack')) {
      const { acks } = JSON.parse(body) as { acks: number[] };
      return { status: 200, body: { acks: Object.fromEntries(acks.map(id => [id, confirmed.delete(id)])) } };
    }
    return { status: 200, body: { text: 'Success', code: 0, ackId: nextId++ } };
  });
  await send(stand, ...x(1));
  await send(stand, ...x(2));
  await send(stand, ...x(3));
  assert.equal(stand.hec().sent.length, 3, 'a request does not wait for the acknowledgement of another');
  await stand.pass(3_000);
  const asked = stand.hec().requests.filter(({ path }) => path.endsWith('/ack'));
  assert.deepEqual(JSON.parse(asked.at(-1)!.body), { acks: [0, 1, 2] });
  const channels = new Set(stand.hec().requests.map(({ headers }) => headers['x-splunk-request-channel']));
  assert.equal(channels.size, 1);
  assert.deepEqual(stand.feed.commits, []);
  confirmed.add(1).add(2);
  await stand.pass(6_000);
  assert.equal(stand.line('2').delivered, 2);
  assert.deepEqual(stand.feed.commits, [], 'the first is open');
  confirmed.add(0);
  await stand.pass(6_000);
  assert.equal(stand.feed.commits.length >= 1, true);
  assert.equal(stand.line('2').delivered, 3);
  await finish(stand);
});

test('an acknowledgement that does not come in time: sent again, counted as a possible duplicate', async () => {
  let nextId = 0;
  const stand = await splunk(`${ALONE}, ack_timeout=30s`, ({ body, path }) => {
    if (path.endsWith('/ack')) {
      const { acks } = JSON.parse(body) as { acks: number[] };
      return { status: 200, body: { acks: Object.fromEntries(acks.map(id => [id, id > 0])) } };
    }
    return { status: 200, body: { text: 'Success', code: 0, ackId: nextId++ } };
  });
  await send(stand, ...x(1, 2));
  await stand.pass(25_000);
  assert.equal(stand.hec().sent.length, 1);
  await stand.pass(15_000);
  assert.equal(stand.hec().sent.length, 2);
  const line = stand.line('2');
  assert.deepEqual([line.delivered, line.possibleDuplicates, line.retried], [2, 2, 2]);
  assert.deepEqual(line.errors, { unconfirmed: 1 });
  await finish(stand);
});

test('a question of acknowledgement that fails is asked again; it refuses and repeats nothing by itself', async () => {
  let left = 3;
  const stand = await splunk(ALONE, ({ body, path }) => {
    if (!path.endsWith('/ack')) return { status: 200, body: { code: 0, ackId: 7 } };
    if (left-- > 0) return left % 2 === 0 ? 'reset' : error(503, 9, 'busy');
    const { acks } = JSON.parse(body) as { acks: number[] };
    return { status: 200, body: { acks: Object.fromEntries(acks.map(id => [id, true])) } };
  });
  await send(stand, ...x(1));
  await stand.pass(20_000);
  assert.equal(stand.line('2').delivered, 1);
  assert.equal(stand.hec().sent.length, 1);
  assert.equal(stand.report().health[0]!.isUp, true);
  await finish(stand);
});

test('what waits for acknowledgement is bounded: then nothing more is sent', async () => {
  let nextId = 0;
  const stand = await splunk('feed\nto_splunk "a", hec_token="t", buffer_timeout=10ms, compress=false', ({ path }) =>
    path.endsWith('/ack') ? { status: 200, body: { acks: {} } } : { status: 200, body: { code: 0, ackId: nextId++ } },
  );
  const text = 'y'.repeat(1024 * 1024);
  for (let i = 0; i < 80; i++) stand.feed.send({ text });
  await stand.pass(10_000);
  const megabytes = stand.report().buffers.find(({ stageId }) => stageId === '2')!.bytes / 1024 / 1024;
  assert.ok(megabytes > 30 && megabytes < 50, `${megabytes} MiB`);
  assert.equal(stand.line('1').passed < 60, true, 'the source waits');
  stand.task.abort('over');
});

test('cookies stay with the endpoint', async () => {
  let sent = 0;
  const cookies = [['lb=one; Path=/', 'x=1'], ['lb=two'], ['x=; Max-Age=0'], []];
  const stand = await splunk(ALONE, () => ({ status: 200, body: { code: 0 }, cookies: cookies[sent++]! }));
  for (let i = 0; i < 4; i++) await send(stand, ...x(i));
  assert.deepEqual(
    stand.hec().sent.map(({ headers }) => headers['cookie']),
    [undefined, 'lb=one; x=1', 'lb=two; x=1', 'lb=two'],
  );
  await finish(stand);
});

test('in a balance, an endpoint that is busy gives its events to the other, and comes back when it says that it is well', async () => {
  let isBusy = true;
  const stand = await splunk(BOTH, ({ host }) => (host === 'b:8088' && isBusy ? error(503, 9, 'Server is busy') : OK));
  for (let i = 0; i < 6; i++) await send(stand, ...x(i));
  await stand.pass(5_000);
  assert.deepEqual(numbers(stand.hec('a:8088').sent).flat().sort(), [0, 1, 2, 3, 4, 5]);
  assert.ok(stand.hec('b:8088').sent.length < 3, 'asked for its health, not with events');
  assert.ok(stand.hec('b:8088').requests.some(({ method, path }) => method === 'GET' && path.endsWith('/health')));
  isBusy = false;
  await stand.pass(60_000);
  const before = stand.hec('b:8088').sent.length;
  for (let i = 6; i < 12; i++) await send(stand, ...x(i));
  assert.ok(stand.hec('b:8088').sent.length > before, 'used again');
  await finish(stand);
  assert.equal(stand.letters.length, 0);
});

test('an endpoint that accepts and never answers delays nothing but one request, and that goes elsewhere when it is late', async () => {
  const stand = await splunk(BOTH, ({ host }) => (host === 'b:8088' ? 'hang' : OK));
  const delivered = (): number[] => numbers(stand.hec('a:8088').sent).flat();
  for (let i = 0; i < 50; i++) {
    stand.feed.send(...x(i));
    await stand.pass(100);
  }
  const stuck = numbers(stand.hec('b:8088').sent).flat();
  assert.ok(stuck.length <= 1, `in the stuck request: ${stuck.length}`);
  assert.equal(delivered().length + stuck.length, 50, 'all others are there while it hangs');
  await stand.pass(40_000);
  assert.deepEqual(
    delivered().sort((a, b) => a - b),
    Array.from({ length: 50 }, (_, i) => i),
  );
  assert.match(stand.report().health.find(({ endpoint }) => endpoint === 'b:8088')!.reason ?? '', /no answer within/);
  await finish(stand);
});

test('while all endpoints are down the source stands still and little is held; then it goes on', async () => {
  let isDown = true;
  const stand = await splunk(BOTH, () => (isDown ? 'reset' : OK));
  await send(stand, ...x(0));
  for (let i = 1; i < 100; i++) stand.feed.send(...x(i));
  await stand.pass(600_000);
  assert.ok(stand.line('2').passed <= 4, `${stand.line('2').passed} taken`);
  assert.equal(stand.letters.length, 0);
  assert.ok(stand.report().health.every(({ isUp, nextTryMs }) => !isUp && nextTryMs !== undefined));
  isDown = false;
  await stand.pass(120_000);
  assert.equal(numbers([...stand.hec('a:8088').sent, ...stand.hec('b:8088').sent]).flat().length >= 100, true);
  await finish(stand);
  assert.equal(stand.line('3.1#1').delivered + stand.line('3.1#2').delivered, 100);
});

test('a collector without a health page is probed with events', async () => {
  let isBusy = true;
  const stand = await splunk(ALONE, ({ method }) =>
    method === 'GET' ? error(404, 404, 'Not found') : isBusy ? error(503, 9, 'busy') : OK,
  );
  await send(stand, ...x(1));
  await stand.pass(5_000);
  isBusy = false;
  await stand.pass(60_000);
  assert.equal(stand.line('2').delivered, 1);
  assert.equal(stand.hec().requests.filter(({ method }) => method === 'GET').length, 1, 'asked once');
  await finish(stand);
});

test('several requests are under way where `parallel` says so; a collector in trouble is asked less', async () => {
  let isBusy = false;
  const stand = await splunk(`${ALONE}, parallel=4, max_content_length=60`, () => {
    return isBusy ? error(503, 9, 'busy') : { status: 200, body: { code: 0 }, afterMs: 100 };
  });
  await send(stand, ...x(...Array.from({ length: 40 }, (_, i) => i)));
  await stand.pass(5_000);
  assert.equal(stand.hec().mostUnderway, 4);
  assert.equal(stand.report().health[0]!.concurrencyLimit, 4);
  isBusy = true;
  await send(stand, ...x(41, 42, 43, 44));
  await stand.pass(1_000);
  assert.ok(stand.report().health[0]!.concurrencyLimit! < 4);
  isBusy = false;
  await finish(stand);
  assert.equal(stand.line('2').delivered, 44);
});

test('what is buffered at the end is delivered before the pipeline is over, also past failures', async () => {
  let left = 2;
  const stand = await splunk('feed\nto_splunk "a", hec_token="t", buffer_timeout=1h', ({ method }) =>
    method === 'POST' && left-- > 0 ? 'reset' : OK,
  );
  stand.feed.send(...x(1, 2));
  stand.feed.cut('2');
  await stand.pass(1_000);
  assert.equal(stand.hec().requests.length, 0);
  stand.task.drain();
  await stand.pass(100_000);
  await stand.task.finished;
  assert.deepEqual(stand.feed.commits, ['2']);
  assert.equal(stand.hec().isClosed, true);
});

test('an aborted pipeline lets go of everything, whatever the collector does', async () => {
  const stand = await splunk(BOTH, () => 'hang');
  for (let i = 0; i < 20; i++) stand.feed.send(...x(i));
  await stand.pass(5_000);
  stand.task.abort('over');
  await stand.pass(100_000);
  assert.equal(stand.report().buffers[0]!.bytes, 0);
});
