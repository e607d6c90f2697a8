/**
 * The two brokers that the benches compare, ours and Apache Kafka 4.2 with its defaults, both up and warm, each with a
 * plaintext and a TLS listener; and the way of comparing: each row of a table is run by both in turns, after one shorter run
 * of each that is not counted, and the results are kept after every row.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { nodeIo } from '../src/base/io/node.ts';
import { Admin, clientSettings, makeCluster } from '../src/client/index.ts';
import { CertificateAuthority } from '../src/testing/index.ts';
import { HEAP_OF_BENCHES, makeKafka } from '../test/compat/peers/kafka.ts';
import { freePort, makeServer } from '../test/compat/up.ts';
import { cpuSecondsOf, figure, keep, ratios, root } from './measure.ts';

const execute = promisify(execFile);
const io = nodeIo();

export interface Rival {
  readonly name: 'millrace' | 'kafka';
  readonly port: number;
  readonly tlsPort: number;
  readonly pid: number;
}

export interface Rivals {
  readonly millrace: Rival;
  readonly kafka: Rival;
  stop(): Promise<void>;
}

export async function startRivals(): Promise<Rivals> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'));
  const { cert, key } = new CertificateAuthority().issue({ subject: [['CN', 'bench']], names: ['127.0.0.1'] });
  const path = (name: string): string => join(directory, name);
  writeFileSync(path('cert.pem'), cert);
  writeFileSync(path('key.pem'), key);
  writeFileSync(path('both.pem'), key + cert);
  const tlsPorts = [await freePort(), await freePort()] as const;
  const listeners = (own: Readonly<Record<string, string>>) => ({
    listeners: `${own['listeners']},SSL://127.0.0.1:${tlsPorts[1]}`,
    'advertised.listeners': `${own['advertised.listeners']},SSL://127.0.0.1:${tlsPorts[1]}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': path('both.pem'),
  });
  const kafka = await makeKafka(listeners, HEAP_OF_BENCHES);
  await kafka.start();
  const server = await makeServer(`
kafka:
  listeners:
    - { name: tls, protocol: SSL, listen: "127.0.0.1:${tlsPorts[0]}", tls: { certificate: ${path('cert.pem')}, key: ${path('key.pem')} } }
`);
  await server.start();
  return {
    millrace: { name: 'millrace', port: server.port, tlsPort: tlsPorts[0], pid: server.pid },
    kafka: { name: 'kafka', port: kafka.port, tlsPort: tlsPorts[1], pid: kafka.pid },
    stop: async () => {
      await server.kill('SIGTERM');
      server.remove();
      await kafka.kill();
      kafka.remove();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export type Measured = Readonly<Record<string, number>>;

export interface Row {
  readonly name: string;
  /** What the quotient of ours and Kafka's has to reach (`least`) or stay below (`most`), by measure. */
  readonly marks: Readonly<Record<string, { readonly least: number } | { readonly most: number }>>;
  /** One run; `share` is below 1 where it only warms up. */
  run(rival: Rival, share: number): Promise<Measured>;
}

const WARM_SHARE = 0.25;

/** Runs the rows one after the other and keeps what there is after each. */
export async function compare(bench: string, what: string, rows: readonly Row[], runs: number): Promise<void> {
  const rivals = await startRivals();
  const both = [rivals.millrace, rivals.kafka];
  const results: object[] = [];
  try {
    for (const row of rows) {
      const measured = { millrace: [] as Measured[], kafka: [] as Measured[] };
      for (const rival of both) await row.run(rival, WARM_SHARE);
      for (let i = 0; i < runs; i++) {
        for (const rival of both) measured[rival.name].push(await row.run(rival, 1));
        const line = both.map(({ name }) => `${name} ${textOf(measured[name].at(-1)!)}`);
        process.stderr.write(`${row.name}: ${line.join(' · ')}\n`);
      }
      results.push({ row: row.name, ...comparison(row, measured) });
      keep(bench, { what, runs, results });
    }
  } finally {
    await rivals.stop();
  }
}

