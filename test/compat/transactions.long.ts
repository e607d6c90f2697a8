/**
 * Transactions of unmodified clients: confluent-kafka, Java 2.8 and 3.9 (the protocol with AddPartitionsToTxn) and 4.2 (an epoch
 * for each transaction), and a word count of Kafka Streams with exactly_once_v2 that is killed, as is the broker.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { nodeIo } from '../../src/base/io/node.ts';
import { Admin, type Cluster, clientSettings, makeCluster } from '../../src/client/index.ts';
import { type PeerName, peerLibs } from './peers/fetch.ts';
import { makeServer, type Server } from './up.ts';

const run = promisify(execFile);
const MEMBERS = join(import.meta.dirname, 'members');
const JAVA = join(import.meta.dirname, 'java');
const GENERATIONS: readonly PeerName[] = ['clients-2.8.2', 'clients-3.9.1', 'kafka-4.2.0'];
const directory = mkdtempSync(join(tmpdir(), 'millrace-transactions-'));
let server: Server;
let cluster: Cluster;
let broker: string;

before(async () => {
  server = await makeServer();
  await server.start();
  broker = `127.0.0.1:${server.port}`;
  cluster = makeCluster(nodeIo(), clientSettings(nodeIo(), new Map([['bootstrap.servers', broker]])));
});

after(async () => {
  await cluster.close();
  await server.kill('SIGTERM');
  server.remove();
  rmSync(directory, { recursive: true });
});

async function topics(...names: readonly string[]): Promise<void> {
  for (const name of names) await new Admin(cluster).createTopic(name, 2);
}

test('confluent-kafka', { timeout: 120_000 }, async () => {
  await topics('py-in', 'py-out');
  const { stdout } = await run('/usr/bin/python3', [join(MEMBERS, 'transactions.py'), broker, 'py-in', 'py-out']);
  assert.equal(stdout.trim(), 'ok');
});

for (const name of GENERATIONS)
  test(`Java, ${name}`, { timeout: 180_000 }, async () => {
    const classes = join(directory, name);
    const path = join(peerLibs(name), '*');
    await run('javac', ['-nowarn', '-Xlint:none', '-d', classes, '-cp', path, join(JAVA, 'Transactions.java')]);
    const prefix = name.replaceAll('.', '-');
    await topics(`${prefix}-in`, `${prefix}-out`);
    const options = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${classes}:${path}`];
    const { stdout } = await run('java', [...options, 'Transactions', broker, prefix]);
    assert.match(stdout, /^ok$/m);
  });

test('a word count of Kafka Streams, exactly once, over kills of it and of the broker', {
  timeout: 300_000,
}, async () => {
  const classes = join(directory, 'streams');
  const path = [join(peerLibs('streams-4.2.0'), '*'), classes].join(':');
  await run('javac', ['-nowarn', '-Xlint:none', '-d', classes, '-cp', path, join(JAVA, 'WordCount.java')]);
  await topics('lines', 'counts');
  const java = (...args: readonly string[]): readonly string[] => {
    const heap = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
    return [...heap, '-cp', path, 'WordCount', broker, ...args];
  };
  const start = (): ChildProcess => spawn('java', java('count', join(directory, 'state')), { stdio: 'ignore' });
  let streams = start();
  const writing = run('java', java('write', '400'));
  const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));
  for (const victim of ['streams', 'broker', 'streams']) {
    await wait(7_000);
    if (victim === 'broker') {
      await server.kill('SIGKILL');
      await server.start();
    } else {
      streams.kill('SIGKILL');
      streams = start();
    }
  }
  await writing;
  const { stdout } = await run('java', java('read', '400')).finally(() => streams.kill('SIGKILL'));
  assert.match(stdout, /^ok$/m);
});
