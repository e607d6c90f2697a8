/**
 * Secured listeners before foreign clients, and our client before a secured Apache Kafka 4.2.
 *
 * librdkafka (kcat, confluent-kafka) and Java over SASL_SSL with PLAIN, SCRAM and OAUTHBEARER, each with a wrong secret too;
 * a Java client that renews its proof on the connection; Kafka's own tools for SCRAM users and ACLs; an access key of the log
 * service with the literal settings of its agents.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { nodeIo } from '../../src/base/io/node.ts';
import {
  Admin,
  type Cluster,
  clientSettings,
  Consumer,
  makeCluster,
  Producer,
  SecurityAdmin,
} from '../../src/client/index.ts';
import { CertificateAuthority } from '../../src/testing/index.ts';
import { RecordCursor } from '../../src/wire/records/index.ts';
import { type KAFKA_TOOLS, type Kafka, kafkaTool, makeKafka } from './peers/kafka.ts';
import { freePort, makeServer, type Server } from './up.ts';

const PYTHON = '/usr/bin/python3';
const io = nodeIo();
const directory = mkdtempSync(join(tmpdir(), 'millrace-security-'));
const path = (name: string): string => join(directory, name);
const write = (name: string, text: string): string => {
  writeFileSync(path(name), text);
  return path(name);
};

const authority = new CertificateAuthority();
const signingKey = generateKeyPairSync('rsa', { modulusLength: 2_048 });
let server: Server;
let secured = '';
let renewing = '';
let logService = '';

before(async () => {
  const { cert, key } = authority.issue({ subject: [['CN', 'millrace']], names: ['127.0.0.1', 'localhost'] });
  write('ca.pem', authority.cert);
  write('server.pem', cert);
  write('server.key', key);
  write(
    'keys.json',
    JSON.stringify({ keys: [{ ...signingKey.publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'RS256' }] }),
  );
  const ports = [await freePort(), await freePort(), await freePort()];
  [secured, renewing, logService] = ports.map(port => `127.0.0.1:${port}`) as [string, string, string];
  const tls = `{ certificate: ${path('server.pem')}, key: ${path('server.key')} }`;
  server = await makeServer(`
kafka:
  listeners:
    - { name: secured, protocol: SASL_SSL, listen: "${secured}", mechanisms: [PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER], tls: ${tls} }
    - { name: renewing, protocol: SASL_SSL, listen: "${renewing}", mechanisms: [SCRAM-SHA-512], session_max: 2s, tls: ${tls} }
    - { name: agents, protocol: SASL_SSL, listen: "${logService}", mechanisms: [PLAIN], log_service: true, tls: ${tls} }
  users: [{ name: alice, password: alice-secret }, { name: root, password: root-secret }]
  oauth: { keys: ${path('keys.json')}, issuers: [https://id.test], audiences: [kafka] }
  authorization: { super_users: ["User:root"], allow_everyone_if_no_acl_found: true }
projects: [{ name: shop }]
access_keys:
  - { id: KEYOWNER, secret: "own#er", rights: [{ actions: ["log:*"], resources: ["project/shop/logstore/*"] }] }
  - { id: KEYWRITER, secret: "wri#ter", rights: [{ actions: [log:GetLogStore, log:ListShards, log:PostLogStoreLogs], resources: ["project/shop/logstore/app-*"] }] }
`);
  await server.start();
});

after(async () => {
  await server.kill('SIGTERM');
  server.remove();
  rmSync(directory, { recursive: true, force: true });
});

const lines = (count: number): string => Array.from({ length: count }, (_, i) => `v${i}\n`).join('');

function kcat(broker: string, mechanism: string, user: string, password: string, args: readonly string[], input = '') {
  const properties = {
    'security.protocol': 'SASL_SSL',
    'sasl.mechanisms': mechanism,
    'sasl.username': user,
    'sasl.password': password,
    'ssl.ca.location': path('ca.pem'),
  };
  const options = Object.entries(properties).flatMap(([name, value]) => ['-X', `${name}=${value}`]);
  const { status, stderr, stdout } = spawnSync('kcat', ['-b', broker, ...options, ...args], {
    input,
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
  test(`kcat writes and reads over SASL_SSL with ${mechanism}, and is told when its password is wrong`, () => {
    const topic = `kcat-${mechanism}`;
    const written = kcat(secured, mechanism, 'alice', 'alice-secret', ['-P', '-t', topic], lines(500));
    assert.equal(written.status, 0, written.stderr);
    assert.equal(kcat(secured, mechanism, 'alice', 'alice-secret', ['-C', '-t', topic, '-e', '-q']).stdout, lines(500));
    const wrong = kcat(secured, mechanism, 'alice', 'guess', ['-L', '-m', '5']);
    assert.notEqual(wrong.status, 0);
    assert.match(wrong.stderr, /invalid credentials/);
  });
}

test('confluent-kafka writes idempotently and reads as a group with each mechanism of passwords', () => {
  const program = `
import sys
from confluent_kafka import Producer, Consumer
broker, ca, mechanism = sys.argv[1:]
def settings(**more):
    return {'bootstrap.servers': broker, 'security.protocol': 'SASL_SSL', 'ssl.ca.location': ca,
            'sasl.mechanisms': mechanism, 'sasl.username': 'alice', 'sasl.password': 'alice-secret', **more}
topic = 'confluent-' + mechanism
p = Producer(settings(**{'enable.idempotence': True}))
for i in range(100): p.produce(topic, str(i))
assert p.flush(30) == 0
c = Consumer(settings(**{'group.id': topic, 'auto.offset.reset': 'earliest'}))
c.subscribe([topic])
got = []
while len(got) < 100:
    for m in c.consume(100, 10.0):
        assert m.error() is None, m.error()
        got.append(int(m.value()))
c.close()
assert got == list(range(100)), got
`;
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
    execFileSync(PYTHON, ['-c', program, secured, path('ca.pem'), mechanism], { timeout: 90_000 });
});

/** A token that our test key signs. */
function token(claims: Readonly<Record<string, unknown>> = {}): string {
  const seconds = Math.floor(Date.now() / 1_000);
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = { sub: 'alice', iss: 'https://id.test', aud: 'kafka', iat: seconds, exp: seconds + 300, ...claims };
  const text = `${encode({ alg: 'RS256', kid: 'k' })}.${encode(body)}`;
  return `${text}.${sign('sha256', Buffer.from(text), signingKey.privateKey).toString('base64url')}`;
}

