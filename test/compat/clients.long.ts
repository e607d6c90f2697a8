/**
 * Foreign clients, unmodified, against a running `millrace up`: kcat and confluent-kafka (librdkafka), kafkajs,
 * @platformatic/kafka. Each produces and consumes; each forms a group of three that loses a member to kill -9, goes on and
 * resumes. Java's are in `java-tools.long.ts`.
 *
 * kafkajs 2.2.4 prints a TimeoutNegativeWarning: its request queue waits until `throttledUntil`, which is -1 while it was never
 * throttled. Nothing that a broker sends changes that.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type CommandLine, tellOfThree } from './group-of-three.ts';
import { storedCodecs } from './stored-codecs.ts';
import { makeServer, type Server } from './up.ts';

const requireClient = createRequire(join(import.meta.dirname, 'clients/package.json'));
const PYTHON = '/usr/bin/python3';
let server: Server;
let broker: string;

before(async () => {
  server = await makeServer();
  await server.start();
  broker = `127.0.0.1:${server.port}`;
});

after(async () => {
  await server.kill('SIGTERM');
  server.remove();
});

const lines = (count: number): string => Array.from({ length: count }, (_, i) => `v${i}`).join('\n');
const kcat = (args: readonly string[], input = ''): string =>
  execFileSync('kcat', ['-b', broker, ...args], { input, encoding: 'utf8', timeout: 60_000, maxBuffer: 1e8 });

for (const [codec, number] of [
  ['none', 0],
  ['gzip', 1],
  ['snappy', 2],
  ['lz4', 3],
  ['zstd', 4],
] as const) {
  test(`kcat writes with ${codec}; the batches stay so, and kcat reads them back`, async () => {
    const topic = `kcat-${codec}`;
    kcat(['-P', '-t', topic, '-z', codec], lines(3_000));
    // librdkafka leaves a batch uncompressed where compression does not pay.
    assert.ok((await storedCodecs(broker, topic)).has(number));
    assert.equal(kcat(['-C', '-t', topic, '-e', '-q']).trim(), lines(3_000));
  });
}

test('kcat begins in the middle of a batch, at the end, and lists metadata', () => {
  assert.equal(kcat(['-C', '-t', 'kcat-lz4', '-o', '2990', '-e', '-q']).trim().split('\n').length, 10);
  assert.equal(kcat(['-C', '-t', 'kcat-lz4', '-o', '-3', '-e', '-q']).trim().split('\n').length, 3);
  assert.match(kcat(['-L']), /topic "kcat-lz4" with 1 partitions/);
});

/** librdkafka that is told the broker's age instead of asking for versions. */
const FALLBACKS = ['0.8.0', '0.9.0.0', '0.10.0.0', '0.11.0'];
const aged = (age: string): string[] => ['-X', 'api.version.request=false', '-X', `broker.version.fallback=${age}`];

test('kcat that believes in brokers of 0.8 to 0.11 writes with every codec of theirs, and each age reads all', () => {
  let expected = '';
  for (const age of FALLBACKS) {
    for (const codec of ['none', 'gzip', 'snappy', 'lz4']) {
      const text = Array.from({ length: 100 }, (_, i) => `${age} ${codec} ${i}\n`).join('');
      kcat([...aged(age), '-P', '-t', 'aged', '-z', codec], text);
      expected += text;
    }
  }
  for (const age of FALLBACKS) assert.equal(kcat([...aged(age), '-C', '-t', 'aged', '-e', '-q']), expected, age);
  assert.equal(kcat(['-C', '-t', 'aged', '-e', '-q']), expected);
});

test('confluent-kafka writes idempotently and reads as a group that resumes', () => {
  const program = `
import sys
from confluent_kafka import Producer, Consumer
from confluent_kafka.admin import AdminClient, NewTopic
b = sys.argv[1]
a = AdminClient({'bootstrap.servers': b})
a.create_topics([NewTopic('ck', 3, 1)])['ck'].result(10)
p = Producer({'bootstrap.servers': b, 'enable.idempotence': True, 'compression.type': 'zstd'})
for i in range(2000): p.produce('ck', str(i), key=str(i % 7))
assert p.flush(20) == 0
def read(n):
    c = Consumer({'bootstrap.servers': b, 'group.id': 'ck', 'auto.offset.reset': 'earliest', 'enable.auto.commit': False, 'session.timeout.ms': 6000})
    c.subscribe(['ck'])
    got = []
    while len(got) < n:
        for m in c.consume(100, 10.0):
            assert m.error() is None, m.error()
            got.append(int(m.value()))
            c.commit(m, asynchronous=False) if len(got) % 100 == 0 or len(got) >= n else None
            if len(got) >= n: break
    c.close()
    return got
first = read(1000)
rest = read(1000)
print(len(set(first + rest)))
`;
  const output = execFileSync(PYTHON, ['-c', program, broker], { encoding: 'utf8', timeout: 90_000 });
  assert.ok(Number(output) >= 1_000, output);
});

