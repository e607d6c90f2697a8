/**
 * kill -9 of a pipeline between topic and collectors loses no event: what was read and not delivered is read again, and what
 * was delivered and committed never.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HecReceiver } from '../../src/app/demo/index.ts';
import { nodeIo } from '../../src/base/io/node.ts';
import { clientSettings, committedOffsets, makeCluster, Producer } from '../../src/client/index.ts';
import type { RecordValue } from '../../src/data/index.ts';
import { makeServer } from '../compat/up.ts';

const KILLS = 10;

test(`${KILLS} kill -9 of a pipeline under load lose no event`, { timeout: 5 * 60_000 }, async () => {
  const receivers = [
    await HecReceiver.start({ token: 't', acknowledges: true }),
    await HecReceiver.start({ token: 't', acknowledges: false }),
  ];
  const delivered = new Map<number, number>();
  for (const receiver of receivers) {
    receiver.onEvent = envelope => {
      const id = Number((envelope.get('event') as RecordValue).get('id'));
      delivered.set(id, (delivered.get(id) ?? 0) + 1);
    };
  }
  const server = await makeServer(`secrets: { HEC: t }
pipelines:
  - id: high
    tql: |
      let $e = ["${receivers[0]!.url}", "${receivers[1]!.url}"]
      load_kafka "in"
      read_json
      where severity_id >= 4
      load_balance $e { to_splunk $e, hec_token=secret("HEC"), buffer_timeout=20ms }
`);
  await server.start();
  const io = nodeIo();
  const settings = clientSettings(
    io,
    new Map([
      ['bootstrap.servers', `127.0.0.1:${server.port}`],
      ['retry.backoff.max.ms', '200'],
    ]),
  );
  const cluster = makeCluster(io, settings);
  const producer = new Producer(cluster, { lingerMs: 2 });
  await producer.prepare('in');
  let next = 0;
  const load = setInterval(() => {
    for (let i = 0; i < 20; i++) {
      const id = next++;
      producer.append(
        'in',
        0,
        { key: null, value: Buffer.from(JSON.stringify({ id, severity_id: id % 6 })) },
        () => undefined,
      );
    }
  }, 5);
  for (let kill = 0; kill < KILLS; kill++) {
    await new Promise(resolve => setTimeout(resolve, 150 + Math.random() * 300));
    await server.kill('SIGKILL');
    await server.start();
  }
  clearInterval(load);
  await producer.flush();
  const expected = Array.from({ length: next }, (_, id) => id).filter(id => id % 6 >= 4);
  for (let i = 0; i < 600 && delivered.size < expected.length; i++)
    await new Promise(resolve => setTimeout(resolve, 100));
  const missing = expected.filter(id => !delivered.has(id));
  assert.deepEqual(missing.slice(0, 5), [], `${missing.length} of ${expected.length} events are missing`);
  assert.equal(delivered.size, expected.length, 'nothing else was delivered');
  const doubled = [...delivered.values()].filter(count => count > 1).length;
  process.stdout.write(`${KILLS} kills, ${expected.length} events delivered, ${doubled} of them more than once\n`);
  // Once everything is confirmed a kill repeats nothing: the pipeline commits as soon as its sinks let it.
  const end = async (): Promise<number> =>
    (await committedOffsets(cluster, 'high', [{ topic: 'in', partition: 0 }]))[0]!;
  for (let i = 0; i < 600 && (await end()) < next; i++) await new Promise(resolve => setTimeout(resolve, 100));
  assert.equal(await end(), next, 'everything is committed');
  const before = [...delivered.values()].reduce((sum, count) => sum + count, 0);
  await server.kill('SIGKILL');
  await server.start();
  await new Promise(resolve => setTimeout(resolve, 2_000));
  assert.equal(
    [...delivered.values()].reduce((sum, count) => sum + count, 0),
    before,
    'a quiet pipeline repeats nothing',
  );
  await cluster.close();
  await server.kill('SIGTERM');
  server.remove();
  await Promise.all(receivers.map(receiver => receiver.close()));
});
