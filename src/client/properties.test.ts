/** Properties by librdkafka's names: what each sets, its range, and what is said of those that change nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeIo } from '../base/io/node.ts';
import { manualIo } from '../testing/sim/manual-io.ts';
import { type ClientSettings, clientSettings, noteOn, propertyDefect, propertyNames } from './properties.ts';

const settings = (properties: Readonly<Record<string, string>>): ClientSettings =>
  clientSettings(manualIo({}), new Map(Object.entries(properties)));

test('each property sets what it is named after', () => {
  const cases: readonly (readonly [string, string, (found: ClientSettings) => unknown, unknown])[] = [
    ['isolation.level', 'read_uncommitted', ({ consumer }) => consumer.readsCommitted, false],
    ['isolation.level', 'read_committed', ({ consumer }) => consumer.readsCommitted, true],
    ['queued.max.messages.kbytes', '64', ({ consumer }) => consumer.queuedBytesMax, 65_536],
    ['broker.address.family', 'v6', ({ cluster }) => cluster.addressFamily, 6],
    ['broker.address.family', 'any', ({ cluster }) => cluster.addressFamily, undefined],
    ['socket.keepalive.enable', 'false', ({ cluster }) => cluster.keepsAlive, false],
    ['request.timeout.ms', '7000', ({ producer }) => producer.acknowledgeTimeoutMs, 7_000],
    ['request.timeout.ms', '7000', ({ cluster }) => cluster.requestTimeoutMs, 30_000],
    ['socket.timeout.ms', '7000', ({ cluster }) => cluster.requestTimeoutMs, 7_000],
    ['max.in.flight.requests.per.connection', '1000', ({ producer }) => producer.batchesUnderwayMax, 5],
    ['linger.ms', '0', ({ producer }) => producer.lingerMs, 0],
    ['queue.buffering.max.kbytes', '16', ({ producer }) => producer.memoryBytesMax, 16_384],
  ];
  for (const [name, value, read, expected] of cases) assert.equal(read(settings({ [name]: value })), expected, name);
});

test('numbers outside their range are refused with range and unit', () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['linger.ms', '900001', /a whole number of milliseconds from 0 to 900000/],
    ['linger.ms', '-1', /a whole number of milliseconds from 0 to 900000/],
    ['batch.size', '0', /a whole number of bytes from 1 to 2147483647/],
    ['socket.timeout.ms', '9', /from 10 to 300000/],
    ['fetch.min.bytes', '1e3', /a whole number of bytes/],
    ['queue.buffering.max.kbytes', '99999999999999999999', /a whole number of KiB/],
    ['queued.min.messages', '0', /a whole number of messages from 1 to 10000000/],
    ['api.version.request', 'false', /it must be true/],
    ['isolation.level', 'serializable', /one of read_committed, read_uncommitted/],
    ['enable.metrics.push', 'yes', /true or false/],
  ];
  for (const [name, value, reason] of cases) {
    assert.match(propertyDefect(name, value) ?? '', reason, `${name}=${value}`);
    assert.throws(() => settings({ [name]: value }), { code: 'MR4207' });
  }
});

test('what changes nothing says so, and what it says exists', () => {
  assert.match(noteOn('queued.min.messages', '5') ?? '', /queued\.max\.messages\.kbytes/);
  assert.match(noteOn('enable.partition.eof', 'true') ?? '', /exit=true/);
  assert.equal(noteOn('enable.partition.eof', 'false'), undefined, 'that is how it is');
  assert.equal(noteOn('linger.ms', '5'), undefined);
  for (const name of ['queued.min.messages', 'enable.partition.eof', 'enable.metrics.push', 'log.connection.close'])
    assert.ok(propertyNames.includes(name), name);
});

test('names of one family only are looked for', async t => {
  const { network } = nodeIo();
  const listener = await network.listen({ host: '127.0.0.1', port: 0 }, { onConnection: each => each.destroy() });
  const { port } = listener.address;
  t.after(() => listener.close());
  await assert.rejects(network.connect({ host: 'localhost', port }, { timeoutMs: 2_000, family: 6 }));
  (await network.connect({ host: 'localhost', port }, { timeoutMs: 2_000, family: 4 })).destroy();
});
