/**
 * One process of load by raw clients: `node bench/raw-load.ts JOB '{…}'`. Prints one line of JSON.
 *
 *   produce   requests that hold a batch for each of `partitionsPerRequest` partitions, `underWay` on each connection, as fast
 *             as they are acknowledged or at `mbPerSecond`
 *   fetch     connections over the partitions of a topic in turn; from the beginning, over and over, or (`isTail`) from its
 *             end; prints `ready` in front when all of them have asked
 *   latency   one producer at a fixed rate and one consumer for each partition, in one process: from the write of a request to
 *             the arrival of the last byte of its batch at the consumer
 *   idle      `connections` that have asked for ApiVersions, held until stdin ends
 */
import { apis, encodeRequest } from '../src/wire/index.ts';
import { FetchStream, makeBatch, open, ProduceStream, produceRequest, type Target } from './raw-client.ts';

export interface ProduceJob extends Target {
  readonly topic: string;
  readonly partitions: number;
  readonly partitionsPerRequest?: number;
  readonly recordBytes: number;
  readonly batchBytes: number;
  readonly totalBytes: number;
  readonly connections?: number;
  readonly underWay?: number;
  readonly mbPerSecond?: number;
}

export interface FetchJob extends Target {
  readonly topic: string;
  readonly partitions: number;
  readonly connections: number;
  /** Of all connections together. */
  readonly totalBytes: number;
  readonly isTail?: boolean;
}

export interface LatencyJob extends Target {
  readonly topic: string;
  readonly partitions: number;
  readonly recordBytes: number;
  readonly batchBytes: number;
  readonly mbPerSecond: number;
  readonly seconds: number;
}

export interface IdleJob extends Target {
  readonly connections: number;
}

/** What a job prints. */
export interface Moved {
  readonly bytes: number;
  readonly records: number;
  readonly seconds: number;
}

const PACE_MS = 2;
/** Of a latency run: what warms up is not counted. */
const WARM_SHARE = 0.2;

async function produce(job: ProduceJob): Promise<Moved> {
  const { connections = 2, partitions, partitionsPerRequest = 1, totalBytes, underWay = 8 } = job;
  const batch = makeBatch(job.recordBytes, job.batchBytes);
  const requests = Array.from({ length: Math.ceil(partitions / partitionsPerRequest) }, (_, i) =>
    produceRequest(
      job.topic,
      Array.from({ length: partitionsPerRequest }, (_item, j) => (i * partitionsPerRequest + j) % partitions),
      batch.bytes,
    ),
  );
  const requestBytes = batch.bytes.length * partitionsPerRequest;
  const count = Math.max(1, Math.round(totalBytes / requestBytes));
  let sent = 0;
  let acknowledged = 0;
  let allowed = job.mbPerSecond === undefined ? count : 0;
  const started = performance.now();
  await new Promise<void>((resolve, reject) => {
    const streams: ProduceStream[] = [];
    const pump = (): void => {
      for (const stream of streams)
        while (stream.underWay < underWay && sent < Math.min(count, allowed))
          stream.send(requests[sent++ % requests.length]!);
    };
    const answered = (): void => {
      if (++acknowledged < count) {
        pump();
        return;
      }
      for (const stream of streams) stream.close();
      resolve();
    };
    const begin = async (): Promise<void> => {
      for (let i = 0; i < connections; i++) streams.push(await ProduceStream.open(job, answered, reject));
      pump();
    };
    if (job.mbPerSecond !== undefined) {
      const pace = setInterval(() => {
        allowed = ((performance.now() - started) * job.mbPerSecond! * 1_000) / requestBytes;
        pump();
        if (sent >= count) clearInterval(pace);
      }, PACE_MS);
    }
    begin().catch(reject);
  });
  const seconds = (performance.now() - started) / 1_000;
  return { bytes: count * requestBytes, records: count * partitionsPerRequest * batch.records, seconds };
}