test('kafkajs produces, consumes as a group and administers', async () => {
  const { Kafka, logLevel } = requireClient('kafkajs') as {
    Kafka: new (
      options: object,
    ) => {
      admin(): {
        connect(): Promise<void>;
        createTopics(o: object): Promise<boolean>;
        fetchTopicOffsets(t: string): Promise<{ high: string }[]>;
        disconnect(): Promise<void>;
      };
      producer(o?: object): {
        connect(): Promise<void>;
        send(o: object): Promise<unknown>;
        disconnect(): Promise<void>;
      };
      consumer(o: object): {
        connect(): Promise<void>;
        subscribe(o: object): Promise<void>;
        run(o: object): Promise<void>;
        disconnect(): Promise<void>;
      };
    };
    logLevel: { NOTHING: number };
  };
  const kafka = new Kafka({ clientId: 'kafkajs', brokers: [broker], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'kafkajs', numPartitions: 2 }] });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  await producer.send({
    topic: 'kafkajs',
    messages: Array.from({ length: 500 }, (_, i) => ({ key: `${i}`, value: `${i}`, headers: { h: 'x' } })),
  });
  await producer.disconnect();
  const ends = await admin.fetchTopicOffsets('kafkajs');
  assert.equal(
    ends.reduce((sum, { high }) => sum + Number(high), 0),
    500,
  );
  await admin.disconnect();
  const consumer = kafka.consumer({ groupId: 'kafkajs' });
  await consumer.connect();
  await consumer.subscribe({ topic: 'kafkajs', fromBeginning: true });
  const seen = new Set<string>();
  await new Promise<void>((resolve, reject) => {
    const eachMessage = ({ message }: { message: { value: Buffer } }): Promise<void> => {
      seen.add(message.value.toString());
      if (seen.size === 500) resolve();
      return Promise.resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
    setTimeout(() => reject(new Error(`kafkajs saw ${seen.size} of 500`)), 60_000).unref();
  });
  await consumer.disconnect();
});

test('@platformatic/kafka, which negotiates without a fallback, produces and consumes', async () => {
  type Stream = AsyncIterable<{ value: string }> & { close(): Promise<void> };
  const {
    Consumer: Reader,
    MessagesStreamModes,
    Producer,
    stringDeserializers,
    stringSerializers,
  } = requireClient('@platformatic/kafka') as {
    Producer: new (o: object) => { send(o: object): Promise<unknown>; close(): Promise<void> };
    Consumer: new (o: object) => { consume(o: object): Promise<Stream>; close(force?: boolean): Promise<void> };
    MessagesStreamModes: { EARLIEST: string };
    stringSerializers: object;
    stringDeserializers: object;
  };
  const producer = new Producer({
    clientId: 'platformatic',
    bootstrapBrokers: [broker],
    serializers: stringSerializers,
    autocreateTopics: true,
  });
  await producer.send({
    messages: Array.from({ length: 300 }, (_, i) => ({ topic: 'platformatic', key: `${i}`, value: `${i}` })),
  });
  await producer.close();
  const reader = new Reader({
    groupId: 'platformatic',
    clientId: 'platformatic',
    bootstrapBrokers: [broker],
    deserializers: stringDeserializers,
  });
  const stream = await reader.consume({
    topics: ['platformatic'],
    mode: MessagesStreamModes.EARLIEST,
    autocommit: true,
  });
  const seen = new Set<string>();
  for await (const message of stream) {
    seen.add(message.value);
    if (seen.size === 300) break;
  }
  assert.equal(seen.size, 300);
  await stream.close();
  await reader.close(true);
});

const MEMBERS = join(import.meta.dirname, 'members');
const program = (command: string, file: string, what: string, name: string): CommandLine => ({
  command,
  args: [join(MEMBERS, file), what, broker, name],
});

function run({ args, command }: CommandLine, input: string): void {
  const { status, stderr } = spawnSync(command, args, { input, encoding: 'utf8', timeout: 60_000 });
  assert.equal(status, 0, stderr);
}

describe('a group of three loses a member to kill -9, the others take its partitions, and it resumes', {
  concurrency: true,
}, () => {
  test('kcat', () => {
    const name = 'three-kcat';
    const settings = ['session.timeout.ms=6000', 'heartbeat.interval.ms=500', 'auto.offset.reset=earliest'];
    const options = settings.flatMap(setting => ['-X', setting]);
    return tellOfThree({
      broker,
      name,
      member: { command: 'kcat', args: ['-b', broker, ...options, '-q', '-u', '-G', name, name] },
      produce: async values => {
        for (const partition of [0, 1, 2]) {
          const share = values.filter((_value, i) => i % 3 === partition);
          run({ command: 'kcat', args: ['-b', broker, '-P', '-t', name, '-p', String(partition)] }, share.join('\n'));
        }
      },
    });
  });
  for (const [client, command, file] of [
    ['confluent-kafka', PYTHON, 'confluent.py'],
    ['kafkajs', process.execPath, 'kafkajs.mjs'],
    ['@platformatic/kafka', process.execPath, 'platformatic.mjs'],
  ] as const) {
    test(client, () => {
      const name = `three-${file.replace(/\..*/, '')}`;
      return tellOfThree({
        broker,
        name,
        member: program(command, file, 'consume', name),
        produce: async values => run(program(command, file, 'produce', name), values.join('\n')),
      });
    });
  }
});
