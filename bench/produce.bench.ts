/**
 * Produce: CPU seconds of the broker for a gigabyte, and throughput, ours acknowledged after fsync and Apache Kafka 4.2 with its
 * defaults (which never syncs).
 *
 * Two loads: requests that were encoded before (`raw-load.ts`: all that is measured is the broker) and librdkafka (which takes
 * more of the machine than either broker). The result is checked: the topic's end offsets grow by what was acknowledged.
 *
 * Run: node tools/run.mjs bench/produce.bench.ts [runs] [rows that contain this]
 */
import assert from 'node:assert/strict';
import type { Moved } from './raw-load.ts';
import {
  compare,
  librdkafkaLoad,
  librdkafkaResult,
  type Measured,
  rawResult,
  recordsOf,
  type Rival,
  type Row,
  withCpu,
  withTopic,
} from './rivals.ts';

const [runs = '7', wanted = ''] = process.argv.slice(2);
const PARTITIONS = 4;
const CPU = { most: 0.6 };

function measuresOf({ bytes, seconds }: { bytes: number; seconds: number }, cpuSeconds: number): Measured {
  return { cpuSecondsPerGb: cpuSeconds / (bytes / 1e9), mbPerSecond: bytes / 1e6 / seconds };
}

interface RawLoad {
  readonly recordBytes: number;
  readonly batchBytes: number;
  readonly totalBytes: number;
  readonly partitions?: number;
  readonly partitionsPerRequest?: number;
  readonly isTls?: boolean;
}

function raw(name: string, load: RawLoad, marks: Row['marks']): Row {
  const { isTls = false, partitions = PARTITIONS, totalBytes } = load;
  return {
    name: `raw connections, ${name}`,
    marks,
    run: (rival, share) =>
      withTopic(rival, partitions, async topic => {
        const port = isTls ? rival.tlsPort : rival.port;
        const job = { underWay: 8, ...load, port, isTls, topic, partitions, totalBytes: totalBytes * share };
        const { cpuSeconds, result } = await withCpu(rival, () => rawResult<Moved>('produce', job));
        assert.equal(await recordsOf(rival, topic), result.records);
        return measuresOf(result, cpuSeconds);
      }),
  };
}

function librdkafka(name: string, recordBytes: number, totalBytes: number, marks: Row['marks'], isTls = false): Row {
  return {
    name: `librdkafka, ${name}`,
    marks,
    run: (rival: Rival, share: number) =>
      withTopic(rival, PARTITIONS, async topic => {
        const args = [topic, PARTITIONS, recordBytes, Math.round(totalBytes * share)];
        const { cpuSeconds, result } = await withCpu(rival, () =>
          librdkafkaResult(librdkafkaLoad(rival, isTls, 'produce', args)),
        );
        assert.equal(await recordsOf(rival, topic), result.bytes / recordBytes);
        return measuresOf(result, cpuSeconds);
      }),
  };
}

const rate = (least: number): Row['marks'] => ({ mbPerSecond: { least }, cpuSecondsPerGb: CPU });

const ROWS: readonly Row[] = [
  raw('1 KB records, 900 KB batches', { recordBytes: 1_000, batchBytes: 900_000, totalBytes: 1.2e9 }, rate(1.5)),
  raw('100 B records, 200 KB batches', { recordBytes: 100, batchBytes: 200_000, totalBytes: 1e9 }, rate(1.5)),
  librdkafka('1 KB records', 1_000, 1e9, rate(1.2)),
  librdkafka('100 B records', 100, 2.5e8, rate(1)),
  raw(
    '256 partitions, a batch of 4 KB for each in a request',
    { recordBytes: 1_000, batchBytes: 4_096, totalBytes: 8e8, partitions: 256, partitionsPerRequest: 256 },
    { mbPerSecond: { least: 2 }, cpuSecondsPerGb: { most: 0.4 } },
  ),
  raw('10 KB records, 900 KB batches', { recordBytes: 10_000, batchBytes: 900_000, totalBytes: 1.2e9 }, rate(1.5)),
  librdkafka('10 KB records', 10_000, 1.2e9, { cpuSecondsPerGb: CPU }),
  librdkafka('1 KB records, TLS', 1_000, 6e8, { mbPerSecond: { least: 1 } }, true),
];

await compare(
  'produce',
  'produce, acks=all; ours after fsync, Kafka never syncs',
  ROWS.filter(({ name }) => name.includes(wanted)),
  Number(runs),
);
