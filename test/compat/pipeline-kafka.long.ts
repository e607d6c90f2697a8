/**
 * A pipeline from a real Apache Kafka 4.2 through operators to the same Kafka, whose broker is killed with -9 in the middle, and
 * once the pipeline itself: nothing is lost, nothing else appears, the order of each partition is kept, and it goes back only
 * where something was killed.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeIo } from '../../src/base/io/node.ts';
import { Admin, type Cluster, clientSettings, Consumer, makeCluster, Producer } from '../../src/client/index.ts';
import { RecordCursor } from '../../src/wire/records/index.ts';
import { makeKafka } from './peers/kafka.ts';

const PARTITIONS = 3;
const EVENTS = 60_000;
const ROOT = join(import.meta.dirname, '../..');

function start(file: string): { child: ChildProcess; ended: Promise<number | null>; errors(): string } {
  const child = spawn(process.execPath, ['src/cli/main.ts', 'run', file], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stdout!.resume();
  child.stderr!.on('data', chunk => (errors += String(chunk)));
  return {
    child,
    ended: new Promise(resolve => child.once('exit', resolve)),
    errors: () => errors,
  };
}

/** Follows a topic; the numbers of its events in each partition, as they come. */
class Follower {
  readonly ids: number[][] = Array.from({ length: PARTITIONS }, () => []);
  private readonly consumer: Consumer;
  private isOver = false;
  private readonly run: Promise<void>;

  constructor(cluster: Cluster, topic: string) {
    this.consumer = new Consumer(cluster);
    this.consumer.assign(this.ids.map((_ids, partition) => ({ topic, partition, offset: -2 })));
    this.run = this.follow();
  }

  get distinct(): number {
    return new Set(this.ids.flat()).size;
  }

  async close(): Promise<void> {
    this.isOver = true;
    await this.run;
  }

  private async follow(): Promise<void> {
    const cursor = new RecordCursor();
    while (!this.isOver) {
      for (const { batches, fromOffset, partition } of await this.consumer.poll()) {
        for (const batch of batches) {
          cursor.open(batch);
          while (cursor.advance()) {
            if (cursor.offset < fromOffset) continue;
            const { id, isSeen } = JSON.parse(Buffer.from(cursor.value!).toString()) as { id: number; isSeen: boolean };
            assert.equal(isSeen, true);
            this.ids[partition]!.push(id);
          }
        }
      }
    }
  }
}

test('a pipeline over a Kafka that is killed loses nothing and keeps the order', { timeout: 8 * 60_000 }, async t => {
  const kafka = await makeKafka();
  await kafka.start();
  const directory = mkdtempSync(join(tmpdir(), 'millrace-pipeline-kafka-'));
  const cluster = makeCluster(
    nodeIo(),
    clientSettings(nodeIo(), new Map([['bootstrap.servers', `127.0.0.1:${kafka.port}`]])),
  );
  t.after(async () => {
    await cluster.close();
    await kafka.kill();
    kafka.remove();
    rmSync(directory, { recursive: true });
  });
  const admin = new Admin(cluster);
  for (const topic of ['in', 'out']) await admin.createTopic(topic, PARTITIONS);
  const options = `options={"bootstrap.servers": "127.0.0.1:${kafka.port}", "session.timeout.ms": 6000}`;
  const file = join(directory, 'even.tql');
  writeFileSync(
    file,
    `from_kafka "in", offset="stored", group_id="even", options={"bootstrap.servers": "127.0.0.1:${kafka.port}",
  "auto.offset.reset": "earliest", "session.timeout.ms": 6000}
this = message.parse_json()
where isEven
isSeen = true
to_kafka "out", partition=p, ${options}
`,
  );
  const follower = new Follower(cluster, 'out');
  const producer = new Producer(cluster, { lingerMs: 5 });
  await producer.prepare('in');
  let sent = 0;
  let refused: Error | undefined;
  const load = (async (): Promise<void> => {
    while (sent < EVENTS) {
      for (let i = 0; i < 100; i++, sent++) {
        const partition = Math.trunc(sent / 2) % PARTITIONS;
        const value = Buffer.from(
          JSON.stringify({ id: sent, isEven: sent % 2 === 0, p: partition, text: 'x'.repeat(200) }),
        );
        producer.append('in', partition, { key: null, value }, (_tags, error) => {
          refused ??= error;
        });
      }
      await new Promise(resolve => setTimeout(resolve, 25));
    }
  })();
  const reached = async (count: number): Promise<void> => {
    for (let i = 0; follower.distinct < count; i++) {
      assert.ok(
        i < 1_800 && pipeline.child.exitCode === null,
        `${follower.distinct} of ${count} events came; ${pipeline.errors().slice(-2_000)}`,
      );
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  };
  let pipeline = start(file);
  await reached(3_000);
  await kafka.kill('SIGKILL');
  await new Promise(resolve => setTimeout(resolve, 300));
  await kafka.start();
  await reached(9_000);
  pipeline.child.kill('SIGKILL');
  await pipeline.ended;
  // What it has sent before may still be on its way; a broker that is away when a pipeline starts is an error.
  await new Promise(resolve => setTimeout(resolve, 500));
  const before = follower.distinct;
  pipeline = start(file);
  await reached(before + 2_000);
  await kafka.kill('SIGKILL');
  await kafka.start();
  await load;
  await producer.close();
  assert.equal(refused, undefined);
  await reached(EVENTS / 2);
  pipeline.child.kill('SIGTERM');
  assert.equal(await pipeline.ended, 0, pipeline.errors());
  await follower.close();
  const jumps = follower.ids.map(ids => ids.filter((id, i) => i > 0 && id <= ids[i - 1]!).length);
  const all = follower.ids.flat();
  follower.ids.forEach((ids, partition) => {
    const expected = Array.from({ length: EVENTS }, (_, id) => id).filter(
      id => id % 2 === 0 && Math.trunc(id / 2) % PARTITIONS === partition,
    );
    assert.deepEqual([...new Set(ids)], expected, `partition ${partition}: everything, in order`);
    assert.ok(jumps[partition]! <= 3, `${jumps[partition]} times back for three kills`);
  });
  process.stdout.write(
    `${EVENTS / 2} events, ${all.length - EVENTS / 2} more than once, ${jumps.join('/')} times back\n`,
  );
});
