/** What does not belong on the Kafka port is named, answered where that helps, and closed. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { startTestBroker } from '../../src/testing/index.ts';
import { apis, encodeRequest } from '../../src/wire/index.ts';

/** Sends bytes and resolves with what came back until the end. */
function exchange(port: number, bytes: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setTimeout(5_000, () => reject(new Error('the connection was not closed')));
    socket.on('data', chunk => chunks.push(chunk));
    socket.on('error', () => resolve(Buffer.concat(chunks)));
    socket.on('close', () => resolve(Buffer.concat(chunks)));
  });
}

const header = (key: number, version: number): Buffer => {
  const frame = Buffer.from([0, 0, 0, 10, 0, key, 0, version, 0, 0, 0, 1, 255, 255]);
  return frame;
};

const cases: readonly (readonly [string, Uint8Array, string])[] = [
  ['a TLS handshake', Buffer.from('160301020001000001fc0303', 'hex'), 'MR5402'],
  ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n'), 'MR5403'],
  ['a PROXY header', Buffer.from('PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n'), 'MR5404'],
  ['garbage', Buffer.from('hello, world'), 'MR5405'],
  ['a frame over the limit', Buffer.from('1fffffff00120000', 'hex'), 'MR5401'],
  ['a negative frame size', Buffer.from('00000000ffffffff', 'hex').subarray(4), 'MR5405'],
  ['an unknown API', header(99, 0), 'MR5406'],
  ['Produce 99', Buffer.from('0000000b0000006300000001ffff00', 'hex'), 'MR5407'],
  ['a cut request', header(3, 9), 'MR5408'],
];

for (const [what, bytes, code] of cases) {
  test(`${what} is closed with ${code} in the diagnosis`, async t => {
    const server = await startTestBroker();
    t.after(() => server.close());
    const answer = await exchange(server.address.port, bytes);
    if (code === 'MR5403') assert.match(answer.toString(), /^HTTP\/1\.1 400 /);
    const [refusal] = server.broker.refusals();
    assert.equal(refusal?.code, code);
    assert.ok(refusal.help.length > 10);
  });
}

test('ApiVersions above the maximum is answered in the first layout with 35 and the range', async t => {
  const server = await startTestBroker();
  t.after(() => server.close());
  const request = Buffer.concat(
    encodeRequest(apis.apiVersions, 3, 5, 'x', { clientSoftwareName: 'a', clientSoftwareVersion: '1' }),
  );
  request.writeInt16BE(9, 6);
  const socket = net.connect(server.address.port, '127.0.0.1', () => socket.write(request));
  const answer = await new Promise<Buffer>(resolve => socket.once('data', resolve));
  socket.destroy();
  assert.equal(answer.toString('hex'), '000000100000000500230000000100120000000' + '4');
});

test('random bytes never end the server', async t => {
  const server = await startTestBroker();
  t.after(() => server.close());
  for (let i = 0; i < 60; i++) {
    const bytes = Buffer.from(Array.from({ length: 64 }, (_, k) => (k < 2 ? 0 : (i * 131 + k * 29) & 0xff)));
    bytes.writeInt32BE(60, 0);
    bytes.writeInt16BE(i, 4);
    bytes.writeInt16BE(i % 10, 6);
    const socket = net.connect(server.address.port, '127.0.0.1', () => socket.end(bytes));
    socket.on('error', () => undefined);
    await new Promise(resolve => socket.on('close', resolve).resume());
  }
  const answer = await exchange(server.address.port, Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  assert.match(answer.toString(), /400/);
});