test('confluent-kafka gets in with a bearer token from its callback, and not with one for another audience', () => {
  const program = `
import sys, time
from confluent_kafka import Producer, Consumer
broker, ca, good, bad = sys.argv[1:]
def settings(token, **more):
    return {'bootstrap.servers': broker, 'security.protocol': 'SASL_SSL', 'ssl.ca.location': ca,
            'sasl.mechanisms': 'OAUTHBEARER', 'oauth_cb': lambda config: (token, time.time() + 200), **more}
p = Producer(settings(good))
for i in range(100): p.produce('bearer', str(i))
assert p.flush(30) == 0
c = Consumer(settings(good, **{'group.id': 'bearer', 'auto.offset.reset': 'earliest'}))
c.subscribe(['bearer'])
got = []
while len(got) < 100:
    for m in c.consume(100, 10.0):
        assert m.error() is None, m.error()
        got.append(int(m.value()))
c.close()
assert got == list(range(100)), got
errors = []
q = Producer(settings(bad, error_cb=lambda e: errors.append(str(e))))
q.produce('bearer', 'x')
end = time.time() + 30
while not errors and time.time() < end: q.poll(0.1)
q.purge()
print('refused' if any('invalid_token' in e or 'uthentication' in e for e in errors) else errors)
`;
  const args = ['-c', program, secured, path('ca.pem'), token(), token({ aud: 'web' })];
  assert.match(execFileSync(PYTHON, args, { encoding: 'utf8', timeout: 90_000 }), /refused/);
});

/** Properties of a Java client, in a file. */
function javaProperties(name: string, mechanism: string, user: string, password: string): string {
  const module = mechanism === 'PLAIN' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule';
  return write(
    name,
    `security.protocol=SASL_SSL
sasl.mechanism=${mechanism}
sasl.jaas.config=org.apache.kafka.common.security.${module} required username="${user}" password="${password}";
ssl.truststore.type=PEM
ssl.truststore.location=${path('ca.pem')}
`,
  );
}

function java(tool: keyof typeof KAFKA_TOOLS, broker: string, properties: string, args: readonly string[], input = '') {
  const config = ['--bootstrap-server', broker, '--command-config', properties];
  return spawnSync('java', kafkaTool(tool, [...config, ...args]), { input, encoding: 'utf8', timeout: 120_000 });
}

