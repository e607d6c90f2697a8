/**
 * Eleven generations of Kafka's Java clients, 0.8.2 to 4.2, against one `millrace up`: each writes with every way of
 * acknowledgement and every codec that it has, and reads what all others wrote. Formats 0 and 1, batches, conversion both
 * ways and groups of every age are judged by the clients themselves. Sources: `java/generations`; one process a generation.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { nodeIo } from '../../src/base/io/node.ts';
import { clientSettings, Consumer, makeCluster } from '../../src/client/index.ts';
import { BatchHeader, CODEC, RecordCursor } from '../../src/wire/records/index.ts';
import { type PeerName, peerLibs } from './peers/fetch.ts';
import { makeServer, type Server } from './up.ts';

const SOURCES = join(import.meta.dirname, 'java/generations');
const RECORDS_A_PRODUCER = 20;
/** Not long ago, or retention would take the records. */
const TIME = Date.now() - 3_600_000;
/** Whoever writes while others wait: as many as the machine has cores. */
const WRITERS = 2;
const PARTITIONS = 4;

const OLD_CODECS = ['none', 'gzip', 'snappy', 'lz4'];
const OLD_ACKS = ['0', '1', 'all'];

interface Generation {
  readonly name: string;
  readonly jars: PeerName;
  /** The program, compiled with the oldest jars of its list. */
  readonly program: 'Kafka08' | 'Kafka09' | 'Kafka010' | 'Kafka011' | 'Kafka2';
  readonly acks: readonly string[];
  readonly codecs: readonly string[];
}

const generation = (name: string, program: Generation['program'], jars: PeerName): Generation => {
  const isNew = program === 'Kafka011' || program === 'Kafka2';
  return {
    name,
    program,
    jars,
    acks: isNew ? [...OLD_ACKS, 'idempotent'] : OLD_ACKS,
    codecs: program === 'Kafka2' ? [...OLD_CODECS, 'zstd'] : OLD_CODECS,
  };
};

const GENERATIONS: readonly Generation[] = [
  generation('0.8.2.2', 'Kafka08', 'kafka-0.8.2.2'),
  generation('0.8.2.2-scala', 'Kafka08', 'kafka-0.8.2.2'),
  generation('0.9.0.1', 'Kafka09', 'clients-0.9.0.1'),
  generation('0.10.0.1', 'Kafka010', 'clients-0.10.0.1'),
  generation('0.10.2.2', 'Kafka010', 'clients-0.10.2.2'),
  generation('0.11.0.2', 'Kafka011', 'clients-0.11.0.2'),
  generation('1.1.1', 'Kafka011', 'clients-1.1.1'),
  generation('2.1.1', 'Kafka2', 'clients-2.1.1'),
  generation('2.8.2', 'Kafka2', 'clients-2.8.2'),
  generation('3.9.1', 'Kafka2', 'clients-3.9.1'),
  generation('4.2.0', 'Kafka2', 'kafka-4.2.0'),
];

const hasTimestamps = ({ program }: Generation): boolean => program !== 'Kafka08' && program !== 'Kafka09';
const hasHeaders = ({ program }: Generation): boolean => program === 'Kafka011' || program === 'Kafka2';
const hasZstd = ({ codecs }: Generation): boolean => codecs.includes('zstd');
const byName = (name: string): Generation => GENERATIONS.find(candidate => candidate.name === name)!;

interface Read {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string;
  readonly value: string;
  readonly headers: string;
}

/** One running program. */
class Client {
  readonly generation: Generation;
  private readonly child: ChildProcess;
  private readonly lines: string[] = [];
  private complaints = '';
  private hasEnded = false;
  private onLine: () => void = () => undefined;

  constructor(one: Generation, classes: string, broker: string) {
    this.generation = one;
    const path = [join(classes, one.program), join(peerLibs(one.jars), '*')].join(':');
    const heap = ['-Xmx192m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
    const args = [one.name, broker, String(TIME), one.acks.join(','), one.codecs.join(',')];
    this.child = spawn('java', [...heap, '-cp', path, one.program, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stderr!.on('data', chunk => (this.complaints = (this.complaints + String(chunk)).slice(-4_000)));
    this.child.stdin!.on('error', () => undefined);
    createInterface({ input: this.child.stdout! }).on('line', line => {
      this.lines.push(line);
      this.onLine();
    });
    this.child.once('close', () => {
      this.hasEnded = true;
      this.onLine();
    });
  }

  async produced(): Promise<void> {
    assert.equal(await this.line(), 'produced', `${this.generation.name}: ${this.complaints}`);
  }

  async consume(topic: string, count: number): Promise<{ records: Read[]; failure: string | undefined }> {
    this.child.stdin!.write(`consume ${topic} ${count}\n`);
    const records: Read[] = [];
    for (;;) {
      const line = await this.line();
      if (line === 'end') return { records, failure: undefined };
      if (line.startsWith('failed ')) return { records, failure: line };
      const [word, partition, offset, timestamp, key, value, headers] = line.split(' ');
      assert.equal(word, 'record', line);
      const numbers = { partition: Number(partition), offset: Number(offset), timestamp: Number(timestamp) };
      records.push({ ...numbers, key: key!, value: value!, headers: headers! });
    }
  }

  /** Whatever it is doing: some never give up. */
  async end(): Promise<void> {
    if (this.hasEnded) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'close');
  }

  private async line(): Promise<string> {
    while (this.lines.length === 0) {
      if (this.hasEnded) throw new Error(`${this.generation.name} ended: ${this.complaints}`);
      await new Promise<void>(resolve => {
        this.onLine = resolve;
      });
    }
    return this.lines.shift()!;
  }
}

let server: Server;
let broker: string;
const classes = mkdtempSync(join(tmpdir(), 'millrace-java-'));
const clients: Client[] = [];

/** What each client reads from the topic of all codecs but zstd, then from that of zstd; started for all at once. */
const shared = new Map<string, ReturnType<Client['consume']>>();
const zstd = new Map<string, ReturnType<Client['consume']>>();

async function compile(program: Generation['program'], jars: PeerName): Promise<void> {
  const names = program === 'Kafka08' ? ['Matrix', program] : ['Matrix', 'GroupMatrix', program];
  const files = names.map(name => join(SOURCES, `${name}.java`));
  const options = ['-nowarn', '-Xlint:none', '-d', join(classes, program), '-cp', join(peerLibs(jars), '*')];
  await promisify(execFile)('javac', [...options, ...files]);
}

const recordsOf = (one: Generation, codecs: readonly string[]): number =>
  one.acks.length * codecs.length * RECORDS_A_PRODUCER;

before(async () => {
  server = await makeServer(`kafka: { default_partitions: ${PARTITIONS} }\n`);
  await server.start();
  broker = `127.0.0.1:${server.port}`;
  const oldest = new Map<Generation['program'], PeerName>();
  for (const { jars, program } of GENERATIONS) if (!oldest.has(program)) oldest.set(program, jars);
  for (const [program, jars] of oldest) await compile(program, jars);
  const waiting = [...GENERATIONS];
  const write = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const client = new Client(next, classes, broker);
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
function expectAll(reader: Generation, records: readonly Read[], codecs: readonly string[]): void {
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