async function fetchAll(job: FetchJob): Promise<Moved> {
  const { connections, partitions, totalBytes } = job;
  let bytes = 0;
  let started = 0;
  await new Promise<void>((resolve, reject) => {
    const streams = Array.from({ length: connections }, (_, i) => {
      const stream: FetchStream = new FetchStream(
        { topic: job.topic, partition: i % partitions, offset: 0 },
        received => {
          bytes += received.bytes;
          if (bytes >= totalBytes) {
            for (const each of streams) each.close();
            resolve();
            return;
          }
          if (started === 0 && received.bytes > 0) started = performance.now();
          // Nothing more: the page cache is read from its beginning again.
          if (received.bytes === 0 && !job.isTail) stream.offset = 0;
          stream.ask();
        },
        reject,
      );
      return stream;
    });
    const begin = async (): Promise<void> => {
      for (const stream of streams) await stream.connect(job);
      for (const stream of streams) stream.ask();
      process.stdout.write('ready\n');
    };
    begin().catch(reject);
  });
  return { bytes, records: 0, seconds: (performance.now() - started) / 1_000 };
}

async function latency(job: LatencyJob): Promise<object> {
  const { partitions, seconds } = job;
  const batch = makeBatch(job.recordBytes, job.batchBytes);
  const requests = Array.from({ length: partitions }, (_, i) => produceRequest(job.topic, [i], batch.bytes));
  const count = Math.round((job.mbPerSecond * 1e6 * seconds) / batch.bytes.length);
  const sentAt = new Float64Array(count);
  const times: number[] = [];
  let received = 0;
  await new Promise<void>((resolve, reject) => {
    const consumers = Array.from({ length: partitions }, (_, partition) => {
      const consumer: FetchStream = new FetchStream(
        { topic: job.topic, partition, offset: 0 },
        ({ baseOffset, nextOffset }) => {
          const now = performance.now();
          for (let offset = baseOffset; offset >= 0 && offset < nextOffset; offset += batch.records) {
            const i = (offset / batch.records) * partitions + partition;
            if (i >= count * WARM_SHARE) times.push(now - sentAt[i]!);
            received++;
          }
          if (received < count) consumer.ask();
          else {
            for (const each of consumers) each.close();
            producer!.close();
            resolve();
          }
        },
        reject,
      );
      return consumer;
    });
    let producer: ProduceStream | undefined;
    const begin = async (): Promise<void> => {
      for (const consumer of consumers) await consumer.connect(job);
      for (const consumer of consumers) consumer.ask();
      producer = await ProduceStream.open(job, () => undefined, reject);
      const started = performance.now();
      let sent = 0;
      const pace = setInterval(() => {
        const due = ((performance.now() - started) * job.mbPerSecond * 1_000) / batch.bytes.length;
        for (; sent < Math.min(count, due); sent++) {
          sentAt[sent] = performance.now();
          producer!.send(requests[sent % partitions]!);
        }
        if (sent >= count) clearInterval(pace);
      }, PACE_MS);
    };
    begin().catch(reject);
  });
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999) };
}

async function idle(job: IdleJob): Promise<void> {
  const request = Buffer.concat(encodeRequest(apis.apiVersions, 0, 0, 'bench', {} as never));
  for (let i = 0; i < job.connections; i++) {
    await new Promise<void>((resolve, reject) => {
      open(job, () => resolve()).then(socket => socket.write(request), reject);
    });
  }
  process.stdout.write('ready\n');
  await new Promise(resolve => process.stdin.once('end', resolve).resume());
  process.exit(0);
}

const JOBS: Readonly<Record<string, (job: never) => Promise<object | void>>> = {
  produce,
  fetch: fetchAll,
  latency,
  idle,
};

const [name, text] = process.argv.slice(2);
const result = await JOBS[name!]!(JSON.parse(text!) as never);
if (result) process.stdout.write(`${JSON.stringify(result)}\n`);
