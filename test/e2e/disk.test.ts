/**
 * What clients see of the disk: full, it refuses with 56 and everything else goes on, until there is space again; damaged, the
 * batch that is hit is refused and all others are served; when a sync fails, nothing is acknowledged any more.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type Io, InlineThreads, type MillraceError } from '../../src/base/index.ts';
import { nodeIo } from '../../src/base/io/node.ts';
import { type Cluster, clientSettings, makeCluster } from '../../src/client/index.ts';
import { logThreads } from '../../src/log/threads.ts';
import { startTestBroker, type TestBroker } from '../../src/testing/index.ts';
import { SimDisk } from '../../src/testing/sim/disk.ts';
import { batchOf, recordsIn } from '../../src/testing/sim/records.ts';
import { apis, errorName } from '../../src/wire/index.ts';

/** Later versions of Produce and Fetch name topics by their ids. */
const LAST_BY_NAME = 12;

interface Stand {
  readonly disk: SimDisk;
  readonly server: TestBroker;
  produce(value: string): Promise<string>;
  /** Values from an offset on, or the error. */
  fetch(offset: number): Promise<readonly string[] | string>;
}

async function start(t: TestContext): Promise<Stand> {
  const disk = new SimDisk();
  const threads = new InlineThreads(logThreads);
  const io: Io = { ...nodeIo(), files: disk, threads };
  threads.io = io;
  const server = await startTestBroker({}, { io, log: { fileBytesMax: 4_000, reserveBytes: 4_000 } });
  const bootstrap = `${server.address.host}:${server.address.port}`;
  const cluster = makeCluster(server.io, clientSettings(server.io, new Map([['bootstrap.servers', bootstrap]])));
  t.after(async () => {
    await cluster.close();
    await server.close();
  });
  await server.log.createTopic('', 't', 1);
  return {
    disk,
    server,
    produce: value => produce(cluster, value),
    fetch: offset => fetch(cluster, offset),
  };
}

async function produce(cluster: Cluster, value: string): Promise<string> {
  const connection = await cluster.any();
  const topicData = [{ name: 't', partitionData: [{ index: 0, records: batchOf([value]) }] }];
  const request = { acks: -1, timeoutMs: 5_000, topicData };
  const { responses } = await connection.request(apis.produce, request, { cap: LAST_BY_NAME });
  return errorName(responses[0]!.partitionResponses[0]!.errorCode);
}

async function fetch(cluster: Cluster, offset: number): Promise<readonly string[] | string> {
  const connection = await cluster.any();
  const partitions = [{ partition: 0, fetchOffset: offset, partitionMaxBytes: 1_000_000 }];
  const request = { maxWaitMs: 0, minBytes: 0, topics: [{ topic: 't', partitions }] };
  const { responses } = await connection.request(apis.fetch, request, { cap: LAST_BY_NAME });
  const [answer] = responses[0]!.partitions;
  if (answer!.errorCode !== 0) return errorName(answer!.errorCode);
  return recordsIn(answer!.records!)
    .filter(record => record.offset >= offset)
    .map(({ value }) => value);
}

test('a full disk is 56 to producers, consumers read on, and it goes on by itself when there is space', async t => {
  const { disk, fetch: read, produce: send, server } = await start(t);
  assert.equal(await send('kept'), 'NONE');
  disk.fullAt = disk.calls;
  assert.equal(await send('refused'), 'KAFKA_STORAGE_ERROR');
  assert.equal(await send('refused'), 'KAFKA_STORAGE_ERROR');
  assert.deepEqual(await read(0), ['kept']);
  assert.equal(server.log.topic('', 't')!.partitions[0]!.syncedEnd, 1);
  disk.fullAt = Number.POSITIVE_INFINITY;
  for (let answer = ''; answer !== 'NONE'; answer = await send('goes on')) {
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  assert.deepEqual((await read(0)).slice(0, 2), ['kept', 'goes on']);
});

test('a damaged batch is refused with 2 and told; what is before and behind it is served', async t => {
  const { disk, fetch: read, produce: send, server } = await start(t);
  const values = Array.from({ length: 30 }, (_, i) => `value ${i}`.padEnd(300, '.'));
  for (const value of values) assert.equal(await send(value), 'NONE');
  const told: MillraceError[] = [];
  server.log.onDamage = error => told.push(error);
  const path = `${server.directory}/0000000002.mrj`;
  const content = Buffer.from(disk.readFile(path));
  const hit = values.findIndex(value => content.includes(value));
  disk.flipBit(path, content.indexOf(values[hit]!) + 100, 5);
  assert.equal(await read(hit), 'CORRUPT_MESSAGE');
  assert.deepEqual(
    told.map(({ code, details }) => [code, details['file'], details['offset']]),
    [['MR5004', path, hit]],
  );
  assert.deepEqual(await read(hit + 1), values.slice(hit + 1));
  assert.equal(await send('still written'), 'NONE');
  assert.deepEqual(await read(values.length), ['still written']);
});

test('after a failed sync nothing is acknowledged, what was is still served, and the process is told once', async t => {
  const { disk, fetch: read, produce: send, server } = await start(t);
  const fatal: string[] = [];
  server.log.onFatal = error => fatal.push(error.code);
  assert.equal(await send('kept'), 'NONE');
  disk.failSyncAt = disk.syncs + 1;
  for (let i = 0; i < 3; i++) assert.equal(await send('lost'), 'KAFKA_STORAGE_ERROR');
  assert.deepEqual(await read(0), ['kept']);
  assert.deepEqual(fatal, ['MR5002']);
});
