/**
 * Produce: CPU seconds of the broker for a gigabyte, and throughput, ours acknowledged after fsync and Apache Kafka 4.2 with its
 * defaults (which never syncs), in alternating runs against brokers that stay up and are warm.
 *
 * Two loads: a generator of pre-encoded requests (`load-generator.ts`) and librdkafka (`librdkafka-load.py`). The result is
 * checked: the topic's end offsets grow by as many records as were acknowledged.
 *
 * Run: node bench/produce.bench.ts [runs]
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { nodeIo } from '../src/base/io/node.ts';
import { Admin, clientSettings, makeCluster } from '../src/client/index.ts';
import { HEAP_OF_BENCHES, makeKafka } from '../test/compat/peers/kafka.ts';
import { freePort } from '../test/compat/up.ts';
import { cpuSecondsOf, figure, keep, ratios, root } from './measure.ts';

const RUNS = Number(process.argv[2] ?? 7);
const PARTITIONS = 4;
const run = promisify(execFile);
const io = nodeIo();

interface Rival {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

interface Load {
  readonly name: string;
  readonly totalBytes: number;
  readonly recordBytes: number;
  start(rival: Rival, topic: string, totalBytes: number): Promise<{ stdout: string }>;
}

const generator = (recordBytes: number, requestBytes: number, totalBytes: number): Load => ({
  name: `generator, ${recordBytes} B records, ${requestBytes / 1000} KB requests`,
  totalBytes,
  recordBytes,
  start: ({ port }, topic, total) => {
    const args = [port, topic, PARTITIONS, recordBytes, requestBytes, total].map(String);
    return run(process.execPath, [join(import.meta.dirname, 'load-generator.ts'), ...args]);
  },
});

const librdkafka = (recordBytes: number, totalBytes: number): Load => ({
  name: `librdkafka, ${recordBytes} B records`,
  totalBytes,
  recordBytes,
  start: ({ port }, topic, total) => {
    const args = [port, topic, PARTITIONS, recordBytes, total].map(String);
    return run('/usr/bin/python3', [join(import.meta.dirname, 'librdkafka-load.py'), ...args]);
  },
});

const LOADS: readonly Load[] = [
  generator(1_000, 900_000, 1e9),
  generator(100, 200_000, 1e9),
  librdkafka(1_000, 5e8),
  librdkafka(100, 1e8),
];

const directory = mkdtempSync(join(tmpdir(), 'produce-bench-'));

async function startMillrace(): Promise<{ rival: Rival; child: ChildProcess }> {
  const port = await freePort();
  const args = ['up', '--data', join(directory, 'data'), '--kafka', `127.0.0.1:${port}`, '--http', '127.0.0.1:0'];
  const child = spawn(process.execPath, ['src/cli/main.ts', ...args], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await new Promise<void>(resolve => {
    child.stderr.on('data', chunk => {
      if (String(chunk).includes('pipelines')) resolve();
    });
  });
  return { child, rival: { name: 'millrace', port, pid: child.pid! } };
}

const kafka = await makeKafka({}, HEAP_OF_BENCHES);
await kafka.start();
const millrace = await startMillrace();
const rivals: readonly Rival[] = [millrace.rival, { name: 'kafka', port: kafka.port, pid: kafka.pid }];
let topics = 0;

interface Measured {
  readonly cpuSecondsPerGb: number;
  readonly mbPerSecond: number;
}

async function measure(load: Load, rival: Rival, totalBytes = load.totalBytes): Promise<Measured> {
  const properties = new Map([['bootstrap.servers', `127.0.0.1:${rival.port}`]]);
  const cluster = makeCluster(io, clientSettings(io, properties));
  const admin = new Admin(cluster);
  const topic = `load-${++topics}`;
  await admin.createTopic(topic, PARTITIONS);
  // Nothing of an earlier run is still being written back.
  await run('sync', []);
  const before = cpuSecondsOf(rival.pid);
  const { stdout } = await load.start(rival, topic, totalBytes);
  const cpu = cpuSecondsOf(rival.pid) - before;
  const [bytes, seconds] = stdout.trim().split(' ').map(Number) as [number, number];
  const offsets = await admin.offsets(topic);
  const records = offsets.reduce((sum, { end }) => sum + end, 0);
  assert.ok(
    records >= Math.floor(bytes / (load.recordBytes + 100)) && records <= bytes / load.recordBytes,
    `${records}`,
  );
  await admin.deleteTopic(topic);
  await cluster.close();
  return { cpuSecondsPerGb: cpu / (bytes / 1e9), mbPerSecond: bytes / 1e6 / seconds };
}

try {
  const results = [];
  for (const load of LOADS) {
    for (const rival of rivals) await measure(load, rival, load.totalBytes / 4);
    const measured = new Map(rivals.map(({ name }) => [name, [] as Measured[]]));
    for (let i = 0; i < RUNS; i++) {
      for (const rival of rivals) measured.get(rival.name)!.push(await measure(load, rival));
      const line = rivals.map(({ name }) => {
        const { cpuSecondsPerGb, mbPerSecond } = measured.get(name)!.at(-1)!;
        return `${name} ${cpuSecondsPerGb.toFixed(2)} s/GB, ${mbPerSecond.toFixed(0)} MB/s`;
      });
      process.stderr.write(`${load.name}: ${line.join(' · ')}\n`);
    }
    const of = (name: string, key: keyof Measured): number[] => measured.get(name)!.map(entry => entry[key]);
    results.push({
      load: load.name,
      cpuSecondsPerGb: {
        millrace: figure(of('millrace', 'cpuSecondsPerGb')),
        kafka: figure(of('kafka', 'cpuSecondsPerGb')),
      },
      cpuRatio: ratios(of('millrace', 'cpuSecondsPerGb'), of('kafka', 'cpuSecondsPerGb')),
      mbPerSecond: { millrace: figure(of('millrace', 'mbPerSecond')), kafka: figure(of('kafka', 'mbPerSecond')) },
      throughputRatio: ratios(of('millrace', 'mbPerSecond'), of('kafka', 'mbPerSecond')),
    });
  }
  keep('produce', { what: 'produce, acks=all; ours after fsync, Kafka never syncs', runs: RUNS, mark: 0.8, results });
} finally {
  millrace.child.kill('SIGTERM');
  await kafka.kill();
  kafka.remove();
  rmSync(directory, { recursive: true, force: true });
}