function textOf(measured: Measured): string {
  return Object.entries(measured)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(3))}`)
    .join(', ');
}

function comparison({ marks }: Row, { kafka, millrace }: Readonly<Record<Rival['name'], Measured[]>>): object {
  const of = (list: readonly Measured[], name: string): number[] => list.map(each => each[name]!);
  const measures = Object.keys(millrace[0]!).map(name => [
    name,
    {
      millrace: figure(of(millrace, name)),
      kafka: figure(of(kafka, name)),
      ratio: ratios(of(millrace, name), of(kafka, name)),
      ...(marks[name] ? { mark: marks[name] } : {}),
    },
  ]);
  return Object.fromEntries(measures) as object;
}

export async function withAdmin<T>({ port }: Rival, use: (admin: Admin) => Promise<T>): Promise<T> {
  const cluster = makeCluster(io, clientSettings(io, new Map([['bootstrap.servers', `127.0.0.1:${port}`]])));
  try {
    return await use(new Admin(cluster));
  } finally {
    await cluster.close();
  }
}

let topics = 0;

/** A topic for the time of `use`, in whose beginning nothing of an earlier run is still being written back. */
export function withTopic<T>(rival: Rival, partitions: number, use: (topic: string) => Promise<T>): Promise<T> {
  return withAdmin(rival, async admin => {
    const topic = `bench-${++topics}`;
    await admin.createTopic(topic, partitions);
    // Every partition has its leader.
    await admin.offsets(topic);
    await execute('sync');
    try {
      return await use(topic);
    } finally {
      await admin.deleteTopic(topic);
    }
  });
}

export function recordsOf(rival: Rival, topic: string): Promise<number> {
  return withAdmin(rival, async admin => (await admin.offsets(topic)).reduce((sum, { end }) => sum + end, 0));
}

/** CPU seconds of the broker while something runs. */
export async function withCpu<T>({ pid }: Rival, use: () => Promise<T>): Promise<{ result: T; cpuSeconds: number }> {
  const before = cpuSecondsOf(pid);
  const result = await use();
  return { result, cpuSeconds: cpuSecondsOf(pid) - before };
}

export interface Load {
  /** It has printed `ready`. */
  readonly ready: Promise<void>;
  /** Its last line. */
  readonly done: Promise<string>;
  readonly child: ChildProcess;
}

function load(command: string, args: readonly string[]): Load {
  const child = spawn(command, args, { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  let isReady = (): void => undefined;
  const ready = new Promise<void>(resolve => {
    isReady = resolve;
  });
  child.stdout.on('data', chunk => {
    output += String(chunk);
    if (output.startsWith('ready\n')) isReady();
  });
  const done = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', code => {
      if (code === 0) resolve(output.trim().split('\n').at(-1)!);
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code}`));
    });
  });
  // Who waits for `ready` hears of a failure, too.
  return { ready: Promise.race([ready, done.then(() => undefined)]), done, child };
}

export function rawLoad(job: string, settings: object): Load {
  return load(process.execPath, [join(import.meta.dirname, 'raw-load.ts'), job, JSON.stringify(settings)]);
}

export async function rawResult<T>(job: string, settings: object): Promise<T> {
  return JSON.parse(await rawLoad(job, settings).done) as T;
}

/** librdkafka's program, built when its source is newer. */
function librdkafkaProgram(): string {
  const source = join(import.meta.dirname, 'librdkafka-load.c');
  const directory = join(root, 'node_modules/.cache/bench');
  const program = join(directory, 'librdkafka-load');
  if (existsSync(program) && statSync(program).mtimeMs >= statSync(source).mtimeMs) return program;
  mkdirSync(directory, { recursive: true });
  execFileSync('cc', ['-O2', '-o', program, source, '-lrdkafka']);
  return program;
}

const TLS_PROPERTIES = ['security.protocol=ssl', 'enable.ssl.certificate.verification=false'];

export function librdkafkaLoad(
  rival: Rival,
  isTls: boolean,
  job: 'produce' | 'consume',
  args: readonly (string | number)[],
): Load {
  const address = `127.0.0.1:${isTls ? rival.tlsPort : rival.port}`;
  return load(librdkafkaProgram(), [job, address, ...args.map(String), ...(isTls ? TLS_PROPERTIES : [])]);
}

/** Bytes and seconds of librdkafka's program. */
export async function librdkafkaResult(load: Load): Promise<{ bytes: number; seconds: number }> {
  const [bytes, seconds] = (await load.done).split(' ').map(Number) as [number, number];
  return { bytes, seconds };
}
