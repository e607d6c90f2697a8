/**
 * Topic → parse JSON, keep `severity_id >= 4` (one event in ten) → topic, on a real Apache Kafka 4.2: events per CPU second of
 * the process that filters, start-up included, ours and Benthos 4.27 (with the tuned settings) in alternating runs.
 *
 * The result is checked: the output topic has exactly the events that pass. Events are 500 bytes, one partition.
 *
 * Run: node bench/pipeline.bench.ts [runs]   (fetch the peers first: test/compat/peers/fetch.ts)
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeIo } from '../src/base/io/node.ts';
import { Admin, clientSettings, type Cluster, makeCluster, Producer } from '../src/client/index.ts';
import { RecordBatchBuilder } from '../src/wire/records/index.ts';
import { benthosBinary } from '../test/compat/peers/fetch.ts';
import { HEAP_OF_BENCHES, makeKafka } from '../test/compat/peers/kafka.ts';
import { figure, keep, ratios, runMeasured, type Usage } from './measure.ts';

const RUNS = Number(process.argv[2] ?? 7);
const EVENTS = 4_000_000;
/** Both run for about five seconds; what they need at their start is small beside that. */
const EVENTS_OF_BENTHOS = 500_000;
const EVENT_BYTES = 500;
const BATCH_EVENTS = 1_000;

const io = nodeIo();
const directory = mkdtempSync(join(tmpdir(), 'pipeline-bench-'));
const kafka = await makeKafka({}, HEAP_OF_BENCHES);
await kafka.start();
const bootstrap = `127.0.0.1:${kafka.port}`;
const cluster: Cluster = makeCluster(io, clientSettings(io, new Map([['bootstrap.servers', bootstrap]])));
const admin = new Admin(cluster);

function eventText(i: number): string {
  const severity = i % 10 === 0 ? 4 + (i % 3) : i % 4;
  const fields = {
    class_uid: 3002,
    severity_id: severity,
    time: 1_700_239_437_000 + i,
    user: { name: `user-${i % 997}`, uid: `S-1-5-21-${i}` },
    src_endpoint: { ip: `10.${i % 256}.${(i >> 8) % 256}.7`, port: i % 65_536 },
    metadata: { product: { name: 'Directory', vendor_name: 'Example' }, version: '1.1.0' },
  };
  const text = JSON.stringify({ ...fields, message: '' });
  return JSON.stringify({ ...fields, message: 'a'.repeat(EVENT_BYTES - text.length) });
}

async function fill(topic: string, count: number): Promise<void> {
  await admin.createTopic(topic, 1);
  const producer = new Producer(cluster);
  await producer.prepare(topic);
  for (let from = 0; from < count; from += BATCH_EVENTS) {
    const builder = new RecordBatchBuilder(BATCH_EVENTS * (EVENT_BYTES + 16));
    for (let i = from; i < from + BATCH_EVENTS; i++) builder.append(Date.now(), null, Buffer.from(eventText(i)));
    void producer.sendRecordBatch(topic, 0, builder.finish({ isSealed: false }));
    await new Promise<void>(resolve => producer.whenWritable(resolve));
  }
  await producer.close();
}

async function recordsOf(topic: string): Promise<number> {
  const offsets = await admin.offsets(topic);
  return offsets.reduce((sum, { end, start }) => sum + end - start, 0);
}

let outputs = 0;

/** Runs one contender into a topic of its own; events per CPU second. */
async function measure(count: number, run: (topic: string) => Promise<Usage>): Promise<Usage & { rate: number }> {
  const topic = `out-${++outputs}`;
  await admin.createTopic(topic, 1);
  const usage = await run(topic);
  assert.equal(await recordsOf(topic), count / 10);
  await admin.deleteTopic(topic);
  return { ...usage, rate: count / usage.cpuSeconds };
}

function runMillrace(topic: string): Promise<Usage> {
  const options = `options={"bootstrap.servers": "${bootstrap}"}`;
  const pipeline = `load_kafka "in", offset="beginning", exit=true, ${options}
read_json
where severity_id >= 4
to_kafka "${topic}", ${options}`;
  return runMeasured(process.execPath, ['src/cli/main.ts', 'run', pipeline]);
}

/** Benthos does not end by itself: `count` in the input ends it. */
function runBenthos(topic: string): Promise<Usage> {
  const config = {
    http: { enabled: false },
    logger: { level: 'ERROR' },
    input: {
      read_until: {
        check: 'false',
        idle_timeout: '2s',
        input: {
          kafka_franz: {
            seed_brokers: [bootstrap],
            topics: ['in-benthos'],
            consumer_group: `benthos-${topic}`,
            checkpoint_limit: 100_000,
            batching: { count: 1_000, period: '20ms' },
          },
        },
      },
    },
    pipeline: { threads: 2, processors: [{ mapping: 'root = if this.severity_id < 4 { deleted() }' }] },
    output: { kafka_franz: { seed_brokers: [bootstrap], topic, max_in_flight: 256 } },
  };
  const file = join(directory, 'benthos.json');
  writeFileSync(file, JSON.stringify(config));
  return runMeasured(benthosBinary(), ['-c', file]);
}

try {
  await fill('in', EVENTS);
  await fill('in-benthos', EVENTS_OF_BENTHOS);
  const ours: (Usage & { rate: number })[] = [];
  const theirs: (Usage & { rate: number })[] = [];
  for (let run = 0; run < RUNS; run++) {
    ours.push(await measure(EVENTS, runMillrace));
    theirs.push(await measure(EVENTS_OF_BENTHOS, runBenthos));
    process.stderr.write(
      `run ${run + 1}: ${Math.round(ours.at(-1)!.rate)} against ${Math.round(theirs.at(-1)!.rate)}\n`,
    );
  }
  const rates = (runs: readonly { readonly rate: number }[]): number[] => runs.map(({ rate }) => rate);
  keep('pipeline', {
    what: 'events per CPU second, start-up included: Kafka topic, JSON filter, Kafka topic; 500-byte events',
    runs: RUNS,
    millrace: {
      eventsPerCpuSecond: figure(rates(ours)),
      seconds: figure(ours.map(({ wallSeconds }) => wallSeconds)),
      events: EVENTS,
    },
    benthos: {
      eventsPerCpuSecond: figure(rates(theirs)),
      seconds: figure(theirs.map(({ wallSeconds }) => wallSeconds)),
      events: EVENTS_OF_BENTHOS,
    },
    ratio: ratios(rates(ours), rates(theirs)),
    mark: 10,
  });
} finally {
  await cluster.close();
  await kafka.kill();
  kafka.remove();
  rmSync(directory, { recursive: true, force: true });
}
