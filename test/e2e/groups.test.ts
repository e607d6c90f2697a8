/** Pipelines as members of one consumer group over a cluster: partitions move, nothing is lost, orderly moves repeat nothing. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { builtins } from '../../src/builtins/index.ts';
import { clientSettings, makeCluster, Producer } from '../../src/client/index.ts';
import type { Task } from '../../src/engine/index.ts';
import { type PipelineRun, runPipeline, startTestBroker, type TestBroker } from '../../src/testing/index.ts';

const PARTITIONS = 4;

async function start(t: TestContext): Promise<{ server: TestBroker; bootstrap: string }> {
  const server = await startTestBroker({ defaultPartitions: PARTITIONS });
  t.after(() => server.close());
  return { server, bootstrap: `${server.address.host}:${server.address.port}` };
}

async function until(check: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (check()) return;
    await new Promise(resolve => setTimeout(resolve, 25));
  }
  assert.fail(`timed out: ${what}`);
}

interface Member {
  readonly seen: number[];
  readonly result: Promise<PipelineRun>;
  stop(): Promise<PipelineRun>;
}

async function member(bootstrap: string): Promise<Member> {
  const seen: number[] = [];
  let task: Task | undefined;
  const text = `from_kafka "t", group_id="g", commit_timeout=50ms, options={"bootstrap.servers": "${bootstrap}", "heartbeat.interval.ms": "50", "auto.offset.reset": "earliest", "fetch.wait.max.ms": "50"}
this = message.parse_json()
write_ndjson
save_stdout`;
  const result = runPipeline(text, builtins, {
    onStart: started => {
      task = started;
    },
    onOutput: output => {
      for (const line of output.trim().split('\n')) seen.push((JSON.parse(line) as { id: number }).id);
    },
  });
  await until(() => task !== undefined, 'the task');
  return {
    seen,
    result,
    stop: () => {
      task!.drain();
      return result;
    },
  };
}

test('members of a group share a topic; joining and leaving in order loses and repeats nothing', async t => {
  const { bootstrap, server } = await start(t);
  const cluster = makeCluster(server.io, clientSettings(server.io, new Map([['bootstrap.servers', bootstrap]])));
  t.after(() => cluster.close());
  const producer = new Producer(cluster, { lingerMs: 1 });
  await producer.prepare('t');
  let next = 0;
  let isOver = false;
  const load = (async (): Promise<void> => {
    while (!isOver) {
      for (let i = 0; i < 20; i++, next++)
        producer.append('t', next % PARTITIONS, { key: null, value: Buffer.from(`{"id":${next}}`) }, () => undefined);
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    await producer.close();
  })();
  const committed: number[] = Array.from({ length: PARTITIONS }, () => -1);
  const watch = setInterval(() => {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const offset = server.coordination.committed('', 'g', 't', partition)?.offset ?? -1;
      assert.ok(offset >= committed[partition]!, 'a committed offset never goes back');
      committed[partition] = offset;
    }
  }, 5);
  t.after(() => clearInterval(watch));
  const first = await member(bootstrap);
  await until(() => first.seen.length > 200, 'the first member');
  const second = await member(bootstrap);
  await until(() => second.seen.length > 200, 'the second member');
  const third = await member(bootstrap);
  await until(() => third.seen.length > 200, 'the third member');
  const firstRun = await first.stop();
  const before = second.seen.length + third.seen.length;
  await until(() => second.seen.length + third.seen.length > before + 200, 'the members that stay');
  isOver = true;
  await load;
  const all = (): number[] => [...first.seen, ...second.seen, ...third.seen];
  await until(() => new Set(all()).size === next, `every event (${next})`);
  const runs = [firstRun, await second.stop(), await third.stop()];
  for (const run of runs) assert.deepEqual([run.failure, run.diagnostics], [undefined, []]);
  assert.equal(all().length, next, 'nothing came twice');
  assert.deepEqual(
    committed.map((_offset, partition) => server.coordination.committed('', 'g', 't', partition)?.offset),
    server.log.topic('', 't')!.partitions.map(partition => partition.syncedEnd),
  );
});
