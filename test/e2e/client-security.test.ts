/** Our client before our broker: every mechanism over TLS, wrong secrets, proofs that are renewed under load, old brokers. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { type Address, MillraceError } from '../../src/base/index.ts';
import { nodeIo } from '../../src/base/io/node.ts';
import { type ListenerSettings, Security } from '../../src/broker/index.ts';
import {
  Admin,
  BrokerConnection,
  type Cluster,
  clientSettings,
  makeCluster,
  Producer,
  SecurityAdmin,
} from '../../src/client/index.ts';
import { mechanismOf, type SaslAuthority, TOKEN_RULES } from '../../src/sasl/index.ts';
import { CertificateAuthority, startTestBroker, type TestBroker } from '../../src/testing/index.ts';
import { apis, encodeResponse, Reader } from '../../src/wire/index.ts';

const io = nodeIo();
const directory = mkdtempSync(join(tmpdir(), 'millrace-client-security-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const authority = new CertificateAuthority();
const { cert, key } = authority.issue({ subject: [['CN', 'server']], names: ['127.0.0.1'] });
const files = { certificate: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
const ca = join(directory, 'ca.pem');
for (const [path, text] of [
  [files.certificate, cert],
  [files.key, key],
  [ca, authority.cert],
] as const)
  writeFileSync(path, text);

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'];

async function start(t: TestContext, more: Partial<ListenerSettings> = {}): Promise<TestBroker & { secured: Address }> {
  const security = {
    users: [{ name: 'alice', password: 'sécret' }],
    tokens: { ...TOKEN_RULES, acceptsUnsecured: true },
    authorizer: { isOn: false, superUsers: new Set<string>(), allowsWithoutAcl: false },
    projects: [],
    accessKeys: [],
  };
  const server = await startTestBroker({}, { security: log => Security.open(io, log, security) });
  t.after(() => server.close());
  const secured = await server.broker.listen({
    address: { host: '127.0.0.1', port: 0 },
    protocol: 'SASL_SSL',
    mechanisms: MECHANISMS,
    certificates: files,
    failureDelayMs: 1,
    ...more,
  });
  return { ...server, secured };
}

function connect(t: TestContext, { port }: Address, properties: Readonly<Record<string, string>>): Cluster {
  const all = new Map(
    Object.entries({
      'bootstrap.servers': `127.0.0.1:${port}`,
      'security.protocol': 'SASL_SSL',
      'ssl.ca.location': ca,
      ...properties,
    }),
  );
  const cluster = makeCluster(io, clientSettings(io, all));
  t.after(() => cluster.close());
  return cluster;
}

const token = join(directory, 'token');
const unsecured = {
  'enable.sasl.oauthbearer.unsecure.jwt': 'true',
  'sasl.oauthbearer.config': 'principal=alice lifeSeconds=60',
};

for (const mechanism of MECHANISMS) {
  test(`over TLS with ${mechanism} the client works, and says what is wrong with its credentials`, async t => {
    const server = await start(t);
    const good = mechanism === 'OAUTHBEARER' ? unsecured : { 'sasl.username': 'alice', 'sasl.password': 'sécret' };
    const cluster = connect(t, server.secured, { 'sasl.mechanisms': mechanism, ...good });
    await new Admin(cluster).createTopic('t', 1);
    assert.equal((await new Admin(cluster).topics()).topics.length, 1);
    writeFileSync(token, 'no.token.here');
    const bad =
      mechanism === 'OAUTHBEARER'
        ? { 'sasl.oauthbearer.token.location': token }
        : { 'sasl.username': 'alice', 'sasl.password': 'guess' };
    const wrong = connect(t, server.secured, { 'sasl.mechanism': mechanism, ...bad });
    await assert.rejects(new Admin(wrong).topics(), (error: unknown) => {
      assert.match(String(error), /refused \S+ authentication: Authentication failed/);
      assert.doesNotMatch(String(error), /guess/);
      return true;
    });
  });
}

test('a listener without the mechanism says which it has', async t => {
  const server = await start(t, { mechanisms: ['SCRAM-SHA-512'] });
  const cluster = connect(t, server.secured, { 'sasl.mechanism': 'PLAIN', 'sasl.username': 'a', 'sasl.password': 'b' });
  await assert.rejects(new Admin(cluster).topics(), /PLAIN is not offered; there are SCRAM-SHA-512/);
});

test('proofs are renewed while records are under way, and nothing is refused', async t => {
  const server = await start(t, { sessionMaxMs: 1_500 });
  const cluster = connect(t, server.secured, {
    'sasl.mechanism': 'SCRAM-SHA-256',
    'sasl.username': 'alice',
    'sasl.password': 'sécret',
  });
  await new Admin(cluster).createTopic('t', 1);
  const producer = new Producer(cluster, { lingerMs: 0 });
  await producer.prepare('t');
  const failures: Error[] = [];
  let acknowledged = 0;
  let sent = 0;
  const { counters } = server.broker;
  let longestStallMs = 0;
  for (let before = performance.now(); counters.authenticated < counters.connections + 4; ) {
    producer.append('t', 0, { key: null, value: Buffer.from(`${sent++}`) }, (tags, error) => {
      if (error) failures.push(error);
      else acknowledged += tags.length;
    });
    await new Promise(resolve => setTimeout(resolve, 2));
    const now = performance.now();
    longestStallMs = Math.max(longestStallMs, now - before);
    before = now;
  }
  await producer.close();
  assert.deepEqual(failures, []);
  assert.equal(acknowledged, sent);
  // On a machine that stood still a session may have ended before its turn came; nothing is lost then either.
  if (longestStallMs < 50) assert.deepEqual([counters.sessionsExpired, server.broker.refusals()], [0, []]);
});

test('passwords are set without being sent, and the user gets in with the new one', async t => {
  const server = await start(t);
  const login = (user: string, password: string): Cluster =>
    connect(t, server.secured, { 'sasl.mechanism': 'SCRAM-SHA-512', 'sasl.username': user, 'sasl.password': password });
  const admin = new SecurityAdmin(login('alice', 'sécret'), io.random);
  await admin.setPassword('bob', 'SCRAM-SHA-512', 'hush', 8_192);
  assert.deepEqual(await admin.scramUsers(['bob']), [{ user: 'bob', mechanism: 'SCRAM-SHA-512', iterations: 8_192 }]);
  await new Admin(login('bob', 'hush')).topics();
  await admin.deletePassword('bob', 'SCRAM-SHA-512');
  await assert.rejects(new Admin(login('bob', 'hush')).topics(), /Authentication failed/);
  await assert.rejects(admin.setPassword('alice', 'SCRAM-SHA-512', 'x', 4_096), /configuration/);
});

for (const [what, properties, reason] of [
  ['no mechanism', { 'sasl.username': 'a', 'sasl.password': 'b' }, /sasl\.mechanism/],
  ['no password', { 'sasl.mechanism': 'PLAIN', 'sasl.username': 'a' }, /sasl\.password/],
  ['no token', { 'sasl.mechanism': 'OAUTHBEARER' }, /sasl\.oauthbearer/],
  [
    'no client secret',
    {
      'sasl.mechanism': 'OAUTHBEARER',
      'sasl.oauthbearer.method': 'oidc',
      'sasl.oauthbearer.client.id': 'a',
      'sasl.oauthbearer.token.endpoint.url': 'https://id',
    },
    /client\.secret/,
  ],
  ['GSSAPI', { 'sasl.mechanism': 'GSSAPI' }, /one of PLAIN/],
] as const) {
  test(`${what} is an error before anything is connected`, () => {
    const all = new Map(Object.entries({ 'security.protocol': 'sasl_ssl', ...properties }));
    assert.throws(
      () => clientSettings(io, all),
      (error: unknown) => error instanceof MillraceError && reason.test(error.message),
    );
  });
}

test('a broker from before SaslAuthenticate gets bare tokens', async t => {
  const known: SaslAuthority<string> = {
    verifyPassword: () => {
      throw new Error('not asked');
    },
    scramCredential: (username, mechanism) => ({ credential: credentials.get(mechanism)!, identity: username }),
    verifyToken: () => Promise.reject(new Error('not asked')),
  };
  const { scramCredential } = await import('../../src/sasl/index.ts');
  const credentials = new Map([['SCRAM-SHA-256', await scramCredential('SCRAM-SHA-256', 'secret', io.random)]]);
  const half = mechanismOf('SCRAM-SHA-256').server(known, io.random);
  const tokens: string[] = [];
  const server = net.createServer(socket => {
    let received = Buffer.alloc(0);
    let isRaw = false;
    socket.on('error', () => undefined);
    const answer = async (frame: Buffer): Promise<void> => {
      if (isRaw) {
        tokens.push(frame.toString());
        const step = await half.step(frame);
        assert.notEqual(step.kind, 'failed');
        const length = Buffer.alloc(4);
        length.writeInt32BE(step.bytes.length);
        socket.write(Buffer.concat([length, step.bytes]));
        if (step.kind === 'done') isRaw = false;
        return;
      }
      const reader = new Reader(frame);
      const [apiKey, version, correlationId] = [reader.int16(), reader.int16(), reader.int32()];
      if (apiKey === 18) {
        const apiKeys = [18, 17, 3].map(listed => ({ apiKey: listed, minVersion: 0, maxVersion: 0 }));
        socket.write(
          Buffer.concat(
            encodeResponse(apis.apiVersions, 0, correlationId, {
              errorCode: version === 0 ? 0 : 35,
              apiKeys,
            }),
          ),
        );
      } else if (apiKey === 17) {
        assert.equal(version, 0);
        isRaw = true;
        socket.write(
          Buffer.concat(
            encodeResponse(apis.saslHandshake, 0, correlationId, { errorCode: 0, mechanisms: ['SCRAM-SHA-256'] }),
          ),
        );
      } else {
        const topics = [{ errorCode: 0, name: 'old', isInternal: false, partitions: [] }];
        socket.write(Buffer.concat(encodeResponse(apis.metadata, 0, correlationId, { brokers: [], topics })));
      }
    };
    let turn = Promise.resolve();
    socket.on('data', chunk => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 4 && received.length >= 4 + received.readInt32BE()) {
        const size = received.readInt32BE();
        const frame = Buffer.from(received.subarray(4, 4 + size));
        received = received.subarray(4 + size);
        turn = turn.then(() => answer(frame));
      }
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const properties = {
    'security.protocol': 'sasl_plaintext',
    'sasl.mechanism': 'SCRAM-SHA-256',
    'sasl.username': 'alice',
    'sasl.password': 'secret',
  };
  const { cluster } = clientSettings(io, new Map(Object.entries(properties)));
  const connection = await BrokerConnection.connect(io, { host: '127.0.0.1', port }, cluster);
  const answer = await connection.request(apis.metadata, { topics: [] });
  assert.equal(answer.topics[0]!.name, 'old');
  assert.deepEqual(
    tokens.map(text => text.slice(0, 2)),
    ['n,', 'c='],
  );
  connection.close();
});
