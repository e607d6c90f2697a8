/** The main job in one process: topic, filter, balanced delivery to two collectors, dead letters, restart. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { HecReceiver } from '../../src/app/demo/index.ts';
import { App, controlPath, type PipelineText, readConfig } from '../../src/app/index.ts';
import { silentLogger } from '../../src/base/index.ts';
import { connectLocal } from '../../src/base/io/local-server.ts';
import { nodeIo } from '../../src/base/io/node.ts';
import { type Cluster, clientSettings, makeCluster, Producer } from '../../src/client/index.ts';
import type { RecordValue } from '../../src/data/index.ts';
import { RecordCursor } from '../../src/wire/records/index.ts';

const TOKEN = 'token';

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'millrace-app-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function startApp(
  path: string,
  pipelines: readonly Omit<PipelineText, 'file'>[],
  workers: number | 'auto' = 'auto',
  makesTopics = true,
): Promise<App> {
  const text = `data: ${path}
drain_timeout: 2s
kafka: { listen: "127.0.0.1:0", auto_create_topics: ${makesTopics} }
http: { listen: "127.0.0.1:0" }
engine: { workers: ${workers} }
`;
  const { config } = readConfig([{ file: 'test', text }], {});
  const app = new App({
    io: nodeIo(),
    config: config!,
    pipelines: pipelines.map(pipeline => ({ ...pipeline, file: pipeline.id })),
    logger: silentLogger,
    environment: { MILLRACE_SECRETS__SPLUNK_TOKEN: TOKEN },
    onFinding: () => undefined,
    onWarning: () => undefined,
  });
  await app.start();
  return app;
}

function connect(app: App): Cluster {
  const io = nodeIo();
  return makeCluster(io, clientSettings(io, new Map([['bootstrap.servers', `127.0.0.1:${app.kafkaAddress.port}`]])));
}

async function produce(app: App, topic: string, values: readonly string[]): Promise<void> {
  const cluster = connect(app);
  const producer = new Producer(cluster);
  await producer.prepare(topic);
  await Promise.all(values.map(value => producer.send(topic, 0, null, Buffer.from(value))));
  await producer.close();
  await cluster.close();
}

async function until(check: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 1_200; i++) {
    if (check()) return;
    await new Promise(resolve => setTimeout(resolve, 25));
  }
  assert.fail(`timed out: ${what}`);
}

function valuesOf(app: App, topic: string): { value: string; headers: [string, Uint8Array | null][] }[] {
  const partition = app.log.topic('', topic)?.partitions[0];
  const found: { value: string; headers: [string, Uint8Array | null][] }[] = [];
  for (let offset = 0; partition && offset < partition.syncedEnd; ) {
    const cursor = new RecordCursor().open(app.log.read(partition, offset, 1)[0]!);
    while (cursor.advance()) {
      found.push({ value: Buffer.from(cursor.value!).toString(), headers: cursor.headers() });
      offset = cursor.offset + 1;
    }
  }
  return found;
}

async function receivers(
  t: TestContext,
  acknowledges: boolean,
): Promise<{ list: HecReceiver[]; ids: Map<number, number> }> {
  const list = [
    await HecReceiver.start({ token: TOKEN, acknowledges }),
    await HecReceiver.start({ token: TOKEN, acknowledges }),
  ];
  const ids = new Map<number, number>();
  for (const receiver of list) {
    receiver.onEvent = envelope => {
      const id = Number((envelope.get('event') as RecordValue).get('id'));
      ids.set(id, (ids.get(id) ?? 0) + 1);
    };
  }
  t.after(() => Promise.all(list.map(receiver => receiver.close())));
  return { list, ids };
}

const events = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => JSON.stringify({ id: from + i, severity_id: (from + i) % 6, text: 'é' }));

function balanced(list: readonly HecReceiver[]): { id: string; text: string } {
  return {
    id: 'balanced',
    text: `let $endpoints = [${list.map(({ url }) => `"${url}"`).join(', ')}]
load_kafka "ocsf-events", commit_timeout=200ms
read_json
where severity_id >= 4 // High and above
load_balance $endpoints {
    to_splunk $endpoints, hec_token=secret("SPLUNK_TOKEN"), buffer_timeout=50ms
}`,
  };
}

const high = (from: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => from + i).filter(id => id % 6 >= 4);

for (const { acknowledges, workers } of [
  { acknowledges: false, workers: 1 },
  { acknowledges: true, workers: 1 },
  { acknowledges: true, workers: 0 },
]) {
  test(`high events reach the collectors, malformed ones the dead letters, and offsets commit (acknowledgement ${acknowledges}, workers ${workers})`, async t => {
    const { ids, list } = await receivers(t, acknowledges);
    const app = await startApp(directory(t), [balanced(list)], workers);
    t.after(() => app.stop());
    await produce(app, 'ocsf-events', [...events(0, 300), '{"severity_id": 5, "broken', ...events(300, 300)]);
    const expected = high(0, 600);
    await until(() => ids.size >= expected.length, 'delivery');
    await until(() => app.coordination.committed('', 'balanced', 'ocsf-events', 0)?.offset === 601, 'commit');
    assert.deepEqual(
      [...ids.keys()].sort((a, b) => a - b),
      expected,
    );
    const [letter] = valuesOf(app, '__millrace_dead_letters');
    assert.equal(letter?.value, '{"severity_id": 5, "broken');
    const headers = new Map(letter?.headers.map(([name, value]) => [name, String(value && Buffer.from(value))]));
    assert.equal(headers.get('millrace.origin'), 'ocsf-events/0/300');
    assert.equal(headers.get('millrace.code'), 'MR7001');
    assert.equal(headers.get('millrace.position'), '26');
    await app.stop();
    for (const line of app.reports()[0]!.ledger) assert.equal(line.held, 0, line.name);
  });
}

test('a busy and a hanging collector delay nobody: the other takes everything, and both are used again', async t => {
  const { ids, list } = await receivers(t, false);
  const app = await startApp(directory(t), [balanced(list)]);
  t.after(() => app.stop());
  list[1]!.fault = 'busy';
  await produce(app, 'ocsf-events', events(0, 600));
  await until(() => ids.size === high(0, 600).length, 'delivery past a busy collector');
  assert.equal(list[1]!.events, 0);
  list[1]!.fault = 'none';
  let next = 600;
  const before = list[1]!.events;
  await until(() => {
    if (list[1]!.events > before) return true;
    void produce(app, 'ocsf-events', events(next, 60));
    next += 60;
    return false;
  }, 'a recovered collector is used again');
});

test('a refused token pauses the endpoint and loses nothing', async t => {
  const { ids, list } = await receivers(t, false);
  const app = await startApp(directory(t), [balanced(list)]);
  t.after(() => app.stop());
  for (const receiver of list) receiver.fault = 'forbidden';
  await produce(app, 'ocsf-events', events(0, 60));
  const health = (): readonly { readonly isUp: boolean }[] => app.reports()[0]!.health;
  await until(() => health().length === 2 && health().every(({ isUp }) => !isUp), 'both endpoints are down');
  assert.match(app.reports()[0]!.health[0]!.reason ?? '', /403: Invalid token/);
  assert.equal(app.reports()[0]!.deadLetters, 0);
  for (const receiver of list) receiver.fault = 'none';
  await until(() => ids.size === high(0, 60).length, 'delivery after the token was mended');
});

test('a pipeline that was stopped goes on where it was, and saves one record an event', async t => {
  const path = directory(t);
  const pipeline = { id: 'copy', text: 'load_kafka "in"\nread_json\nwhere id >= 10\nwrite_ndjson\nsave_kafka "out"' };
  let app = await startApp(path, [pipeline]);
  await produce(app, 'in', ['{"id":10, "x":1.0}', '{"id":1}', '{"id":11}']);
  await until(() => valuesOf(app, 'out').length === 2, 'the first events');
  await app.stop();
  app = await startApp(path, [pipeline]);
  t.after(() => app.stop());
  await produce(app, 'in', ['{"id":12}']);
  await until(() => valuesOf(app, 'out').length >= 3, 'the next event');
  assert.deepEqual(
    valuesOf(app, 'out').map(({ value }) => value),
    ['{"id":10, "x":1.0}', '{"id":11}', '{"id":12}'],
  );
});

test('a tap shows events behind a stage of a pipeline in a worker, and says where a condition has no meaning', async t => {
  const path = directory(t);
  const app = await startApp(path, [{ id: 'p', text: 'load_kafka "in"\nread_json\nwhere id > 1\nto_kafka "out"' }]);
  t.after(() => app.stop());
  const open = async (command: object): Promise<Record<string, unknown>[]> => {
    const connection = await connectLocal(controlPath(path));
    const lines: Record<string, unknown>[] = [];
    connection.onLine(line => lines.push(JSON.parse(line) as Record<string, unknown>));
    connection.send(JSON.stringify({ command: 'tap', pipeline: 'p', ...command }));
    t.after(() => connection.close());
    await until(() => lines.length > 0, 'the tap');
    return lines;
  };
  const samples = (lines: readonly Record<string, unknown>[]): unknown[] =>
    lines.flatMap(({ samples: list }) => list as unknown[]);
  const last = await open({ where: 'id > 2' });
  const bytes = await open({ stage: 'load_kafka', where: 'id > 2' });
  const chunks = await open({ stage: '1' });
  const unknown = await open({ stage: 'nowhere' });
  assert.match(String(unknown[0]!['error']), /nowhere.*1 \(load_kafka\)/);
  await produce(app, 'in', ['{"id":1}', '{"id":2}', '{"id":3}']);
  await until(() => samples(last).length > 0 && samples(chunks).length === 3, 'samples');
  assert.deepEqual(samples(last), ['{"id":3}']);
  await until(() => bytes.some(({ isUnfiltered }) => isUnfiltered === true), 'the refusal');
  assert.deepEqual(samples(bytes), []);
});

const BROKEN = '{"id": 2, ';
const COPY = 'load_kafka "in", commit_timeout=50ms\nread_json\nwrite_ndjson\nsave_kafka "out"';

test('`dead_letter_topic` takes the letters of its pipeline; while it cannot, nothing commits and nothing is lost', async t => {
  const app = await startApp(directory(t), [{ id: 'copy', text: COPY, deadLetterTopic: 'copy.failed' }], 1, false);
  t.after(() => app.stop());
  await app.log.createTopic('', 'out', 1);
  await app.log.createTopic('', 'in', 1);
  await produce(app, 'in', ['{"id":1}', BROKEN, '{"id":3}']);
  await until(() => /copy.failed does not exist/.test(app.reports()[0]!.reason ?? ''), 'the reason');
  await until(() => valuesOf(app, 'out').length === 2, 'what can be delivered');
  assert.equal(app.coordination.committed('', 'copy', 'in', 0)?.offset ?? 0, 0);
  await app.log.createTopic('', 'copy.failed', 1);
  await until(() => app.coordination.committed('', 'copy', 'in', 0)?.offset === 3, 'commit');
  assert.deepEqual(
    valuesOf(app, 'copy.failed').map(({ value }) => value),
    [BROKEN],
  );
  assert.equal(app.log.topic('', '__millrace_dead_letters'), undefined);
  await until(() => app.reports()[0]!.reason === undefined, 'the reason is over');
});

test('`on_error: stop` leaves the pipeline stopped before the event; `drop` goes on without it', async t => {
  const app = await startApp(directory(t), [
    { id: 'stops', text: COPY, onError: 'stop' },
    { id: 'drops', text: COPY, onError: 'drop' },
  ]);
  t.after(() => app.stop());
  await produce(app, 'in', ['{"id":1}', BROKEN, '{"id":3}']);
  await until(() => app.coordination.committed('', 'drops', 'in', 0)?.offset === 3, 'commit past the event');
  await until(() => app.reports()[0]!.state === 'failed', 'the end of the other');
  const [stopped] = app.reports();
  assert.match(stopped!.reason!, /refused an event \(MR7001\)/);
  assert.equal(stopped!.nextTryMs, undefined, 'it is not tried again');
  const dropped = (): number | undefined => app.reports()[1]!.ledger.find(({ name }) => name === 'read_json')?.dropped;
  await until(() => dropped() === 1, 'the count');
  assert.equal(app.log.topic('', '__millrace_dead_letters'), undefined);
  assert.equal(app.coordination.committed('', 'stops', 'in', 0)?.offset ?? 0, 0);
});

test('a data directory serves one process', async t => {
  const path = directory(t);
  const app = await startApp(path, []);
  t.after(() => app.stop());
  await assert.rejects(startApp(path, []), { code: 'MR1001' });
});

test('a pipeline with an error keeps the whole process from starting', async t => {
  await assert.rejects(startApp(directory(t), [{ id: 'bad', text: 'load_kafka "t"\nwher x' }]), { code: 'MR1004' });
});
