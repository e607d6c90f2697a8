/**
 * What goes wrong with TLS between our client and a broker, over real sockets: each case ends soon, by the code that says
 * what it is, with the broker's address, a reason and a remedy; and the right certificates are taken.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import tls from 'node:tls';
import { MillraceError } from '../../src/base/index.ts';
import { nodeIo } from '../../src/base/io/node.ts';
import { Admin, clientSettings, makeCluster, Producer } from '../../src/client/index.ts';
import { connectFailure } from '../../src/client/transport-errors.ts';
import {
  type Certificate,
  CertificateAuthority,
  type CertificateWish,
  startTestBroker,
} from '../../src/testing/index.ts';

const DAY_MS = 86_400_000;
const io = nodeIo();
const directory = mkdtempSync(join(tmpdir(), 'millrace-client-tls-'));
after(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

function files(name: string, { cert, key }: Certificate): { readonly certificate: string; readonly key: string } {
  return { certificate: file(`${name}.pem`, cert), key: file(`${name}.key`, key) };
}

const authority = new CertificateAuthority();
const stranger = new CertificateAuthority('Another Authority');
const ca = file('ca.pem', authority.cert);
const server: CertificateWish = { subject: [['CN', 'server']], names: ['127.0.0.1', 'localhost'] };
const good = files('good', authority.issue(server));
const client = files('client', authority.issue({ subject: [['CN', 'writer']] }));
const unknown = files('unknown', stranger.issue({ subject: [['CN', 'writer']] }));
const late = files('late', authority.issue({ subject: [['CN', 'writer']], toMs: Date.now() - DAY_MS }));

interface Listener {
  readonly protocol?: 'SSL' | 'PLAINTEXT';
  readonly certificates?: { readonly certificate: string; readonly key: string };
  readonly clientAuth?: 'required';
}

async function listen(t: TestContext, listener: Listener): Promise<number> {
  const { certificates = good, clientAuth, protocol = 'SSL' } = listener;
  const broker = await startTestBroker();
  t.after(() => broker.close());
  const settings = { ...certificates, ...(clientAuth && { clientAuth, ca }) };
  const address = { host: '127.0.0.1', port: 0 };
  const { port } = await broker.broker.listen({
    address,
    protocol,
    ...(protocol === 'SSL' && { certificates: settings }),
  });
  return port;
}

function connect(t: TestContext, port: number, properties: Readonly<Record<string, string>>) {
  const all = {
    'bootstrap.servers': `127.0.0.1:${port}`,
    'security.protocol': 'ssl',
    'ssl.ca.location': ca,
    'socket.connection.setup.timeout.ms': '5000',
    ...properties,
  };
  const cluster = makeCluster(io, clientSettings(io, new Map(Object.entries(all))));
  t.after(() => cluster.close());
  return cluster;
}

/** The error says who, why and what to do, and that connecting again may help, as certificates are renewed meanwhile. */
async function refused(t: TestContext, port: number, properties: Readonly<Record<string, string>>, expected: Expected) {
  await assert.rejects(new Admin(connect(t, port, properties)).topics(), (error: unknown) => {
    assert.ok(error instanceof MillraceError, String(error));
    assert.equal(error.code, expected.code, error.message);
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`));
    assert.match(error.message, expected.reason);
    assert.match(error.help, expected.help);
    assert.equal(error.retry, expected.retry ?? 'reconnect');
    return true;
  });
}

interface Expected {
  readonly code: string;
  readonly reason: RegExp;
  readonly help: RegExp;
  readonly retry?: 'no';
}

interface Case extends Listener {
  readonly name: string;
  readonly properties?: Readonly<Record<string, string>>;
  readonly expected: Expected;
}

const untrusted = (reason: RegExp): Expected => ({ code: 'MR4212', reason, help: /ssl\.ca\.location/ });
/** With TLS 1.3 the handshake is over for the client before a server judges its certificate, and not all send an alert then. */
const closedBehindHandshake: Expected = {
  code: 'MR4210',
  reason: /ended the connection/,
  help: /wants a client certificate that it trusts \(ssl\.certificate\.location\)/,
};
const issue = (wish: Partial<CertificateWish>, by = authority): Certificate => by.issue({ ...server, ...wish });

const CASES: readonly Case[] = [
  {
    name: 'a certificate of an authority that is not trusted',
    certificates: files('stranger', issue({}, stranger)),
    expected: untrusted(/the authority that issued its certificate is not known/),
  },
  {
    name: 'a certificate that has expired',
    certificates: files('expired', issue({ toMs: Date.now() - DAY_MS })),
    expected: untrusted(/its certificate has expired/),
  },
  {
    name: 'a certificate that is not valid yet',
    certificates: files('early', issue({ fromMs: Date.now() + DAY_MS })),
    expected: untrusted(/its certificate is not valid yet/),
  },
  {
    name: 'a certificate for another host',
    certificates: files('other-host', issue({ names: ['broker.example'] })),
    expected: untrusted(/its certificate is for another host name/),
  },
  {
    name: 'no client certificate where one is demanded',
    clientAuth: 'required',
    expected: closedBehindHandshake,
  },
  {
    name: 'a client certificate of another authority',
    clientAuth: 'required',
    properties: { 'ssl.certificate.location': unknown.certificate, 'ssl.key.location': unknown.key },
    expected: closedBehindHandshake,
  },
  {
    name: 'a client certificate that has expired',
    clientAuth: 'required',
    properties: { 'ssl.certificate.location': late.certificate, 'ssl.key.location': late.key },
    expected: closedBehindHandshake,
  },
  {
    name: 'a client without TLS at a listener with TLS',
    properties: { 'security.protocol': 'plaintext' },
    expected: {
      code: 'MR4210',
      reason: /ended the connection/,
      help: /a listener with TLS \(security\.protocol=ssl\)/,
    },
  },
  {
    name: 'a client with TLS at a listener without',
    protocol: 'PLAINTEXT',
    expected: { code: 'MR4211', reason: /it may not speak TLS/, help: /security\.protocol/ },
  },
  {
    name: 'a key that does not belong to the certificate',
    properties: { 'ssl.certificate.location': client.certificate, 'ssl.key.location': unknown.key },
    expected: { code: 'MR4217', reason: /key/i, help: /certificate and key belong together/, retry: 'no' },
  },
];

for (const { expected, name, properties = {}, ...listener } of CASES)
  test(name, async t => refused(t, await listen(t, listener), properties, expected));

test('the right certificates are taken on both sides, by the host name too, and without checks only when that is said', async t => {
  const mutual = await listen(t, { clientAuth: 'required' });
  const own = { 'ssl.certificate.location': client.certificate, 'ssl.key.location': client.key };
  const cluster = connect(t, mutual, own);
  await new Admin(cluster).createTopic('t', 1);
  const producer = new Producer(cluster);
  await producer.send('t', 0, null, Buffer.from('x'));
  await producer.close();
  await new Admin(connect(t, mutual, { ...own, 'bootstrap.servers': `localhost:${mutual}` })).topics();
  const strange = await listen(t, {
    certificates: files('strange', stranger.issue({ ...server, names: ['elsewhere'] })),
  });
  await new Admin(connect(t, strange, { 'enable.ssl.certificate.verification': 'false' })).topics();
  const otherName = await listen(t, { certificates: files('name', issue({ names: ['elsewhere'] })) });
  await new Admin(connect(t, otherName, { 'ssl.endpoint.identification.algorithm': 'none' })).topics();
});

test('alerts are told: about certificates as such, others as what both sides have to agree on', async t => {
  const alert = async (settings: tls.TlsOptions): Promise<number> => {
    const broker = tls.createServer(settings, socket => socket.resume());
    broker.on('tlsClientError', () => undefined);
    await new Promise<void>(resolve => broker.listen(0, '127.0.0.1', resolve));
    t.after(() => broker.close());
    return (broker.address() as net.AddressInfo).port;
  };
  // An authority with a key on P-256 has no cipher in common with one that takes RSA only.
  const ciphers = await alert({ ...authority.issue(server), maxVersion: 'TLSv1.2', ciphers: 'AES256-SHA256' });
  await refused(t, ciphers, {}, { code: 'MR4214', reason: /handshake failure/, help: /TLS versions and ciphers/ });
  const { message } = connectFailure(
    'kafka:9093',
    Object.assign(new Error('sslv3 alert bad certificate'), {
      code: 'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
    }),
  );
  assert.match(message, /kafka:9093 refused the TLS handshake: sslv3 alert bad certificate/);
});

test('a handshake that is never answered, and one that is cut, end by themselves', async t => {
  const sockets = new Set<net.Socket>();
  let isCut = false;
  const broker = net.createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => undefined).resume();
    if (isCut) socket.once('data', () => socket.destroy());
  });
  await new Promise<void>(resolve => broker.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    broker.close();
  });
  const { port } = broker.address() as net.AddressInfo;
  const silent = connect(t, port, { 'socket.connection.setup.timeout.ms': '1000' });
  await assert.rejects(new Admin(silent).topics(), {
    code: 'MR4201',
    message: /no connection to 127\.0\.0\.1:\d+ in 1000 ms/,
  });
  isCut = true;
  await assert.rejects(new Admin(connect(t, port, {})).topics(), { code: 'MR4211', message: /may not speak TLS/ });
});
