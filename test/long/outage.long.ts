/**
 * Collectors that are down while much more comes than memory could hold: memory stays flat, nothing is lost, and a stop in the
 * middle of the load goes on where it was.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { HecReceiver } from '../../src/app/demo/index.ts';
import { nodeIo } from '../../src/base/io/node.ts';
import { clientSettings, makeCluster, Producer } from '../../src/client/index.ts';
import type { RecordValue } from '../../src/data/index.ts';
import { freePort, makeServer } from '../compat/up.ts';

const EVENTS = 200_000;
const TEXT = 'x'.repeat(2_000);
/** What the pipeline may have on its way is 32 MiB; the rest is what the log's page and read buffers and V8 take. */
const GROWTH_MAX = 256 * 1024 * 1024;

const residentBytes = (pid: number): number =>
  1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);

const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

test('an outage costs no memory and no event, and neither does a stop under load', { timeout: 6 * 60_000 }, async t => {
  const port = await freePort();
  const server = await makeServer(`secrets: { HEC: t }
drain_timeout: 2s
pipelines:
  - id: out
    tql: |
      load_kafka "in"
      read_json
      to_splunk "http://127.0.0.1:${port}", hec_token=secret("HEC"), buffer_timeout=50ms
`);
  await server.start();
  const io = nodeIo();
  const cluster = makeCluster(io, clientSettings(io, new Map([['bootstrap.servers', `127.0.0.1:${server.port}`]])));
  t.after(async () => {
    await cluster.close();
    await server.kill('SIGTERM');
    server.remove();
  });
  const producer = new Producer(cluster, { lingerMs: 5 });
  await producer.prepare('in');
  const baseline = residentBytes(server.pid);
  let most = 0;
  let acknowledged = 0;
  let sent = 0;
  const send = async (count: number): Promise<void> => {
    for (const end = sent + count; sent < end; ) {
      for (let i = 0; i < 500; i++, sent++) {
        const value = Buffer.from(JSON.stringify({ id: sent, text: TEXT }));
        producer.append('in', 0, { key: null, value }, (tags, error) => {
          assert.ifError(error ?? null);
          acknowledged += tags.length;
        });
      }
      while (sent - acknowledged > 5_000) await wait(2);
      most = Math.max(most, residentBytes(server.pid));
    }
    await producer.flush();
  };
  await send(EVENTS);
  const growth = most - baseline;
  assert.ok(growth < GROWTH_MAX, `memory grew by ${Math.round(growth / 1024 / 1024)} MiB`);
  const delivered = new Map<number, number>();
  const receiver = await HecReceiver.start({ token: 't', acknowledges: false }, { host: '127.0.0.1', port });
  t.after(() => receiver.close());
  receiver.onEvent = envelope => {
    const id = Number((envelope.get('event') as RecordValue).get('id'));
    delivered.set(id, (delivered.get(id) ?? 0) + 1);
  };
  const reached = async (count: number): Promise<void> => {
    for (let i = 0; delivered.size < count; i++) {
      assert.ok(i < 1_200, `${delivered.size} of ${count} events came`);
      await wait(100);
    }
  };
  await reached(20_000);
  await server.kill('SIGTERM');
  await server.start();
  await reached(EVENTS);
  assert.equal(delivered.size, EVENTS, 'nothing else was delivered');
  const doubled = [...delivered.values()].filter(count => count > 1).length;
  process.stdout.write(
    `${EVENTS} events of 2 KB, memory grew by ${Math.round(growth / 1024 / 1024)} MiB, ${doubled} came twice behind a stop\n`,
  );
});
