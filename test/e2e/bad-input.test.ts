/** What does not belong on the Kafka port is named, answered where that helps, and closed. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { silentLogger } from '../../src/base/index.ts';
import { startTestBroker, WireClient } from '../../src/testing/index.ts';
import { apis, encodeRequest } from '../../src/wire/index.ts';
import { RecordBatchBuilder } from '../../src/wire/records/index.ts';

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

/** What the log line names. */
const NAMES: Readonly<Record<string, RegExp>> = {
  MR5401: /a request of \d+ bytes, the limit is \d+/,
  MR5402: /a TLS handshake/,
  MR5403: /an HTTP request/,
  MR5404: /a PROXY protocol header/,
  MR5405: /bytes that are no Kafka request/,
  MR5406: /API 99 is not known/,
  MR5407: /Produce version 99/,
  MR5408: /a malformed Metadata request/,
};

test('what is no Kafka request is closed at once, with a line in the log that names client and cause', async t => {
  const lines: string[] = [];
  const logger = { ...silentLogger, warn: (line: string) => lines.push(line) };
  const server = await startTestBroker({}, { logger });
  t.after(() => server.close());
  for (const [what, bytes, code] of cases) {
    const answer = await exchange(server.address.port, bytes);
    if (code === 'MR5403') assert.match(answer.toString(), /^HTTP\/1\.1 400 .*not HTTP/s);
    else assert.equal(answer.length, 0, what);
    const refusal = server.broker.refusals().at(-1);
    assert.equal(refusal?.code, code, what);
    assert.ok(refusal.help.length > 10);
    assert.match(refusal.reason, NAMES[code]!);
    assert.ok(
      lines.some(line => line.startsWith('refused 127.0.0.1: ') && NAMES[code]!.test(line)),
      `${what} is in the log`,
    );
  }
});

test('more connections than are allowed are closed, those that there are go on', async t => {
  const server = await startTestBroker({ connectionsMax: 2 });
  t.after(() => server.close());
  const open = await Promise.all([1, 2].map(() => WireClient.connect(server.io.network, server.address)));
  t.after(() => open.forEach(client => client.destroy()));
  const third = await WireClient.connect(server.io.network, server.address);
  await third.ended;
  assert.equal(server.broker.refusals()[0]?.code, 'MR5412');
  const wish = { clientSoftwareName: '', clientSoftwareVersion: '' };
  assert.equal((await open[0]!.ask(apis.apiVersions, 0, wish)).errorCode, 0);
});

test('a client that does not read what it asks for holds a bounded amount; another one is served meanwhile', async t => {
  const server = await startTestBroker({ autoCreateTopics: false });
  t.after(() => server.close());
  await server.log.createTopic('', 't', 1);
  const builder = new RecordBatchBuilder(1_100_000);
  builder.append(1, null, new Uint8Array(1_000_000));
  const batch = builder.finish();
  for (let i = 0; i < 30; i++)
    await server.log.append(server.log.topic('', 't')!.partitions[0]!, Uint8Array.from(batch));
  const fetch = (client: WireClient) => {
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 50_000_000 }];
    const topics = [{ topic: 't', partitions }];
    return client.ask(apis.fetch, 12, { maxWaitMs: 0, minBytes: 1, topics, forgottenTopicsData: [], rackId: '' });
  };
  const slow = await WireClient.connect(server.io.network, server.address);
  slow.pause();
  for (let i = 0; i < 40; i++) fetch(slow).catch(() => undefined);
  const quick = await WireClient.connect(server.io.network, server.address);
  for (let i = 0; i < 5; i++) assert.ok((await fetch(quick)).responses[0]!.partitions[0]!.records!.length > 3_000_000);
  // An answer of at most 4 MiB, of which sockets have taken a part: 40 of them would be 160 MB.
  assert.ok(server.broker.unreadBytes <= 6 * 1024 * 1024, `${server.broker.unreadBytes}`);
  slow.resume();
  await fetch(slow);
  for (const client of [slow, quick]) client.destroy();
});

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
