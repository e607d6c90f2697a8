/**
 * Log agents as Debian packages them, unmodified, with the settings that the log service documents for them (only host, port and
 * authority are others): collectd, rsyslog and kafka-python write into a Logstore of a project over SASL_SSL with PLAIN, the
 * project as user and `id#secret` as password. Each event arrives whole; who has a wrong secret is named in what the process
 * logs, and writes nothing.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { nodeIo } from '../../src/base/io/node.ts';
import { Admin, type Cluster, clientSettings, Consumer, makeCluster } from '../../src/client/index.ts';
import { CertificateAuthority } from '../../src/testing/index.ts';
import { RecordCursor } from '../../src/wire/records/index.ts';
import { freePort, makeServer, type Server } from './up.ts';

const PROJECT = 'shop';
const PASSWORD = 'KEYWRITER#wri#ter';
const directory = mkdtempSync(join(tmpdir(), 'millrace-agents-'));
const path = (name: string): string => join(directory, name);
const running: ChildProcess[] = [];
let server: Server;
let broker: string;
let owner: Cluster;

before(async () => {
  const authority = new CertificateAuthority();
  const { cert, key } = authority.issue({ subject: [['CN', 'millrace']], names: ['127.0.0.1', 'localhost'] });
  for (const [name, text] of [
    ['ca.pem', authority.cert],
    ['server.pem', cert],
    ['server.key', key],
  ] as const)
    writeFileSync(path(name), text);
  broker = `127.0.0.1:${await freePort()}`;
  server = await makeServer(`
kafka:
  listeners:
    - name: agents
      protocol: SASL_SSL
      listen: "${broker}"
      mechanisms: [PLAIN]
      log_service: true
      tls: { certificate: ${path('server.pem')}, key: ${path('server.key')} }
projects: [{ name: ${PROJECT} }]
access_keys:
  - { id: KEYOWNER, secret: "own#er", rights: [{ actions: ["log:*"], resources: ["project/${PROJECT}/logstore/*"] }] }
  - { id: KEYWRITER, secret: "wri#ter", rights: [{ actions: [log:GetLogStore, log:ListShards, log:PostLogStoreLogs], resources: ["project/${PROJECT}/logstore/app-*"] }] }
`);
  await server.start();
  const properties = {
    'bootstrap.servers': broker,
    'security.protocol': 'sasl_ssl',
    'sasl.mechanisms': 'PLAIN',
    'sasl.username': PROJECT,
    'sasl.password': 'KEYOWNER#own#er',
    'ssl.ca.location': path('ca.pem'),
  };
  owner = makeCluster(nodeIo(), clientSettings(nodeIo(), new Map(Object.entries(properties))));
});

after(async () => {
  for (const child of running) child.kill('SIGKILL');
  await owner.close();
  await server.kill('SIGTERM');
  server.remove();
  rmSync(directory, { recursive: true, force: true });
});

const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: 'ignore' });
  running.push(child);
  return child;
}

/** Values of the Logstore, once there are so many. */
async function read(logstore: string, count: number): Promise<readonly { key: string | null; value: string }[]> {
  const consumer = new Consumer(owner);
  consumer.assign([{ topic: logstore, partition: 0, offset: -2 }]);
  const found: { key: string | null; value: string }[] = [];
  const cursor = new RecordCursor();
  const text = (bytes: Uint8Array | null): string | null => bytes && Buffer.from(bytes).toString();
  for (let i = 0; found.length < count; i++) {
    assert.ok(i < 120, `${found.length} of ${count} records came into ${logstore}; ${server.output.slice(-1_000)}`);
    for (const { batches, owner: memory } of await consumer.poll()) {
      for (const batch of batches) {
        cursor.open(batch);
        while (cursor.advance()) found.push({ key: text(cursor.key), value: text(cursor.value)! });
      }
      memory?.release();
    }
  }
  consumer.close();
  return found;
}

/** The process has told who was refused, and why. */
async function isTold(pattern: RegExp): Promise<void> {
  for (let i = 0; !pattern.test(server.output); i++) {
    assert.ok(i < 300, `${pattern} is not in: ${server.output.slice(-2_000)}`);
    await wait(100);
  }
}

