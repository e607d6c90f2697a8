/**
 * Listeners as clients meet them: every protocol, who may ask what before it has proved who it is, what it is told when it
 * fails, what it is told to connect to, and everybody who speaks the wrong protocol.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import tls from 'node:tls';
import type { Address } from '../../src/base/index.ts';
import { nodeIo } from '../../src/base/io/node.ts';
import { type ListenerSettings, Security, type SecuritySettings } from '../../src/broker/index.ts';
import { mechanismOf } from '../../src/sasl/index.ts';
import { CertificateAuthority, startTestBroker, type TestBroker } from '../../src/testing/index.ts';
import { WireClient } from '../../src/testing/wire-client.ts';
import { apis, errorCode } from '../../src/wire/index.ts';

const io = nodeIo();
const directory = mkdtempSync(join(tmpdir(), 'millrace-listeners-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const authority = new CertificateAuthority();

/** Writes a certificate with its key; replaces an older one of the name. */
function certificate(
  name: string,
  names: readonly string[] = ['127.0.0.1', 'broker.test'],
): { certificate: string; key: string } {
  const { cert, key } = authority.issue({ subject: [['CN', name]], names });
  const paths = { certificate: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) };
  for (const [path, text] of [
    [paths.certificate, cert],
    [paths.key, key],
  ] as const) {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  }
  return paths;
}

const ca = join(directory, 'ca.pem');
writeFileSync(ca, authority.cert);

const SETTINGS: SecuritySettings = {
  users: [{ name: 'alice', password: 'sécret' }],
  tokens: undefined,
  authorizer: { isOn: false, superUsers: new Set(), allowsWithoutAcl: false },
  projects: ['shop'],
  accessKeys: [],
};

const LOCAL = { host: '127.0.0.1', port: 0 };
const FAST = { failureDelayMs: 1 };

interface Started extends TestBroker {
  listen(settings: Partial<ListenerSettings>): Promise<Address>;
  codes(): string[];
}

async function start(t: TestContext, settings = SETTINGS): Promise<Started> {
  const server = await startTestBroker({}, { security: log => Security.open(io, log, settings) });
  t.after(() => server.close());
  return {
    ...server,
    listen: more => server.broker.listen({ address: LOCAL, ...FAST, ...more }),
    codes: () => server.broker.refusals().map(({ code }) => code),
  };
}

async function prove(client: WireClient, mechanism: string, username: string, password: string, version = 2) {
  const shaken = await client.ask(apis.saslHandshake, 1, { mechanism });
  assert.equal(shaken.errorCode, 0);
  const half = mechanismOf(mechanism).client({ username, password }, io.random);
  let answer: Awaited<ReturnType<typeof ask>> | undefined;
  const ask = (authBytes: Uint8Array) => client.ask(apis.saslAuthenticate, version, { authBytes });
  for (let message = await half.step(undefined); message; message = await half.step(answer.authBytes)) {
    answer = await ask(message);
    if (answer.errorCode !== 0) return answer;
  }
  return answer!;
}

const metadata = (client: WireClient) => client.ask(apis.metadata, 9, { topics: [] });
const secured = (port: number, options: tls.ConnectionOptions = {}) => ({
  port,
  host: '127.0.0.1',
  ca: authority.cert,
  ...options,
});

for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
  test(`${mechanism} proves a user of the configuration; a wrong password is 58 with a text, then the end`, async t => {
    const server = await start(t);
    const address = await server.listen({ protocol: 'SASL_PLAINTEXT', mechanisms: [mechanism] });
    const client = await WireClient.connect(io.network, address);
    await client.ask(apis.apiVersions, 3, { clientSoftwareName: 'test', clientSoftwareVersion: '1' });
    assert.equal((await prove(client, mechanism, 'alice', 'sécret')).errorCode, 0);
    assert.equal((await metadata(client)).brokers.length, 1);
    client.destroy();

    const wrong = await WireClient.connect(io.network, address);
    const answer = await prove(wrong, mechanism, 'alice', 'guess');
    assert.equal(answer.errorCode, errorCode('SASL_AUTHENTICATION_FAILED'));
    assert.match(answer.errorMessage ?? '', /invalid credentials/);
    await wrong.ended;
    assert.deepEqual(server.codes(), ['MR4101']);
    assert.doesNotMatch(JSON.stringify(server.broker.refusals()), /guess|sécret/);
  });
}

test('a listener that offers one mechanism refuses the others with 33 and the list', async t => {
  const server = await start(t);
  const address = await server.listen({ protocol: 'SASL_PLAINTEXT', mechanisms: ['SCRAM-SHA-512'] });
  const client = await WireClient.connect(io.network, address);
  const answer = await client.ask(apis.saslHandshake, 1, { mechanism: 'PLAIN' });
  assert.deepEqual([answer.errorCode, answer.mechanisms], [errorCode('UNSUPPORTED_SASL_MECHANISM'), ['SCRAM-SHA-512']]);
  await client.ended;
});

