/**
 * kill -9 of `millrace up` under load, again and again: an idempotent producer goes on through every restart; at the end
 * each acknowledged record is there exactly once, in order, and offsets committed before a kill are there after it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeIo } from '../../src/base/io/node.ts';
import {
  clientSettings,
  committedOffsets,
  commitOffsets,
  Consumer,
  makeCluster,
  Producer,
} from '../../src/client/index.ts';
import { RecordCursor } from '../../src/wire/records/index.ts';
import { makeServer } from '../compat/up.ts';

const CYCLES = Number(process.env['MILLRACE_KILL_CYCLES'] ?? 200);

test(`${CYCLES} kill -9 cycles under load lose and double nothing`, { timeout: 15 * 60_000 }, async () => {
  const server = await makeServer();
  await server.start();
  const io = nodeIo();
  const properties = new Map([
    ['bootstrap.servers', `127.0.0.1:${server.port}`],
    ['retry.backoff.max.ms', '200'],
    ['socket.timeout.ms', '5000'],
  ]);
  const cluster = makeCluster(io, clientSettings(io, properties));
  const producer = new Producer(cluster, { lingerMs: 2, batchBytes: 20_000 });
  await producer.prepare('t');
  const acknowledged: number[] = [];
  let next = 0;
  let isRunning = true;
  let failure: Error | undefined;
  const load = setInterval(() => {
    for (let i = 0; i < 40 && isRunning; i++) {
      const value = next++;
      producer.append('t', 0, { key: null, value: Buffer.from(`${value}`.padEnd(200, '.')) }, (_records, error) => {
        if (error) failure = error;
        else acknowledged.push(value);
      });
    }
  }, 5);
  let committed = -1;
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    await new Promise(resolve => setTimeout(resolve, 40 + Math.random() * 250));
    if (cycle % 5 === 0) {
      const offset = acknowledged.length;
      await commitOffsets(cluster, 'g', [{ topic: 't', partition: 0, offset }]).then(
        () => {
          committed = offset;
        },
        () => undefined,
      );
    }
    await server.kill('SIGKILL');
    await server.start();
    const [found] = await committedOffsets(cluster, 'g', [{ topic: 't', partition: 0 }]).catch(() => [committed]);
    assert.ok(found! >= committed, `a committed offset went back from ${committed} to ${found}`);
  }
  isRunning = false;
  clearInterval(load);
  await producer.flush();
  assert.equal(failure, undefined);
  assert.equal(acknowledged.length, next);
  const consumer = new Consumer(cluster);
  consumer.assign([{ topic: 't', partition: 0, offset: -2 }]);
  const values: number[] = [];
  const cursor = new RecordCursor();
  while (values.length < next) {
    const fetched = await consumer.poll();
    for (const { batches } of fetched) {
      for (const batch of batches) {
        cursor.open(batch);
        while (cursor.advance()) values.push(Number.parseInt(Buffer.from(cursor.value!).toString(), 10));
      }
    }
    if (fetched.length === 0 && consumer.isAtEnd) break;
  }
  assert.equal(values.length, next, `${values.length} records for ${next} sent`);
  for (let i = 0; i < next; i++) assert.equal(values[i], i, `record ${i}`);
  process.stdout.write(`${CYCLES} kills, ${next} records, each there once and in order\n`);
  await cluster.close();
  await server.kill('SIGTERM');
  server.remove();
});
