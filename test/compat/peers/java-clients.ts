/**
 * Kafka's Java clients by generation of their API, with the program that each runs (`java/generations`), and one of them
 * running.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { type PeerName, peerLibs } from './fetch.ts';

const SOURCES = join(import.meta.dirname, '../java/generations');
export const RECORDS_A_PRODUCER = 20;
/** Of the first record of each producer: not long ago, or retention would take it. */
export const TIME = Date.now() - 3_600_000;
/** Of the topics: one for each way of acknowledgement. */
export const PARTITIONS = 4;

/** Codecs of the topic `shared`; records in zstd go to the topic `zstd`. */
export const OLD_CODECS: readonly string[] = ['none', 'gzip', 'snappy', 'lz4'];
const OLD_ACKS = ['0', '1', 'all'];

export interface Generation {
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

export const GENERATIONS: readonly Generation[] = [
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

export interface JavaRead {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string;
  readonly value: string;
  readonly headers: string;
}

/** One running program. */
export class JavaClient {
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

  async consume(topic: string, count: number): Promise<{ records: JavaRead[]; failure: string | undefined }> {
    this.child.stdin!.write(`consume ${topic} ${count}\n`);
    const records: JavaRead[] = [];
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

/** Compiles the programs of these generations, each with the oldest jars that run it. */
export async function compilePrograms(generations: readonly Generation[], classes: string): Promise<void> {
  const jars = new Map<Generation['program'], PeerName>();
  for (const { jars: name, program } of generations) if (!jars.has(program)) jars.set(program, name);
  for (const [program, name] of jars) {
    const parts = program === 'Kafka08' ? ['Matrix', program] : ['Matrix', 'GroupMatrix', program];
    const files = parts.map(part => join(SOURCES, `${part}.java`));
    const options = ['-nowarn', '-Xlint:none', '-d', join(classes, program), '-cp', join(peerLibs(name), '*')];
    await promisify(execFile)('javac', [...options, ...files]);
  }
}
