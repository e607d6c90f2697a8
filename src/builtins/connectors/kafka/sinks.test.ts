/** `to_kafka` and `save_kafka` into the embedded log and into a cluster: what becomes of each field, of what cannot be sent, and of outages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileTql, SourceText } from '../../../lang/index.ts';
import { type EmbeddedLog, embeddedLog } from '../../../sdk/index.ts';
import { startTestBroker } from '../../../testing/index.ts';
import { builtins } from '../../index.ts';
import { type KafkaStand, startKafka, until, WAYS } from './kafka-cases.ts';

const problemsOf = (pipeline: string): string[] =>
  compileTql(new SourceText('<input>', pipeline), builtins, { id: 'test', hasImplicitEnds: true }).diagnostics.map(
    ({ code, message }) => `${code}: ${message}`,
  );

const values = (stand: KafkaStand, topic: string): (string | null)[] => stand.records(topic).map(({ value }) => value);

for (const way of WAYS) {
  test(`${way}: topic, key, headers, partition, time and message are each event’s own`, async t => {
    const stand = await startKafka(t);
    await stand.topic('p.a', 3);
    await stand.topic('p.b', 3);
    const { diagnostics, failure, letters } = await stand.run(
      `from {t: "a", k: "x", p: 2, h: {one: "1", none: null, n: 7}, at: 2024-01-02T03:04:05.678Z, m: "text"},
            {t: "b", k: 42, p: 0, h: null, at: 1970-01-01T00:00:00.001Z, m: b"\\x00\\xff"},
            {t: "b", k: null, p: 0, h: {}, at: 2000-01-01, m: ""}
       to_kafka f"p.{t}", key=k, partition=p, headers=h, timestamp=at, message=m${stand.options(way)}`,
    );
    assert.deepEqual([diagnostics, failure, letters], [[], undefined, []]);
    assert.deepEqual(stand.records('p.a'), [
      {
        partition: 2,
        offset: 0,
        key: 'x',
        value: 'text',
        timestampMs: Date.UTC(2024, 0, 2, 3, 4, 5, 678),
        headers: { one: '1', none: null, n: '7' },
      },
    ]);
    assert.deepEqual(
      stand
        .records('p.b')
        .map(({ headers, key, partition, timestampMs }) => ({ headers, key, partition, timestampMs })),
      [
        { headers: {}, key: '42', partition: 0, timestampMs: 1 },
        { headers: {}, key: null, partition: 0, timestampMs: Date.UTC(2000, 0, 1) },
      ],
    );
  });

  test(`${way}: what cannot be sent is a dead letter with its reason, told once, and the others arrive`, async t => {
    const stand = await startKafka(t);
    await stand.topic('p.a', 1);
    const { diagnostics, failure, ledger, letters } = await stand.run(
      `from {t: "a", m: "1", p: 0}, {t: "a", m: null, p: 0}, {t: "a", m: 5, p: 0}, {t: "a", m: null, p: 0},
            {t: "?", m: "2", p: 0}, {t: "a", m: "3", p: -1}, {t: "a", m: "4", p: 9}, {t: "a", m: "5", p: 0}
       to_kafka f"p.{t}", message=m, partition=p${stand.options(way)}`,
    );
    assert.equal(failure, undefined);
    assert.deepEqual(values(stand, 'p.a'), ['1', '5']);
    assert.deepEqual(
      letters.map(({ code, message }) => `${code} ${message}`),
      [
        'MR7221 `message` must be a string or blob, got `null`',
        'MR7221 `message` must be a string or blob, got `int64`',
        'MR7221 `message` must be a string or blob, got `null`',
        'MR7227 `p.?` is no topic name: it has 1 to 249 of the characters a-z A-Z 0-9 . _ - and is not . or ..',
        'MR7221 `partition` must be a partition number, got `int64`',
        'MR7220 topic p.a has no partition 9, it has 1',
      ],
    );
    const { deadLettered, delivered, received } = ledger.at(-1)!;
    assert.deepEqual([received, delivered, deadLettered], [8, 2, 6]);
    assert.equal(diagnostics.filter(text => text.includes('got `null`')).length, 1);
  });

  test(`${way}: only topics in \`allowed_topics\` are written`, async t => {
    const stand = await startKafka(t);
    for (const name of ['a', 'b', 'c']) await stand.topic(name, 1);
    const { letters } = await stand.run(
      `from {t: "a"}, {t: "b"}, {t: "c"}, {t: "__millrace_dead_letters"}
       to_kafka t, allowed_topics=["a", "c"], message=t${stand.options(way)}`,
    );
    assert.deepEqual(
      ['a', 'b', 'c'].map(name => values(stand, name)),
      [['a'], [], ['c']],
    );
    assert.deepEqual(
      letters.map(({ code }) => code),
      ['MR7227', 'MR7227'],
    );
  });

  test(`${way}: one record that the topic does not take is a dead letter, and those of its batch arrive in order`, async t => {
    const stand = await startKafka(t);
    await stand.server.log.createTopic('', 't', 1, new Map([['max.message.bytes', '1000']]));
    const list = Array.from({ length: 30 }, (_, i) => `{m: "${i === 17 ? 'x'.repeat(2_000) : i}"}`);
    const { failure, letters } = await stand.run(
      `from ${list.join(', ')}\nto_kafka "t", message=m${stand.options(way)}`,
    );
    assert.equal(failure, undefined);
    assert.deepEqual(
      values(stand, 't'),
      Array.from({ length: 30 }, (_, i) => String(i)).filter(value => value !== '17'),
    );
    assert.equal(letters.length, 1);
    assert.match(letters[0]!.message, /MESSAGE_TOO_LARGE/);
  });

  test(`${way}: a key decides the partition as every Kafka client has it`, async t => {
    const stand = await startKafka(t);
    await stand.topic('t', 5);
    await stand.run(
      `from {k: "21"}, {k: "foobar"}, {k: "a-little-bit-long-string"}, {k: "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"}
       to_kafka "t", key=k, message=k${stand.options(way, { partitioner: 'murmur2_random' })}`,
    );
    // Hashes as Kafka's own tests have them.
    const hashes = [-973932308, -790332482, -985981536, -58897971];
    const expected = hashes.map(hash => (hash & 0x7fff_ffff) % 5);
    const found = new Map(stand.records('t').map(({ key, partition }) => [key, partition]));
    assert.deepEqual(
      ['21', 'foobar', 'a-little-bit-long-string', 'lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8'].map(key =>
        found.get(key),
      ),
      expected,
    );
  });

  test(`${way}: \`save_kafka\` writes chunks as they are, line ends and all, with key and time`, async t => {
    const stand = await startKafka(t);
    await stand.topic('t', 1);
    const { failure } = await stand.run(
      `load_stdin\nsave_kafka "t", key="k", timestamp=2020-01-01${stand.options(way)}`,
      { input: ['one\n', 'two\r\n\n', '\n', 'three'] },
    );
    assert.equal(failure, undefined);
    assert.deepEqual(
      stand.records('t').map(({ key, timestampMs, value }) => [key, value, timestampMs]),
      ['one\n', 'two\r\n\n', '\n', 'three'].map(value => ['k', value, Date.UTC(2020, 0, 1)]),
    );
  });

  test(`${way}: a topic that is not there is waited for, not given up`, async t => {
    const stand = await startKafka(t, { isAllowed: false });
    const run = stand.run(`from {m: "1"}\nto_kafka "late", message=m${stand.options(way)}`);
    await new Promise(resolve => setTimeout(resolve, 200));
    await stand.topic('late', 1);
    const { diagnostics, letters } = await run;
    assert.deepEqual(values(stand, 'late'), ['1']);
    assert.deepEqual(letters, []);
    // Our client asks a cluster for some seconds before it says so.
    if (way === 'embedded')
      assert.match(diagnostics.join('\n'), /takes no records at the moment: they are held and tried again/);
  });

  test(`${way}: an event that names a topic that is not there holds nothing back`, async t => {
    const stand = await startKafka(t, { isAllowed: false });
    await stand.topic('p.a', 1);
    const { letters } = await stand.run(
      `from {t: "a"}, {t: "b"}, {t: "a"}, {t: "b"}
       to_kafka f"p.{t}", message=t${stand.options(way, { 'allow.auto.create.topics': 'false' })}`,
    );
    assert.deepEqual(values(stand, 'p.a'), ['a', 'a']);
    assert.deepEqual(
      letters.map(({ code }) => code),
      ['MR7220', 'MR7220'],
    );
  });
}

test('embedded: what cannot be written now is held and tried again, however often, and counted', async t => {
  const stand = await startKafka(t);
  await stand.topic('t', 1);
  let refusals = 0;
  const service: EmbeddedLog = {
    ...stand.service,
    append: (...args) =>
      ++refusals <= 4 ? Promise.reject(new Error('no space left on device')) : stand.service.append(...args),
  };
  const { diagnostics, ledger, letters } = await stand.run('from {m: "1"}, {m: "2"}\nto_kafka "t", message=m', {
    services: new Map([[embeddedLog.name, service]]),
  });
  assert.deepEqual([values(stand, 't'), letters], [['1', '2'], []]);
  assert.equal(diagnostics.filter(text => text.includes('no space left on device')).length, 1);
  assert.equal(ledger.at(-1)!.retried, 8);
});

test('embedded: partitions that are added later are written', async t => {
  const stand = await startKafka(t);
  await stand.topic('out', 1);
  await stand.topic('in', 1);
  const running = await stand.running('load_kafka "in", commit_timeout=50ms\nsave_kafka "out"');
  await stand.produce('in', 0, ['1']);
  await until(() => stand.records('out').length === 1, 'the first');
  await stand.server.log.addPartitions(stand.server.log.topic('', 'out')!, 4);
  const used = (): Set<number> => new Set(stand.records('out').map(({ partition }) => partition));
  for (let i = 0; used().size < 4; i++) {
    assert.ok(i < 500, 'the new partitions are used');
    await stand.produce('in', 0, [`${i}`]);
    await until(() => stand.records('out').length === i + 2, 'the next');
    await new Promise(resolve => setTimeout(resolve, 10));
  }
  await running.stop();
});

test('cluster: while no broker answers records are held, and arrive once it is back', async t => {
  const first = await startTestBroker();
  t.after(() => first.close());
  const { port } = first.address;
  await first.log.createTopic('', 't', 1);
  await first.broker.close();
  const stand = await startKafka(t);
  const run = stand.run(
    `from {m: "1"}, {m: "2"}\nto_kafka "t", message=m, options={"bootstrap.servers": "127.0.0.1:${port}"}`,
  );
  await new Promise(resolve => setTimeout(resolve, 300));
  await first.broker.listen({ address: { host: '127.0.0.1', port } });
  const { diagnostics, failure, letters } = await run;
  assert.equal(failure, undefined);
  assert.deepEqual(letters, []);
  assert.equal(first.log.topic('', 't')!.partitions[0]!.syncedEnd, 2);
  assert.match(diagnostics.join('\n'), /the cluster takes no records at the moment/);
});

test('a topic that events choose needs a bound', () => {
  const open = 'MR7228: a topic that is computed from events needs a literal prefix or `allowed_topics`';
  const cases: Readonly<Record<string, readonly string[]>> = {
    'to_kafka x': [open],
    'to_kafka f"{x}.events"': [open],
    'to_kafka x if y else "t"': [open],
    'to_kafka f"events.{x}"': [],
    'to_kafka "events." + x': [],
    'to_kafka "a" if y else "b"': [],
    'to_kafka x, allowed_topics=["a"]': [],
    'to_kafka "a", allowed_topics=["b"]': ['MR7227: topic `a` is not in `allowed_topics`'],
    'to_kafka 5': ['MR7227: `topic` must be a string'],
    'to_kafka "__millrace_dead_letters"': [
      'MR7227: `__millrace_dead_letters` is internal: topics behind __millrace_ are written by Millrace only',
    ],
    'to_kafka "a b"': [
      'MR7227: `a b` is no topic name: it has 1 to 249 of the characters a-z A-Z 0-9 . _ - and is not . or ..',
    ],
    'to_kafka "a", options={"compression.tpye": "gzip"}': [
      'MR7230: failed to set librdkafka option compression.tpye=gzip: unknown property; did you mean compression.type?',
    ],
    'to_kafka "a", options={"sasl.pasword": "geheim"}': [
      'MR7230: failed to set librdkafka option sasl.pasword=***: unknown property; did you mean sasl.password?',
    ],
    'to_kafka "a", options={"linger.ms": 900001}': [
      'MR7230: failed to set librdkafka option linger.ms=900001: it must be a whole number of milliseconds from 0 to 900000',
    ],
    'to_kafka "a", options={"queued.min.messages": 5, "enable.metrics.push": false}': [
      'MR7231: `queued.min.messages` has no effect',
    ],
  };
  for (const [operator, expected] of Object.entries(cases))
    assert.deepEqual(problemsOf(`from {x: "a", y: true}\n${operator}`), expected, operator);
  assert.match(problemsOf('load_stdin\nsave_kafka "__millrace_x"')[0]!, /^MR7227/);
});

test('a URI names the topic: its events are read as JSON or as the ending says, and each becomes one record', async t => {
  const stand = await startKafka(t);
  for (const name of ['in', 'lines.ndjson', 'out', 'out.lines']) await stand.topic(name, 1);
  await stand.run(`from {a: 1}, {a: 2}\nto "kafka://in", key="k"`);
  assert.deepEqual(
    stand.records('in').map(({ key, value }) => [key, value]),
    [
      ['k', '{"a":1}'],
      ['k', '{"a":2}'],
    ],
  );
  await stand.run(`from "kafka://in", offset="beginning", exit=true\nb = a + 1\nto "kafka://out"`);
  assert.deepEqual(values(stand, 'out'), ['{"a":1,"b":2}', '{"a":2,"b":3}']);
  await stand.run(`from {line: "x y"}\nto "kafka://out.lines"`);
  assert.deepEqual(values(stand, 'out.lines'), ['x y']);
  await stand.run(`from "kafka://in", offset="beginning", exit=true { read_lines }\nto "kafka://lines.ndjson"`);
  assert.deepEqual(values(stand, 'lines.ndjson'), ['{"line":"{\\"a\\":1}"}', '{"line":"{\\"a\\":2}"}']);
});
