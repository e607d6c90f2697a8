/**
 * Start and rest: time from the start of the process until it answers ApiVersions, and resident memory when nobody has asked it
 * anything for a while. Ours and Apache Kafka 4.2 in turns, each over a data directory that it has used before (a warm start),
 * ours as sources with the compile cache that `./millrace` keeps.
 *
 * Run: node tools/run.mjs bench/start.bench.ts [runs]
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HEAP_OF_BENCHES, makeKafka } from '../test/compat/peers/kafka.ts';
import { freePort } from '../test/compat/up.ts';
import { figure, keep, ratios, residentBytes, root } from './measure.ts';

const RUNS = Number(process.argv[2] ?? 7);
const IDLE_MS = 10_000;
const ASK_MS = 3;
/** ApiVersions 0, correlation id 1, client id null. */
const API_VERSIONS = Buffer.from('0000000a0012000000000001ffff', 'hex');

interface Measured {
  readonly startMs: number;
  readonly residentMb: number;
}

interface Rival {
  readonly name: string;
  readonly port: number;
  /** Begins the process and gives its id as soon as there is one. */
  begin(): number;
  end(): Promise<void>;
  remove(): void;
}

function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1');
    const done = (isAnswered: boolean): void => {
      socket.destroy();
      resolve(isAnswered);
    };
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
    socket.once('connect', () => socket.write(API_VERSIONS));
    socket.once('data', () => done(true));
  });
}

async function measure(rival: Rival): Promise<Measured> {
  const startedMs = performance.now();
  const pid = rival.begin();
  while (!(await answers(rival.port))) await new Promise(resolve => setTimeout(resolve, ASK_MS));
  const startMs = performance.now() - startedMs;
  await new Promise(resolve => setTimeout(resolve, IDLE_MS));
  const residentMb = residentBytes(pid) / 1e6;
  await rival.end();
  return { startMs, residentMb };
}

async function millraceRival(): Promise<Rival> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'start-bench-'));
  const flags = ['up', '--data', join(directory, 'data'), '--kafka', `127.0.0.1:${port}`, '--http', '127.0.0.1:0'];
  let ended: Promise<unknown> = Promise.resolve();
  let stop = (): unknown => undefined;
  return {
    name: 'millrace',
    port,
    begin: () => {
      const env = { ...process.env, NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/millrace-compile') };
      const child = spawn(process.execPath, ['src/cli/main.ts', ...flags], { cwd: root, env, stdio: 'ignore' });
      ended = new Promise(resolve => child.once('exit', resolve));
      stop = () => child.kill('SIGTERM');
      return child.pid!;
    },
    end: async () => {
      stop();
      await ended;
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

async function kafkaRival(): Promise<Rival> {
  const kafka = await makeKafka({}, HEAP_OF_BENCHES);
  return {
    name: 'kafka',
    port: kafka.port,
    begin: () => {
      // Its own waiting is coarser than what is measured here.
      kafka.start().catch(() => undefined);
      return kafka.pid;
    },
    end: () => kafka.kill('SIGTERM'),
    remove: () => kafka.remove(),
  };
}

const rivals = [await millraceRival(), await kafkaRival()];
const measured = new Map(rivals.map(({ name }) => [name, [] as Measured[]]));
try {
  for (let i = -1; i < RUNS; i++) {
    for (const rival of rivals) {
      const result = await measure(rival);
      // The first start makes the data directory and the caches: that is not the warm one.
      if (i >= 0) measured.get(rival.name)!.push(result);
      process.stderr.write(`${rival.name} ${result.startMs.toFixed(0)} ms, ${result.residentMb.toFixed(0)} MB\n`);
    }
  }
} finally {
  for (const rival of rivals) {
    await rival.end();
    rival.remove();
  }
}
const of = (name: string, key: keyof Measured): number[] => measured.get(name)!.map(entry => entry[key]);
keep('start', {
  what: 'from the start of the process to the first answer, warm; resident memory after 10 s of rest',
  runs: RUNS,
  marks: { startMs: 300, residentMb: 120 },
  startMs: { millrace: figure(of('millrace', 'startMs')), kafka: figure(of('kafka', 'startMs')) },
  startRatio: ratios(of('millrace', 'startMs'), of('kafka', 'startMs')),
  residentMb: { millrace: figure(of('millrace', 'residentMb')), kafka: figure(of('kafka', 'residentMb')) },
  residentRatio: ratios(of('millrace', 'residentMb'), of('kafka', 'residentMb')),
});
