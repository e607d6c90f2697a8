/** The foreign clients that are recorded, each once through what it does with a broker. They throw where anything fails. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PeerName, peerLibs } from '../../test/compat/peers/fetch.ts';
import {
  compilePrograms,
  GENERATIONS,
  JavaClient,
  OLD_CODECS,
  RECORDS_A_PRODUCER,
} from '../../test/compat/peers/java-clients.ts';

const COMPAT = join(import.meta.dirname, '../../test/compat');
const LIMIT_MS = 90_000;
const requireClient = createRequire(join(COMPAT, 'clients/package.json'));

/** Name of the client → what it does with the broker at `host:port`. */
export const clients: Readonly<Record<string, (broker: string) => Promise<void>>> = {
  kcat: broker => kcat(broker, []),
  // Told that the broker is old instead of asking it: the oldest versions that the broker serves.
  'kcat-0.11': broker => kcat(broker, ['-X', 'api.version.request=false', '-X', 'broker.version.fallback=0.11.0']),
  'java-4.2.0': broker => java('kafka-4.2.0', broker),
  'java-3.9.1': broker => java('clients-3.9.1', broker),
  'java-2.8.2': broker => java('clients-2.8.2', broker),
  'java-2.1.1': broker => javaOf('2.1.1', broker),
  'java-1.1.1': broker => javaOf('1.1.1', broker),
  'java-0.11.0.2': broker => javaOf('0.11.0.2', broker),
  'java-0.10.2.2': broker => javaOf('0.10.2.2', broker),
  'java-0.10.0.1': broker => javaOf('0.10.0.1', broker),
  'java-0.9.0.1': broker => javaOf('0.9.0.1', broker),
  'java-0.8.2.2': broker => javaOf('0.8.2.2', broker),
  'java-0.8.2.2-scala': broker => javaOf('0.8.2.2-scala', broker),
  kafkajs,
  platformatic,
};

function run(command: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: LIMIT_MS });
    let output = '';
    let complaints = '';
    child.stdout.on('data', chunk => (output += String(chunk)));
    child.stderr.on('data', chunk => (complaints += String(chunk)));
    child.on('error', reject);
    child.on('close', code => (code === 0 ? resolve(output) : reject(new Error(`${command}: ${code} ${complaints}`))));
    child.stdin.end(input);
  });
}

async function kcat(broker: string, options: readonly string[]): Promise<void> {
  const call = (args: readonly string[], input?: string): Promise<string> =>
    run('kcat', ['-b', broker, ...options, ...args], input);
  const expect = (output: string): void => {
    if (output !== 'one\ntwo\n') throw new Error(`kcat read ${output}`);
  };
  await call(['-P', '-t', 'kcat', '-K', ':'], 'a:one\nb:two\n');
  if (options.length === 0) {
    await call(['-P', '-t', 'kcat-idempotent', '-z', 'gzip', '-X', 'enable.idempotence=true'], 'one\ntwo\n');
    await call(['-Q', '-t', 'kcat:0:-1']);
  }
  await call(['-L']);
  const quiet = ['-q', '-e'];
  expect(await call(['-C', '-t', 'kcat', ...quiet]));
  expect(await call(['-G', 'kcat-group', '-X', 'auto.offset.reset=earliest', ...quiet, 'kcat']));
}

async function java(peer: PeerName, broker: string): Promise<void> {
  await run('java', ['-cp', join(peerLibs(peer), '*'), join(COMPAT, 'java/Client.java'), broker]);
}

/** A generation that is older than `Client.java`: writes with every codec and reads it. */
async function javaOf(name: string, broker: string): Promise<void> {
  const generation = { ...GENERATIONS.find(candidate => candidate.name === name)!, codecs: OLD_CODECS };
  const classes = mkdtempSync(join(tmpdir(), 'millrace-java-'));
  await compilePrograms([generation], classes);
  const client = new JavaClient(generation, classes, broker);
  try {
    await client.produced();
    const { failure } = await client.consume('shared', generation.acks.length * OLD_CODECS.length * RECORDS_A_PRODUCER);
    if (failure !== undefined) throw new Error(failure);
  } finally {
    await client.end();
    rmSync(classes, { recursive: true, force: true });
  }
}