test('collectd writes its values as JSON, with the key that is documented for it', { timeout: 120_000 }, async () => {
  await new Admin(owner).createTopic('app-collectd', 1);
  const configured = (name: string, password: string): string => {
    mkdirSync(path(name), { recursive: true });
    writeFileSync(
      path(`${name}.conf`),
      `Hostname "agent"
Interval 1
BaseDir "${path(name)}"
PIDFile "${path(`${name}.pid`)}"
TypesDB "/usr/share/collectd/types.db"
LoadPlugin load
LoadPlugin write_kafka
<Plugin "write_kafka">
  Property "metadata.broker.list" "${broker}"
  Property "security.protocol" "sasl_ssl"
  Property "ssl.ca.location" "${path('ca.pem')}"
  Property "sasl.mechanism" "PLAIN"
  Property "sasl.username" "${PROJECT}"
  Property "sasl.password" "${password}"
  Property "broker.address.family" "v4"
  <Topic "app-collectd">
    Format JSON
    Key "content"
  </Topic>
</Plugin>
`,
    );
    return path(`${name}.conf`);
  };
  const collectd = start('/usr/sbin/collectd', ['-f', '-C', configured('collectd', PASSWORD)]);
  const records = await read('app-collectd', 3);
  collectd.kill('SIGTERM');
  for (const { key, value } of records) {
    assert.equal(key, 'content');
    const [{ host, plugin, values }] = JSON.parse(value) as [{ host: string; plugin: string; values: number[] }];
    assert.deepEqual([host, plugin, values.length], ['agent', 'load', 3]);
  }
  start('/usr/sbin/collectd', ['-f', '-C', configured('stranger', 'KEYWRITER#guess')]);
  await isTold(/refused rdkafka .*PLAIN authentication of access key KEYWRITER for project shop failed: wrong secret/);
});

test('rsyslog writes each message', { timeout: 120_000 }, async () => {
  await new Admin(owner).createTopic('app-rsyslog', 1);
  const port = await freePort();
  mkdirSync(path('rsyslog'));
  writeFileSync(
    path('rsyslog.conf'),
    `global(workDirectory="${path('rsyslog')}")
module(load="imtcp")
module(load="omkafka")
input(type="imtcp" port="${port}" address="127.0.0.1")
template(name="line" type="string" string="%msg:2:$%")
action(type="omkafka" topic="app-rsyslog" broker=["${broker}"] template="line" key="content"
  confParam=["security.protocol=sasl_ssl", "ssl.ca.location=${path('ca.pem')}", "sasl.mechanisms=PLAIN",
    "sasl.username=${PROJECT}", "sasl.password=${PASSWORD}"])
`,
  );
  const rsyslog = start('/usr/sbin/rsyslogd', ['-n', '-f', path('rsyslog.conf'), '-i', path('rsyslog.pid')]);
  const expected = Array.from({ length: 200 }, (_, i) => `event ${i} with "quotes", ünïcode and a backslash \\`);
  const send = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = createConnection(port, '127.0.0.1', () => {
        socket.end(expected.map(text => `<13>Oct 11 22:14:15 host app: ${text}\n`).join(''));
      });
      socket.once('close', () => resolve()).once('error', reject);
    });
  for (let i = 0; ; i++) {
    try {
      await send();
      break;
    } catch (error) {
      if (i === 100) throw error;
      await wait(100);
    }
  }
  const records = await read('app-rsyslog', expected.length);
  assert.deepEqual(
    records.map(({ value }) => value),
    expected,
  );
  rsyslog.kill('SIGTERM');
});

test('kafka-python writes plain and compressed, and may not write elsewhere', { timeout: 120_000 }, async () => {
  for (const name of ['app-python', 'other']) await new Admin(owner).createTopic(name, 1);
  const program = `
import sys
from kafka import KafkaProducer
from kafka.errors import KafkaError
broker, ca, project, password = sys.argv[1:]
def producer(**more):
    return KafkaProducer(bootstrap_servers=[broker], security_protocol='SASL_SSL', ssl_cafile=ca, sasl_mechanism='PLAIN',
                         sasl_plain_username=project, sasl_plain_password=password, **more)
for codec in [None, 'gzip']:
    p = producer(compression_type=codec, acks='all')
    for i in range(50):
        p.send('app-python', key=b'content', value=f'{codec} {i}'.encode()).get(timeout=20)
    p.close()
p = producer(retries=0, max_block_ms=8000)
try:
    p.send('other', b'x').get(timeout=10)
    sys.exit('it wrote where it may not')
except KafkaError as error:
    print(type(error).__name__)
`;
  const arguments_ = ['-c', program, broker, path('ca.pem'), PROJECT, PASSWORD];
  const out = execFileSync('/usr/bin/python3', arguments_, { encoding: 'utf8', timeout: 100_000 });
  assert.match(out, /Authorization|TimeoutError/);
  const values = (await read('app-python', 100)).map(({ value }) => value);
  assert.deepEqual(
    values,
    ['None', 'gzip'].flatMap(codec => Array.from({ length: 50 }, (_, i) => `${codec} ${i}`)),
  );
});
