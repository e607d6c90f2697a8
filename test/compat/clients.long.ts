/**
 * Foreign clients, unmodified, against a running `millrace up`: kcat and confluent-kafka (librdkafka), kafkajs,
 * @platformatic/kafka. Each produces and consumes; a group of three loses a member to kill -9 and goes on.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { nodeIo } from '../../src/base/io/node.ts';
import { type Cluster, clientSettings, Consumer, makeCluster } from '../../src/client/index.ts';
import { BatchHeader } from '../../src/wire/records/index.ts';
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

/** Codec numbers of the stored batches. */
async function storedCodecs(topic: string): Promise<Set<number>> {
  const io = nodeIo();
  const cluster: Cluster = makeCluster(io, clientSettings(io, new Map([['bootstrap.servers', broker]])));
  const { leaders } = await cluster.topic(topic);
  const consumer = new Consumer(cluster);
  consumer.assign(leaders.map((_leader, partition) => ({ topic, partition, offset: -2 })));
  const codecs = new Set<number>();
  for (let i = 0; i < 20 && (codecs.size === 0 || !consumer.isAtEnd); i++) {
    for (const { batches } of await consumer.poll())
      for (const batch of batches) codecs.add(new BatchHeader(batch).codec);
  }
  await cluster.close();
  return codecs;
}

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
    assert.ok((await storedCodecs(topic)).has(number));
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

test('a group of three kcat members loses one to kill -9, and the others take its partitions', async () => {
  execFileSync(PYTHON, [
    '-c',
    `
import sys
from confluent_kafka.admin import AdminClient, NewTopic
a = AdminClient({'bootstrap.servers': sys.argv[1]})
a.create_topics([NewTopic('three', 3, 1)])['three'].result(10)`,
    broker,
  ]);
  const seen = new Set<string>();
  const members: ChildProcess[] = Array.from({ length: 3 }, () => {
    const args = [
      '-b',
      broker,
      '-G',
      'three',
      '-X',
      'session.timeout.ms=6000',
      '-X',
      'auto.offset.reset=earliest',
      '-q',
      '-u',
      'three',
    ];
    const child = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.on('data', chunk => {
      for (const line of String(chunk).split('\n')) if (line !== '') seen.add(line);
    });
    return child;
  });
  try {
    const produce = (from: number): void => {
      for (let partition = 0; partition < 3; partition++) {
        kcat(
          ['-P', '-t', 'three', '-p', String(partition)],
          Array.from({ length: 100 }, (_, i) => `${from + partition * 100 + i}`).join('\n'),
        );
      }
    };
    const until = async (count: number): Promise<void> => {
      for (let i = 0; i < 600 && seen.size < count; i++) await new Promise(resolve => setTimeout(resolve, 100));
      assert.equal(seen.size, count);
    };
    produce(0);
    await until(300);
    members[0]!.kill('SIGKILL');
    produce(1_000);
    await until(600);
  } finally {
    for (const member of members) member.kill('SIGKILL');
  }
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
