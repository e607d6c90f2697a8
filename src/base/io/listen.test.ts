/** TLS listeners: certificates of clients, new certificates for new connections, and everybody who speaks something else. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { CertificateAuthority } from '../../testing/certificates.ts';
import { listen } from './listen.ts';
import type { Connection, Listener, ListenOptions, ServerTlsOptions, TlsRefusal } from './types.ts';

const authority = new CertificateAuthority();
const stranger = new CertificateAuthority('Stranger');
const server = authority.issue({ subject: [['CN', 'server']], names: ['broker.test', '127.0.0.1'] });
const client = authority.issue({ subject: [['CN', 'writer']] });

interface Listening {
  readonly listener: Listener;
  readonly port: number;
  readonly refusals: TlsRefusal[];
  accepted(): Promise<Connection>;
}

async function start(t: TestContext, more: ServerTlsOptions = {}, on: Partial<ListenOptions> = {}): Promise<Listening> {
  const refusals: TlsRefusal[] = [];
  const waiting: ((connection: Connection) => void)[] = [];
  const open: Connection[] = [];
  const listener = await listen(
    { host: '127.0.0.1', port: 0 },
    {
      tls: { ...server, ca: authority.cert, ...more },
      onConnection: connection => {
        connection.start({ onData: chunk => connection.write([chunk]), onClose: () => undefined });
        open.push(connection);
        waiting.shift()?.(connection);
      },
      onTlsRefusal: refusal => {
        refusals.push(refusal);
        return Buffer.from('no');
      },
      ...on,
    },
  );
  t.after(async () => {
    for (const connection of open) connection.destroy();
    await listener.close();
  });
  const accepted = (): Promise<Connection> => new Promise(resolve => waiting.push(resolve));
  return { listener, port: listener.address.port, refusals, accepted };
}

/** Connects and resolves when the handshake is done, with what comes back for one byte. */
function speak(port: number, options: tls.ConnectionOptions = {}): Promise<{ peer: string; answer: string }> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', ca: authority.cert, ...options });
    socket.once('secureConnect', () => socket.write('x'));
    socket.once('data', chunk => {
      resolve({ peer: String(socket.getPeerCertificate().subject.CN), answer: chunk.toString() });
      socket.destroy();
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
}

/** What comes back for plain bytes until the end. */
function speakPlain(port: number, ...pieces: readonly Uint8Array[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const rest = [...pieces];
    const next = (): void => {
      const piece = rest.shift();
      if (piece) socket.write(piece, () => setImmediate(next));
    };
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true }, next);
    socket.on('data', chunk => chunks.push(chunk));
    socket.once('error', reject);
    socket.once('close', () => resolve(Buffer.concat(chunks).toString()));
  });
}

test('the server name that the client asked for is known, and bytes go both ways', async t => {
  const { accepted, port } = await start(t);
  const connection = accepted();
  assert.deepEqual(await speak(port, { servername: 'broker.test' }), { peer: 'server', answer: 'x' });
  assert.deepEqual((await connection).tlsPeer, { serverName: 'broker.test', certificate: undefined });
  assert.equal((await connection).remote.host, '127.0.0.1');
});

for (const [clientAuth, shown, isTaken] of [
  ['none', client, true],
  ['optional', undefined, true],
  ['optional', client, true],
  ['required', client, true],
  ['required', undefined, false],
  ['required', stranger.issue({ subject: [['CN', 'writer']] }), false],
  ['optional', stranger.issue({ subject: [['CN', 'writer']] }), false],
  ['required', authority.issue({ subject: [['CN', 'writer']], toMs: Date.now() - 1_000 }), false],
] as const) {
  const who = shown === undefined ? 'no certificate' : shown === client ? 'a good certificate' : 'a bad certificate';
  test(`client certificates ${clientAuth}: ${who} is ${isTaken ? 'taken' : 'refused'}`, async t => {
    const { accepted, port, refusals } = await start(t, { clientAuth });
    const connection = accepted();
    const spoken = speak(port, shown && { cert: shown.cert, key: shown.key });
    if (!isTaken) {
      await assert.rejects(spoken);
      assert.match(refusals[0]!.reason!, /certificate/);
      return;
    }
    await spoken;
    const isKnown = shown !== undefined && clientAuth !== 'none';
    assert.equal((await connection).tlsPeer?.certificate !== undefined, isKnown);
  });
}

test('a new certificate is for new connections; the open ones go on; one that does not fit its key is refused', async t => {
  const { listener, port } = await start(t);
  const old = tls.connect({ port, host: '127.0.0.1', ca: authority.cert });
  await new Promise(resolve => old.once('secureConnect', resolve));
  const next = authority.issue({ subject: [['CN', 'renewed']], names: ['127.0.0.1'] });
  listener.setTls({ ...next, ca: authority.cert });
  assert.equal((await speak(port)).peer, 'renewed');
  const answer = new Promise(resolve => old.once('data', resolve));
  old.write('still');
  assert.equal(String(await answer), 'still');
  old.destroy();
  assert.throws(() => listener.setTls({ cert: next.cert, key: server.key }));
  assert.equal((await speak(port)).peer, 'renewed');
});

test('plaintext is named by its first bytes, also in pieces, and gets the owner’s answer instead of an alert', async t => {
  const { port, refusals } = await start(t);
  const kafka = Buffer.from('0000000a0012000000000001ffff', 'hex');
  assert.equal(await speakPlain(port, kafka), 'no');
  assert.equal(await speakPlain(port, kafka.subarray(0, 1), kafka.subarray(1, 3), kafka.subarray(3)), 'no');
  assert.equal(await speakPlain(port, Buffer.from('GET / HTTP/1.1\r\n\r\n')), 'no');
  assert.equal(refusals.length, 3);
  assert.equal(refusals[0]!.first!.toString(), kafka.toString());
  assert.equal(refusals[0]!.remote.host, '127.0.0.1');
});

test('a handshake that fails is told with its reason and where it came from', async t => {
  const { port, refusals } = await start(t);
  await assert.rejects(speak(port, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }));
  await speakPlain(port, Buffer.from('160301000568656c6c6f', 'hex'));
  for (let i = 0; i < 1_000 && refusals.length < 2; i++) await new Promise(resolve => setTimeout(resolve, 10));
  assert.match(refusals[0]!.reason!, /protocol|version/);
  assert.ok(refusals.every(({ reason, remote }) => reason && remote.host === '127.0.0.1'));
});
