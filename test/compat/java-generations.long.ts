/**
 * Eleven generations of Kafka's Java clients, 0.8.2 to 4.2, against one `millrace up`: each writes with every way of
 * acknowledgement and every codec that it has, and reads what all others wrote. Formats 0 and 1, batches, conversion both
 * ways and groups of every age are judged by the clients themselves. Sources: `java/generations`; one process a generation.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { nodeIo } from '../../src/base/io/node.ts';
import { clientSettings, Consumer, makeCluster } from '../../src/client/index.ts';
import { BatchHeader, CODEC, RecordCursor } from '../../src/wire/records/index.ts';
import {
  compilePrograms,
  GENERATIONS,
  type Generation,
  JavaClient,
  type JavaRead,
  OLD_CODECS,
  PARTITIONS,
  RECORDS_A_PRODUCER,
  TIME,
} from './peers/java-clients.ts';
import { makeServer, type Server } from './up.ts';

/** Whoever writes while others wait: as many as the machine has cores. */
const WRITERS = 2;

const hasTimestamps = ({ program }: Generation): boolean => program !== 'Kafka08' && program !== 'Kafka09';
const hasHeaders = ({ program }: Generation): boolean => program === 'Kafka011' || program === 'Kafka2';
const hasZstd = ({ codecs }: Generation): boolean => codecs.includes('zstd');
const byName = (name: string): Generation => GENERATIONS.find(candidate => candidate.name === name)!;

let server: Server;
let broker: string;
const classes = mkdtempSync(join(tmpdir(), 'millrace-java-'));
const clients: JavaClient[] = [];

/** What each client reads from the topic of all codecs but zstd, then from that of zstd; started for all at once. */
const shared = new Map<string, ReturnType<JavaClient['consume']>>();
const zstd = new Map<string, ReturnType<JavaClient['consume']>>();

const recordsOf = (one: Generation, codecs: readonly string[]): number =>
  one.acks.length * codecs.length * RECORDS_A_PRODUCER;

before(async () => {
  server = await makeServer(`kafka: { default_partitions: ${PARTITIONS} }\n`);
  await server.start();
  broker = `127.0.0.1:${server.port}`;
  await compilePrograms(GENERATIONS, classes);
  const waiting = [...GENERATIONS];
  const write = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const client = new JavaClient(next, classes, broker);
      clients.push(client);
      await client.produced();
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
  const inShared = GENERATIONS.reduce((sum, one) => sum + recordsOf(one, OLD_CODECS), 0);
  const inZstd = GENERATIONS.filter(hasZstd).reduce((sum, one) => sum + recordsOf(one, ['zstd']), 0);
  for (const client of clients) {
    const { name } = client.generation;
    const first = client.consume('shared', inShared);
    const second = first.then(() => client.consume('zstd', inZstd));
    shared.set(name, first);
    zstd.set(name, second);
    for (const read of [first, second]) read.catch(() => undefined);
  }
});

after(async () => {
  await Promise.all(clients.map(client => client.end()));
  await server.kill('SIGTERM');
  server.remove();
  rmSync(classes, { recursive: true, force: true });
});

/** Every record of every producer once, in order, and as its writer and its reader can have it. */
function expectAll(reader: Generation, records: readonly JavaRead[], codecs: readonly string[]): void {
  const next = new Map<string, number>();
  const nextOffset: number[] = Array(PARTITIONS).fill(0);
  const inOrder = [...records].sort((a, b) => a.partition - b.partition || a.offset - b.offset);
  for (const { headers, key, offset, partition, timestamp, value } of inOrder) {
    assert.equal(offset, nextOffset[partition]!++, `${reader.name}: partition ${partition}`);
    const label = value === '~' ? key : value;
    const [name, acks, codec, number] = label.split('|') as [string, string, string, string];
    const series = `${name}|${acks}|${codec}`;
    const i = next.get(series) ?? 0;
    next.set(series, i + 1);
    const writer = byName(name);
    assert.deepEqual(
      { number: Number(number), key, value, partition },
      {
        number: i,
        key: i % 2 === 1 ? `${series}|${i}` : '~',
        value: i === 7 ? '~' : `${series}|${i}`,
        partition: ['0', '1', 'all', 'idempotent'].indexOf(acks),
      },
      `${reader.name} reads ${series}`,
    );
    const isTimed = hasTimestamps(reader) && hasTimestamps(writer);
    assert.equal(timestamp, isTimed ? TIME + i : -1, `${reader.name} reads ${label}`);
    assert.equal(headers, hasHeaders(reader) && hasHeaders(writer) ? `-by=${name}` : '-');
  }
  for (const one of GENERATIONS) {
    for (const acks of one.acks) {
      for (const codec of codecs.filter(candidate => one.codecs.includes(candidate))) {
        assert.equal(next.get(`${one.name}|${acks}|${codec}`), RECORDS_A_PRODUCER, `${one.name} ${acks} ${codec}`);
      }
    }
  }
}

for (const one of GENERATIONS) {
  test(`${one.name} reads what every generation wrote, in order, in every codec of its time`, async () => {
    const { failure, records } = await shared.get(one.name)!;
    assert.equal(failure, undefined);
    expectAll(one, records, OLD_CODECS);
  });
}

for (const one of GENERATIONS.filter(hasZstd)) {
  test(`${one.name} reads zstd`, async () => {
    const { failure, records } = await zstd.get(one.name)!;
    assert.equal(failure, undefined);
    expectAll(one, records, ['zstd']);
  });
}

for (const { name } of GENERATIONS.filter(candidate => !hasZstd(candidate))) {
  test(`${name}, which knows no zstd, is refused with a diagnosis and sees nothing of it`, async () => {
    await shared.get(name);
    // Most clients of this age ask again for ever, and tell nobody.
    const refusal = new RegExp(`refused ${name.replaceAll('.', '\\.')} .*zstd batches of zstd/`);
    for (let i = 0; i < 600 && !refusal.test(server.output); i++)
      await new Promise(resolve => setTimeout(resolve, 100));
    assert.match(server.output, refusal);
    const early = await Promise.race([zstd.get(name)!, Promise.resolve(undefined)]);
    assert.deepEqual(early?.records ?? [], []);
  });
}

test('what is stored has the codec that its producer used', async () => {
  const cluster = makeCluster(nodeIo(), clientSettings(nodeIo(), new Map([['bootstrap.servers', broker]])));
  const consumer = new Consumer(cluster);
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  consumer.assign(['shared', 'zstd'].flatMap(topic => partitions.map(partition => ({ topic, partition, offset: -2 }))));
  const seen = new Set<string>();
  const cursor = new RecordCursor();
  do {
    for (const { batches } of await consumer.poll()) {
      for (const batch of batches) {
        const stored = new BatchHeader(batch).codec;
        cursor.open(batch);
        while (cursor.advance()) {
          const [name, , codec] = Buffer.from(cursor.value ?? cursor.key!)
            .toString()
            .split('|') as [string, string, keyof typeof CODEC];
          assert.ok(stored === CODEC[codec] || stored === CODEC.none, `${name} ${codec} is stored as ${stored}`);
          if (stored === CODEC[codec]) seen.add(`${name} ${codec}`);
        }
      }
    }
  } while (!consumer.isAtEnd);
  await cluster.close();
  for (const { codecs, name } of GENERATIONS)
    for (const codec of codecs) assert.ok(seen.has(`${name} ${codec}`), `${name} ${codec}`);
});