test('before authentication everything but ApiVersions and the handshake ends the connection, named', async t => {
  const server = await start(t);
  const address = await server.listen({ protocol: 'SASL_PLAINTEXT', mechanisms: ['PLAIN'] });
  const client = await WireClient.connect(io.network, address);
  await client.ask(apis.apiVersions, 0, {});
  await client.ask(apis.apiVersions, 0, {});
  await assert.rejects(metadata(client));
  await client.ended;
  assert.deepEqual(server.codes(), ['MR5425']);
  assert.match(server.broker.refusals()[0]!.reason, /Metadata before authentication/);
});

test('requests that come with the proof in one piece are answered in order, after it', async t => {
  const server = await start(t);
  const address = await server.listen({ protocol: 'SASL_PLAINTEXT', mechanisms: ['PLAIN'] });
  const client = await WireClient.connect(io.network, address);
  const [, proof, described] = await Promise.all([
    client.ask(apis.saslHandshake, 1, { mechanism: 'PLAIN' }),
    client.ask(apis.saslAuthenticate, 1, { authBytes: Buffer.from('\0alice\0sécret') }),
    metadata(client),
  ]);
  assert.deepEqual([proof.errorCode, described.brokers.length], [0, 1]);
  client.destroy();
});

/** Frames without headers behind a handshake of version 0. */
async function rawExchange(address: Address, ...tokens: readonly Uint8Array[]): Promise<Buffer[]> {
  const socket = net.connect(address.port, address.host);
  const framed = (bytes: Uint8Array): Buffer => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  let received = Buffer.alloc(0);
  let wake = (): void => undefined;
  let isOver = false;
  socket.on('data', chunk => {
    received = Buffer.concat([received, chunk]);
    wake();
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    isOver = true;
    wake();
  });
  const frame = async (): Promise<Buffer | undefined> => {
    while (received.length < 4 || received.length < 4 + received.readInt32BE()) {
      if (isOver) return undefined;
      await new Promise<void>(resolve => (wake = resolve));
    }
    const size = received.readInt32BE();
    const bytes = received.subarray(4, 4 + size);
    received = received.subarray(4 + size);
    return bytes;
  };
  const answers: Buffer[] = [];
  for (const token of tokens) {
    socket.write(framed(token));
    const answer = await frame();
    if (!answer) break;
    answers.push(answer);
  }
  socket.destroy();
  return answers;
}

const HANDSHAKE_0 = Buffer.from('0011000000000001ffff0005504c41494e', 'hex');
const API_VERSIONS_0 = Buffer.from('0012000000000002ffff', 'hex');

test('behind handshake 0 come bare tokens: success is the empty one, failure only the end', async t => {
  const server = await start(t);
  const address = await server.listen({ protocol: 'SASL_PLAINTEXT', mechanisms: ['PLAIN'] });
  const good = await rawExchange(address, HANDSHAKE_0, Buffer.from('\0alice\0sécret'), API_VERSIONS_0);
  assert.deepEqual([good.length, good[1]!.length], [3, 0]);
  const bad = await rawExchange(address, HANDSHAKE_0, Buffer.from('\0alice\0guess'), API_VERSIONS_0);
  assert.equal(bad.length, 1);
});

test('a token over the limit, and a Kerberos token without a handshake, are named and ended', async t => {
  const server = await start(t);
  const address = await server.listen({ protocol: 'SASL_PLAINTEXT', mechanisms: ['PLAIN'] });
  const huge = Buffer.from('0009c400', 'hex');
  const socket = net.connect(address.port, address.host, () => socket.write(huge));
  await new Promise(resolve => socket.on('close', resolve).resume());
  await rawExchange(address, Buffer.from('60820222060b2a864886f71201020201', 'hex'));
  assert.deepEqual(server.codes(), ['MR5430', 'MR5426']);
});

