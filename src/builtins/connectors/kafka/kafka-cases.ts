/** For tests: a broker with topics, and pipelines that reach it as the embedded log or as a cluster over the wire. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { embeddedLogOf } from '../../../app/services.ts';
import { nodeIo } from '../../../base/io/node.ts';
import type { Task } from '../../../engine/index.ts';
import { type EmbeddedLog, embeddedLog } from '../../../sdk/index.ts';
import { type PipelineRun, runPipeline, startTestBroker, type TestBroker } from '../../../testing/index.ts';
import { RecordBatchBuilder, RecordCursor, type RecordHeaders } from '../../../wire/records/index.ts';
import { builtins } from '../../index.ts';

export type Way = 'embedded' | 'cluster';

export const WAYS: readonly Way[] = ['embedded', 'cluster'];

export interface SentRecord {
  readonly value: string | null;
  readonly key?: string | null;
  readonly timestampMs?: number;
  readonly headers?: RecordHeaders;
}

export interface FoundRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly timestampMs: number;
  readonly headers: Readonly<Record<string, string | null>>;
}

const text = (bytes: Uint8Array | null): string | null => bytes && Buffer.from(bytes).toString();

export class KafkaStand {
  readonly server: TestBroker;
  readonly service: EmbeddedLog;
  private readonly started: RunningPipeline[] = [];

  constructor(server: TestBroker, isAllowed: boolean) {
    this.server = server;
    this.service = embeddedLogOf(server.io, server.log, server.coordination, { isAllowed, partitions: 1 });
  }

  async topic(name: string, partitions: number): Promise<void> {
    await this.server.log.createTopic('', name, partitions);
  }

  /** A transaction that has written the values; ends when that is called. */
  async transaction(
    id: string,
    topic: string,
    values: readonly string[],
  ): Promise<(isCommit: boolean) => Promise<void>> {
    const { transactions } = this.server.coordination;
    const { producerEpoch, producerId } = await transactions.initialise('', id, 60_000);
    const of = { namespace: '', id, producerEpoch, producerId };
    await transactions.addPartitions(of, [{ topic, partition: 0 }]);
    await this.produce(topic, 0, values, { producerId, producerEpoch, baseSequence: 0, isTransactional: true });
    return async isCommit => assert.equal((await transactions.endOf(of, isCommit, false)).error, 'NONE');
  }

  /** As one record batch a call. */
  async produce(
    topic: string,
    partition: number,
    records: readonly (SentRecord | string)[],
    options: Parameters<RecordBatchBuilder['finish']>[0] = {},
  ): Promise<void> {
    const builder = new RecordBatchBuilder();
    for (const record of records) {
      const {
        headers,
        key = null,
        timestampMs = this.server.io.clock.now(),
        value,
      } = typeof record === 'string' ? { value: record } : record;
      builder.append(
        timestampMs,
        key === null ? null : Buffer.from(key),
        value === null ? null : Buffer.from(value),
        headers,
      );
    }
    const { log } = this.server;
    await log.append(log.topic('', topic)!.partitions[partition]!, builder.finish(options));
  }

  committed(group: string, topic: string): (number | undefined)[] {
    const { coordination, log } = this.server;
    return log.topic('', topic)!.partitions.map((_, i) => coordination.committed('', group, topic, i)?.offset);
  }

  records(topic: string): FoundRecord[] {
    const { log } = this.server;
    return (log.topic('', topic)?.partitions ?? []).flatMap((partition, number) => {
      const found: FoundRecord[] = [];
      for (let offset = partition.startOffset; offset < partition.syncedEnd; ) {
        const cursor = new RecordCursor().open(log.read(partition, offset, 1)[0]!);
        while (cursor.advance()) {
          if (cursor.offset < offset) continue;
          const { key, timestamp, value } = cursor;
          const headers = Object.fromEntries(cursor.headers().map(([name, bytes]) => [name, text(bytes)]));
          found.push({
            partition: number,
            offset: cursor.offset,
            key: text(key),
            value: text(value),
            timestampMs: timestamp,
            headers,
          });
        }
        offset = cursor.offset + 1;
      }
      return found;
    });
  }

  /** What a pipeline writes for `options=…` to reach the broker this way, with more properties; empty for none. */
  options(way: Way, more: Readonly<Record<string, string>> = {}): string {
    const { host, port } = this.server.address;
    const all = {
      ...(way === 'cluster' && { 'bootstrap.servers': `${host}:${port}`, 'heartbeat.interval.ms': '50' }),
      ...more,
    };
    const list = Object.entries(all).map(([name, value]) => `"${name}": "${value}"`);
    return list.length === 0 ? '' : `, options={${list.join(', ')}}`;
  }

  run(pipeline: string, options: Parameters<typeof runPipeline>[2] = {}): Promise<PipelineRun> {
    const services = new Map<string, unknown>([[embeddedLog.name, this.service], ...(options.services ?? [])]);
    return runPipeline(pipeline, builtins, { ...options, services });
  }

  /** Starts a pipeline that does not end by itself. `seen` are the lines that it has printed. */
  async running(pipeline: string, options: Parameters<typeof runPipeline>[2] = {}): Promise<RunningPipeline> {
    const seen: string[] = [];
    let task: Task | undefined;
    const result = this.run(pipeline, {
      ...options,
      onStart: started => {
        task = started;
      },
      onOutput: output => seen.push(...output.split('\n').filter(line => line !== '')),
    });
    await until(() => task !== undefined, 'the start');
    const running = {
      seen,
      task: task!,
      stop: () => {
        task!.drain();
        return result;
      },
      kill: async () => {
        task!.abort('killed');
        await result;
      },
    };
    this.started.push(running);
    return running;
  }

  /** What still runs is killed before the broker goes. */
  async close(): Promise<void> {
    for (const running of this.started) await running.kill();
    await this.server.close();
  }
}

export interface RunningPipeline {
  readonly seen: readonly string[];
  readonly task: Task;
  stop(): Promise<PipelineRun>;
  kill(): Promise<void>;
}

export async function startKafka(t: TestContext, settings: { readonly isAllowed?: boolean } = {}): Promise<KafkaStand> {
  const server = await startTestBroker({ autoCreateTopics: settings.isAllowed !== false });
  const stand = new KafkaStand(server, settings.isAllowed !== false);
  t.after(() => stand.close());
  return stand;
}

const IO = nodeIo();

export async function until(check: () => boolean, what: string): Promise<void> {
  const end = IO.clock.monotonic() + 30_000;
  while (!check()) {
    if (IO.clock.monotonic() > end) assert.fail(`timed out: ${what}`);
    await new Promise<void>(resolve => IO.clock.after(5, resolve));
  }
}