test('Java’s console producer and consumer work over SASL_SSL with SCRAM-SHA-512', () => {
  const properties = javaProperties('scram.properties', 'SCRAM-SHA-512', 'alice', 'alice-secret');
  const written = java('producer', secured, properties, ['--topic', 'java-scram'], lines(300));
  assert.equal(written.status, 0, written.stderr);
  const args = ['--topic', 'java-scram', '--from-beginning', '--max-messages', '300', '--timeout-ms', '30000'];
  assert.equal(java('consumer', secured, properties, args).stdout, lines(300));
});

test('a Java consumer renews its proof on the connection, and is never turned away', async () => {
  const properties = javaProperties('renewing.properties', 'SCRAM-SHA-512', 'alice', 'alice-secret');
  assert.equal(java('producer', renewing, properties, ['--topic', 'renewed'], lines(1)).status, 0);
  const before = await server.metrics();
  const config = ['--bootstrap-server', renewing, '--command-config', properties];
  const child = spawn('java', kafkaTool('consumer', [...config, '--topic', 'renewed', '--from-beginning']), {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const renewals = async (): Promise<number> => {
    const now = await server.metrics();
    const count = (text: string, name: string): number =>
      Number(new RegExp(`^${name}(?:\\{result="ok"\\})? (\\d+)`, 'm').exec(text)?.[1]);
    const proofs =
      count(now, 'millrace_kafka_authentications_total') - count(before, 'millrace_kafka_authentications_total');
    const connections =
      count(now, 'millrace_kafka_connections_total') - count(before, 'millrace_kafka_connections_total');
    return proofs - connections;
  };
  try {
    for (let i = 0; i < 600 && (await renewals()) < 3; i++) await new Promise(resolve => setTimeout(resolve, 100));
    assert.ok((await renewals()) >= 3);
    assert.match(await server.metrics(), /^millrace_kafka_sessions_expired_total 0$/m);
  } finally {
    child.kill('SIGKILL');
  }
});

test('Kafka’s tools make a SCRAM user, who gets in, and ACLs, which bind it', () => {
  const root = javaProperties('root.properties', 'PLAIN', 'root', 'root-secret');
  const made = java('configs', secured, root, [
    ...['--alter', '--entity-type', 'users', '--entity-name', 'carol'],
    ...['--add-config', 'SCRAM-SHA-256=[iterations=8192,password=carol-secret]'],
  ]);
  assert.equal(made.status, 0, made.stdout + made.stderr);
  const carol = (args: readonly string[], input = '') =>
    kcat(secured, 'SCRAM-SHA-256', 'carol', 'carol-secret', args, input);
  assert.equal(carol(['-P', '-t', 'guarded'], lines(3)).status, 0);

  const acls = (args: readonly string[]) => java('acls', secured, root, args);
  const added = acls(['--add', '--allow-principal', 'User:bob', '--operation', 'All', '--topic', 'guarded']);
  assert.equal(added.status, 0, added.stdout + added.stderr);
  assert.match(
    carol(['-P', '-t', 'guarded', '-X', 'message.timeout.ms=5000'], lines(1)).stderr,
    /uthori[sz]ation failed|Broker: Topic auth/,
  );
  assert.match(
    acls(['--list', '--topic', 'guarded']).stdout,
    /principal=User:bob.*operation=ALL.*permissionType=ALLOW/,
  );
  acls(['--add', '--allow-principal', 'User:carol', '--operation', 'Write', '--topic', 'guarded']);
  assert.equal(carol(['-P', '-t', 'guarded'], lines(2)).status, 0);
  acls(['--remove', '--force', '--allow-principal', 'User:carol', '--operation', 'Write', '--topic', 'guarded']);
  assert.doesNotMatch(acls(['--list', '--topic', 'guarded']).stdout, /User:carol/);
});

test('an access key writes to the Logstores that it has rights on; errors are those of the log service', () => {
  const owner = javaProperties('owner.properties', 'PLAIN', 'shop', 'KEYOWNER#own#er');
  for (const logstore of ['app-web', 'other']) {
    const made = java('topics', logService, owner, ['--create', '--topic', logstore, '--partitions', '2']);
    assert.equal(made.status, 0, made.stdout + made.stderr);
  }
  const send = (password: string, topic: string) =>
    kcat(logService, 'PLAIN', 'shop', password, ['-P', '-t', topic, '-X', 'message.timeout.ms=5000'], lines(4));
  assert.equal(send('KEYWRITER#wri#ter', 'app-web').status, 0);
  assert.equal(send('KEYWRITER#wri#ter', 'app-web.json').status, 0);
  assert.match(send('KEYWRITER#wri#ter', 'other').stderr, /Topic authorization failed/);
  assert.match(send('KEYWRITER#wri#ter', 'app-wep').stderr, /Unknown topic or partition|timed out/);
  assert.match(
    send('KEYWRITER#wrong', 'app-web').stderr,
    /project shop: access key KEYWRITER is unknown or its secret is wrong/,
  );
  const read = kcat(logService, 'PLAIN', 'shop', 'KEYOWNER#own#er', [
    '-C',
    '-t',
    'app-web',
    '-e',
    '-q',
    '-o',
    'beginning',
  ]);
  assert.equal(read.stdout.trim().split('\n').length, 8);
});

let kafka: Kafka | undefined;

after(async () => {
  await kafka?.kill();
  kafka?.remove();
});

test('our client proves itself to Apache Kafka 4.2 with PLAIN, SCRAM and an unsecured token', async () => {
  const port = await freePort();
  const jaas = 'org.apache.kafka.common.security';
  kafka = await makeKafka(own => ({
    listeners: `${own['listeners']},SASL://127.0.0.1:${port}`,
    'advertised.listeners': `${own['advertised.listeners']},SASL://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    'listener.name.sasl.plain.sasl.jaas.config': `${jaas}.plain.PlainLoginModule required user_alice="alice-secret";`,
    'listener.name.sasl.scram-sha-256.sasl.jaas.config': `${jaas}.scram.ScramLoginModule required;`,
    'listener.name.sasl.scram-sha-512.sasl.jaas.config': `${jaas}.scram.ScramLoginModule required;`,
    'listener.name.sasl.oauthbearer.sasl.jaas.config': `${jaas}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="kafka";`,
    'listener.name.sasl.connections.max.reauth.ms': '2000',
  }));
  await kafka.start();
  const plain = makeCluster(io, clientSettings(io, new Map([['bootstrap.servers', `127.0.0.1:${kafka.port}`]])));
  const admin = new SecurityAdmin(plain, io.random);
  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)
    await admin.setPassword('alice', mechanism, 'alice-secret', 8_192);
  assert.deepEqual(
    // Kafka keeps them in no order.
    (await admin.scramUsers(['alice'])).map(({ iterations, mechanism }) => [mechanism, iterations]).sort(),
    [
      ['SCRAM-SHA-256', 8_192],
      ['SCRAM-SHA-512', 8_192],
    ],
  );
  await plain.close();
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER']) {
    const connect = (password: string): Cluster =>
      makeCluster(
        io,
        clientSettings(
          io,
          new Map([
            ['bootstrap.servers', `127.0.0.1:${port}`],
            ['security.protocol', 'SASL_PLAINTEXT'],
            ['sasl.mechanism', mechanism],
            ...(mechanism === 'OAUTHBEARER'
              ? [
                  ['enable.sasl.oauthbearer.unsecure.jwt', 'true'] as const,
                  ['sasl.oauthbearer.config', 'principal=alice'] as const,
                ]
              : [['sasl.username', 'alice'] as const, ['sasl.password', password] as const]),
          ]),
        ),
      );
    const topic = `from-${mechanism}`;
    const cluster = connect('alice-secret');
    await new Admin(cluster).createTopic(topic, 1);
    const producer = new Producer(cluster);
    await producer.prepare(topic);
    const failures: Error[] = [];
    // Longer than the broker lets a proof hold: it is renewed with records under way.
    const end = Date.now() + 3_000;
    let sent = 0;
    while (Date.now() < end) {
      producer.append(topic, 0, { key: null, value: Buffer.from(`${sent++}`) }, (_tags, error) => {
        if (error) failures.push(error);
      });
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    await producer.close();
    assert.deepEqual(failures, []);
    assert.equal((await readAll(cluster, topic)).length, sent);
    await cluster.close();
    if (mechanism === 'OAUTHBEARER') continue;
    const wrong = connect('guess');
    await assert.rejects(new Admin(wrong).topics(), /refused|uthentication failed|invalid credentials/i);
    await wrong.close();
  }
});

async function readAll(cluster: Cluster, topic: string): Promise<string[]> {
  const consumer = new Consumer(cluster);
  consumer.assign([{ topic, partition: 0, offset: -2 }]);
  const values: string[] = [];
  const cursor = new RecordCursor();
  do {
    for (const { batches } of await consumer.poll()) {
      for (const batch of batches) {
        cursor.open(batch);
        while (cursor.advance()) values.push(Buffer.from(cursor.value!).toString());
      }
    }
  } while (!consumer.isAtEnd);
  return values;
}