test('a session ends when it is not renewed; renewed on the same connection it goes on', async t => {
  const server = await start(t);
  const address = await server.listen({ protocol: 'SASL_PLAINTEXT', mechanisms: ['PLAIN'], sessionMaxMs: 2_000 });
  const client = await WireClient.connect(io.network, address);
  const first = await prove(client, 'PLAIN', 'alice', 'sécret');
  assert.ok(first.sessionLifetimeMs > 0 && first.sessionLifetimeMs <= 2_000);
  const again = await prove(client, 'PLAIN', 'alice', 'sécret');
  assert.ok(again.sessionLifetimeMs > 0);
  await metadata(client);
  while (server.broker.counters.sessionsExpired === 0) {
    await metadata(client).catch(() => undefined);
    if (client.isEnded) break;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  await client.ended;
  assert.deepEqual(server.codes(), ['MR5428']);
});

test('over TLS the host that the client asked for is advertised, else what the listener says', async t => {
  const server = await start(t);
  const files = certificate('server');
  const open = await server.listen({ protocol: 'SSL', certificates: files });
  const fixed = await server.listen({
    protocol: 'SSL',
    certificates: files,
    advertised: { host: 'kafka.example', port: 9999 },
  });
  const ask = async (address: Address, serverName?: string): Promise<string> => {
    const connection = await io.network.connect(address, {
      tls: { ca: authority.cert, ...(serverName && { serverName }) },
      timeoutMs: 10_000,
    });
    const client = WireClient.over(connection);
    const { brokers } = await metadata(client);
    const described = await client.ask(apis.describeCluster, 0, { includeClusterAuthorizedOperations: false });
    const found = await client.ask(apis.findCoordinator, 1, { key: 'g', keyType: 0 });
    client.destroy();
    const [a, b] = [brokers[0]!, described.brokers[0]!];
    assert.deepEqual([a.host, a.port], [b.host, b.port]);
    assert.deepEqual([a.host, a.port], [found.host, found.port]);
    return `${a.host}:${a.port}`;
  };
  assert.equal(await ask(open, 'broker.test'), `broker.test:${open.port}`);
  assert.equal(await ask(open), `127.0.0.1:${open.port}`);
  assert.equal(await ask(fixed, 'broker.test'), 'kafka.example:9999');
});

test('a client certificate gives the principal, by the mapping rules; without a rule that takes it the end', async t => {
  const settings = {
    ...SETTINGS,
    authorizer: { ...SETTINGS.authorizer, isOn: true, superUsers: new Set(['User:writer']) },
  };
  const server = await start(t, settings);
  const certificates = { ...certificate('server'), ca, clientAuth: 'required' as const };
  const address = await server.listen({ protocol: 'SSL', certificates, principalRules: 'RULE:CN=(wri.*)/$1/' });
  const create = async (name: string): Promise<number | 'ended'> => {
    const { cert, key } = authority.issue({ subject: [['CN', name]] });
    const connection = await io.network.connect(address, { tls: { ca: authority.cert, cert, key }, timeoutMs: 10_000 });
    const client = WireClient.over(connection);
    const topics = [{ name: `by-${name}`, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }];
    const answer = await client.ask(apis.createTopics, 4, { topics, timeoutMs: 1_000 }).catch(() => undefined);
    client.destroy();
    return answer ? answer.topics[0]!.errorCode : 'ended';
  };
  assert.equal(await create('writer'), 0);
  assert.equal(await create('wrinkle'), errorCode('TOPIC_AUTHORIZATION_FAILED'));
  assert.equal(await create('reader'), 'ended');
  assert.deepEqual(server.codes().sort(), ['MR5424', 'MR5431']);
});

test('a renewed certificate is for new connections, and how long it is good is known', async t => {
  const server = await start(t);
  const address = await server.listen({
    name: 'public',
    protocol: 'SSL',
    certificates: { ...certificate('renewed'), watchMs: 20 },
  });
  const serial = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = tls.connect(secured(address.port), () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      });
      socket.once('error', reject);
    });
  const report = () => server.broker.listenerReports().find(({ name }) => name === 'public')!;
  const before = await serial();
  assert.ok(report().certificateExpiresMs! > Date.now() + 300 * 86_400_000);
  certificate('renewed');
  for (let i = 0; i < 1_000 && report().certificateReloads === 0; i++)
    await new Promise(resolve => setTimeout(resolve, 10));
  assert.notEqual(await serial(), before);
});

test('a handshake that fails is told with the listener and the reason', async t => {
  const server = await start(t);
  const certificates = { ...certificate('server'), ca, clientAuth: 'required' as const };
  const { port } = await server.listen({ name: 'mutual', protocol: 'SSL', certificates });
  await new Promise(resolve => {
    const socket = tls.connect(secured(port));
    socket.on('error', () => undefined);
    socket.once('close', resolve).resume();
  });
  const [refusal] = server.broker.refusals();
  assert.equal(refusal?.code, 'MR5423');
  assert.match(refusal.reason, /listener mutual failed: the client shows no certificate/);
});

test('who speaks the wrong protocol is named by listener', async t => {
  const server = await start(t);
  const ssl = await server.listen({
    name: 'secure',
    protocol: 'SASL_SSL',
    mechanisms: ['PLAIN'],
    certificates: certificate('server'),
  });
  const plain = await server.listen({ protocol: 'SASL_PLAINTEXT', mechanisms: ['PLAIN'] });
  const say = (port: number, bytes: Uint8Array): Promise<string> =>
    new Promise(resolve => {
      const chunks: Buffer[] = [];
      const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
      socket.on('data', chunk => chunks.push(chunk));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    });
  assert.equal(
    await say(ssl.port, Buffer.from('0000000a0012000000000001ffff', 'hex')),
    '',
    'no alert, which a client would misread',
  );
  assert.match(await say(ssl.port, Buffer.from('GET / HTTP/1.1\r\n\r\n')), /^HTTP\/1\.1 400 /);
  await assert.rejects(
    new Promise((resolve, reject) => {
      const socket = tls.connect(secured(plain.port), () => resolve(undefined));
      socket.once('error', reject);
    }),
  );
  const refusals = server.broker.refusals().map(({ code, reason }) => `${code} ${reason}`);
  assert.deepEqual(refusals, [
    'MR5422 a plaintext Kafka request on the TLS listener secure',
    'MR5403 an HTTP request on the Kafka port',
    'MR5402 a TLS handshake on a plaintext listener',
  ]);
});
