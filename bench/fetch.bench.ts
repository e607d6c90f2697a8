/**
 * Fetch: CPU seconds of the broker for a gigabyte, and throughput, ours and Apache Kafka 4.2 (which has sendfile).
 *
 *   page cache   a topic that was just written and is read from its beginning, over and over
 *   tail         everything is read as it arrives: a producer at a fixed rate in front of all consumers; what a gigabyte
 *                delivered costs the broker, its share of the producing included
 *
 * Consumers: librdkafka, and raw connections (`raw-load.ts`) that only count. Each takes at most 1 MiB of a partition a request.
 *
 * Run: node tools/run.mjs bench/fetch.bench.ts [runs] [rows that contain this]
 */
import type { Moved } from './raw-load.ts';
import {
  compare,
  type Load,
  librdkafkaLoad,
  librdkafkaResult,
  rawLoad,
  rawResult,
  type Rival,
  type Row,
  withCpu,
  withTopic,
} from './rivals.ts';

const [runs = '7', wanted = ''] = process.argv.slice(2);
const PARTITIONS = 4;
/** What is written for a read from the page cache, and how. */
const STORED_BYTES = 1e9;
const STORED = { partitions: PARTITIONS, recordBytes: 1_000, batchBytes: 64 * 1024 };

interface Moving {
  readonly bytes: number;
  readonly seconds: number;
}

const moved = async (load: Load): Promise<Moving> => JSON.parse(await load.done) as Moved;

/** Topics are written once for each rival and read by all rows of the page cache. */
function pageCache(
  name: string,
  marks: Row['marks'],
  read: (rival: Rival, topic: string, share: number) => Promise<Moving>,
): Row {
  return {
    name: `page cache, ${name}`,
    marks,
    run: (rival, share) =>
      withTopic(rival, PARTITIONS, async topic => {
        const job = { ...STORED, port: rival.port, isTls: false, topic, totalBytes: STORED_BYTES };
        await rawResult('produce', job);
        const { cpuSeconds, result } = await withCpu(rival, () => read(rival, topic, share));
        return { cpuSecondsPerGb: cpuSeconds / (result.bytes / 1e9), mbPerSecond: result.bytes / 1e6 / result.seconds };
      }),
  };
}

function raw(connections: number, totalBytes: number, isTls = false) {
  return (rival: Rival, topic: string, share: number): Promise<Moving> => {
    const port = isTls ? rival.tlsPort : rival.port;
    const job = { port, isTls, topic, partitions: PARTITIONS, connections, totalBytes: totalBytes * share };
    return moved(rawLoad('fetch', job));
  };
}

function librdkafka(isTls = false) {
  return (rival: Rival, topic: string, share: number): Promise<Moving> => {
    const bytes = Math.floor(STORED_BYTES * 0.95 * share);
    return librdkafkaResult(librdkafkaLoad(rival, isTls, 'consume', [topic, PARTITIONS, bytes]));
  };
}

interface Tail {
  readonly mbPerSecond: number;
  readonly seconds: number;
  /** Bytes that all consumers get of one that is produced. */
  readonly copies: number;
  consume(rival: Rival, topic: string, bytes: number): { load: Load; result: Promise<Moving> };
}

function tail(name: string, { consume, copies, mbPerSecond, seconds }: Tail): Row {
  return {
    name: `tail, ${name}`,
    marks: { cpuSecondsPerGb: { most: 1 } },
    run: (rival, share) =>
      withTopic(rival, PARTITIONS, async topic => {
        const totalBytes = mbPerSecond * 1e6 * seconds * share;
        const produced = { recordBytes: 1_000, batchBytes: 16 * 1024, partitions: PARTITIONS, mbPerSecond, totalBytes };
        // The last that is produced may be on its way: 1 % is not waited for.
        const { load, result } = consume(rival, topic, Math.floor(totalBytes * copies * 0.99 * 0.97));
        await load.ready;
        const { cpuSeconds, result: consumed } = await withCpu(rival, async () => {
          await rawResult('produce', { ...produced, port: rival.port, isTls: false, topic });
          return result;
        });
        return { cpuSecondsPerGb: cpuSeconds / (consumed.bytes / 1e9) };
      }),
  };
}

const CACHE_CPU = { most: 1.4 };

const ROWS: readonly Row[] = [
  pageCache('librdkafka', { mbPerSecond: { least: 1.1 }, cpuSecondsPerGb: CACHE_CPU }, librdkafka()),
  pageCache('100 raw connections', { mbPerSecond: { least: 0.8 }, cpuSecondsPerGb: CACHE_CPU }, raw(100, 5e9)),
  tail('100 raw connections', {
    mbPerSecond: 20,
    seconds: 2,
    copies: 25,
    consume: ({ port }, topic, totalBytes) => {
      const job = { port, isTls: false, topic, partitions: PARTITIONS, connections: 100, totalBytes, isTail: true };
      const load = rawLoad('fetch', job);
      return { load, result: moved(load) };
    },
  }),
  tail('librdkafka', {
    mbPerSecond: 150,
    seconds: 2.5,
    copies: 1,
    consume: (rival, topic, bytes) => {
      const load = librdkafkaLoad(rival, false, 'consume', [topic, PARTITIONS, bytes, 'START=end']);
      return { load, result: librdkafkaResult(load) };
    },
  }),
  pageCache('1 raw connection', { mbPerSecond: { least: 0.8 }, cpuSecondsPerGb: CACHE_CPU }, raw(1, 3e9)),
  pageCache('librdkafka, TLS', { mbPerSecond: { least: 1 } }, librdkafka(true)),
];

await compare(
  'fetch',
  'fetch of what lies in the page cache and of what arrives',
  ROWS.filter(({ name }) => name.includes(wanted)),
  Number(runs),
);