interface KafkaJs {
  admin(): KafkaJsAdmin;
  producer(options?: object): Connected & { send(options: object): Promise<unknown> };
  consumer(options: object): Connected & { subscribe(o: object): Promise<void>; run(o: object): Promise<void> };
}
interface Connected {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
}
interface KafkaJsAdmin extends Connected {
  createTopics(options: object): Promise<boolean>;
  createPartitions(options: object): Promise<boolean>;
  fetchTopicMetadata(options: object): Promise<unknown>;
  fetchTopicOffsets(topic: string): Promise<unknown>;
  fetchOffsets(options: object): Promise<unknown>;
  describeConfigs(options: object): Promise<unknown>;
  describeCluster(): Promise<unknown>;
  listGroups(): Promise<unknown>;
  describeGroups(groups: readonly string[]): Promise<unknown>;
  deleteGroups(groups: readonly string[]): Promise<unknown>;
  deleteTopics(options: object): Promise<void>;
}

async function kafkajs(broker: string): Promise<void> {
  const { Kafka, logLevel } = requireClient('kafkajs') as {
    Kafka: new (options: object) => KafkaJs;
    logLevel: { NOTHING: number };
  };
  const kafka = new Kafka({ clientId: 'kafkajs', brokers: [broker], logLevel: logLevel.NOTHING });
  const topic = 'kafkajs';
  const groupId = 'kafkajs-group';
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] });
  await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
  for (const idempotent of [true, false]) {
    const producer = kafka.producer({ idempotent });
    await producer.connect();
    await producer.send({ topic, messages: [{ key: 'a', value: 'one', headers: { h: 'x' } }, { value: 'two' }] });
    await producer.disconnect();
  }
  const consumer = kafka.consumer({ groupId, heartbeatInterval: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    let left = 4;
    const eachMessage = (): Promise<void> => {
      if (--left === 0) resolve();
      return Promise.resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
    setTimeout(() => reject(new Error(`kafkajs misses ${left} of 4`)), LIMIT_MS).unref();
  });
  await admin.describeGroups([groupId]);
  await consumer.disconnect();
  await admin.fetchTopicMetadata({ topics: [topic] });
  await admin.fetchTopicOffsets(topic);
  await admin.fetchOffsets({ groupId, topics: [topic] });
  await admin.describeConfigs({ resources: [{ type: 2, name: topic }], includeSynonyms: false });
  await admin.describeCluster();
  await admin.listGroups();
  await admin.deleteGroups([groupId]);
  await admin.deleteTopics({ topics: [topic] });
  await admin.disconnect();
}

async function platformatic(broker: string): Promise<void> {
  type Stream = AsyncIterable<{ value: string }> & { close(): Promise<void> };
  const kafka = requireClient('@platformatic/kafka') as {
    Producer: new (o: object) => { send(o: object): Promise<unknown>; close(): Promise<void> };
    Consumer: new (o: object) => { consume(o: object): Promise<Stream>; close(force?: boolean): Promise<void> };
    MessagesStreamModes: { EARLIEST: string };
    stringSerializers: object;
    stringDeserializers: object;
  };
  const base = { clientId: 'platformatic', bootstrapBrokers: [broker] };
  const producer = new kafka.Producer({ ...base, serializers: kafka.stringSerializers, autocreateTopics: true });
  const messages = ['one', 'two', 'three'].map(value => ({ topic: 'platformatic', key: value, value }));
  await producer.send({ messages });
  await producer.close();
  const reader = new kafka.Consumer({
    ...base,
    groupId: 'platformatic-group',
    deserializers: kafka.stringDeserializers,
  });
  const mode = kafka.MessagesStreamModes.EARLIEST;
  const stream = await reader.consume({ topics: ['platformatic'], mode, autocommit: true });
  let left = messages.length;
  for await (const _message of stream) if (--left === 0) break;
  await stream.close();
  await reader.close(true);
}
