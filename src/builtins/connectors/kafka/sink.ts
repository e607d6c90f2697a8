/**
 * `save_kafka` and `to_kafka`: one record for each chunk or event.
 *
 * A row is delivered when the broker has acknowledged it (the embedded log: when it is synced). What cannot be delivered
 * within the client's delivery timeout goes to the dead letters. Memory is bounded by the producer: a full queue makes
 * `write` wait, which slows the source down.
 */
import { messageOf } from '../../../base/index.ts';
import { type Cluster, makeCluster, Producer, type ProducerSettings } from '../../../client/index.ts';
import { Blob, type ChunkBatch, type EventBatch, type Value } from '../../../data/index.ts';
import {
  type Batch,
  type Delivery,
  defineOperator,
  type EmbeddedLog,
  embeddedLog,
  type Evaluator,
  s,
  type Sink,
  type StageContext,
} from '../../../sdk/index.ts';
import { RecordBatchBuilder } from '../../../wire/records/index.ts';
import { checkShared, settingsOf, sharedArguments } from './arguments.ts';
import { kafkaNotices } from './errors.ts';

interface OutgoingRecord {
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array;
  readonly timestampMs: number | undefined;
}

/** The record of a row; undefined skips the row with a warning. */
type RecordOf = (batch: Batch, row: number) => OutgoingRecord | undefined;

const UNDELIVERABLE = kafkaNotices.undeliverable;
const EMBEDDED_BATCH_BYTES = 900_000;

/** Into the embedded log: finished batches, answered when they are synced. */
class EmbeddedSink implements Sink {
  private readonly io: StageContext['io'];
  private readonly log: EmbeddedLog;
  private readonly recordOf: RecordOf;
  private readonly partitions = new Map<string, number>();
  private turn = 0;

  constructor(context: StageContext, log: EmbeddedLog, recordOf: RecordOf) {
    this.io = context.io;
    this.log = log;
    this.recordOf = recordOf;
  }

  async write(batch: Batch, delivery: Delivery): Promise<void> {
    const open = new Map<string, { builder: RecordBatchBuilder; rows: number[] }>();
    for (let row = 0; row < batch.count; row++) {
      const record = this.recordOf(batch, row);
      if (!record) {
        delivery.delivered(1);
        continue;
      }
      const entry = open.get(record.topic) ?? { builder: new RecordBatchBuilder(), rows: [] };
      open.set(record.topic, entry);
      entry.builder.append(record.timestampMs ?? this.io.clock.now(), record.key, record.value);
      entry.rows.push(row);
      if (entry.builder.sizeBytes < EMBEDDED_BATCH_BYTES) continue;
      open.delete(record.topic);
      await this.append(record.topic, entry, delivery);
    }
    for (const [topic, entry] of open) await this.append(topic, entry, delivery);
  }

  flush(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }

  private async append(
    topic: string,
    entry: { builder: RecordBatchBuilder; rows: number[] },
    delivery: Delivery,
  ): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        const count = await this.partitionsOf(topic);
        await this.log.append(topic, this.turn++ % count, entry.builder.finish());
        delivery.delivered(entry.rows.length);
        return;
      } catch (error) {
        // A full disk passes; anything else that lasts is told with each row.
        if (attempt >= 30) {
          for (const row of entry.rows) delivery.deadLetter(row, { code: UNDELIVERABLE, message: messageOf(error) });
          return;
        }
        await new Promise<void>(resolve => this.io.clock.after(1_000, resolve));
      }
    }
  }

  private async partitionsOf(topic: string): Promise<number> {
    let count = this.partitions.get(topic) ?? (await this.log.partitions(topic));
    if (count === undefined) {
      await this.log.createTopic(topic, 1);
      count = 1;
    }
    this.partitions.set(topic, count);
    return count;
  }
}

/** Into a cluster. */
class ClusterSink implements Sink {
  private readonly cluster: Cluster;
  private readonly producer: Producer;
  private readonly recordOf: RecordOf;
  private readonly prepared = new Set<string>();

  constructor(cluster: Cluster, settings: ProducerSettings, recordOf: RecordOf) {
    this.cluster = cluster;
    this.producer = new Producer(cluster, settings);
    this.recordOf = recordOf;
  }

  async write(batch: Batch, delivery: Delivery): Promise<void> {
    const done = (rows: readonly number[], error: Error | undefined): void => {
      if (!error) delivery.delivered(rows.length);
      else for (const row of rows) delivery.deadLetter(row, { code: UNDELIVERABLE, message: error.message });
    };
    for (let row = 0; row < batch.count; row++) {
      const record = this.recordOf(batch, row);
      if (!record) {
        delivery.delivered(1);
        continue;
      }
      if (!this.prepared.has(record.topic)) {
        await this.producer.prepare(record.topic);
        this.prepared.add(record.topic);
      }
      const hasRoom = this.producer.append(record.topic, undefined, record, done, row);
      if (!hasRoom) await new Promise<void>(resolve => this.producer.whenWritable(resolve));
    }
  }

  flush(): void {
    void this.producer.flush();
  }

  abort(): void {
    void this.cluster.close();
  }

  async close(): Promise<void> {
    await this.producer.close();
    await this.cluster.close();
  }
}

function makeSink(context: StageContext, options: ReadonlyMap<string, Value> | undefined, recordOf: RecordOf): Sink {
  const log = options?.has('bootstrap.servers') ? undefined : context.service(embeddedLog);
  if (log) return new EmbeddedSink(context, log, recordOf);
  const settings = settingsOf(context.io, options);
  return new ClusterSink(makeCluster(context.io, settings), settings.producer, recordOf);
}

export const saveKafka = defineOperator({
  name: 'save_kafka',
  summary: 'Writes each chunk of bytes as one record; the line end that a writer added is not part of it.',
  input: ['bytes'],
  output: 'void',
  args: {
    topic: s.string('The topic.').positional(),
    key: s.string('Key of all records.').optional(),
    timestamp: s.time('Timestamp of all records.').optional(),
    ...sharedArguments,
  },
  validate: checkShared,
  create: ({ key, options, timestamp, topic }, context) => {
    const keyBytes = key === undefined ? null : Buffer.from(key);
    return makeSink(context, options, (batch, row) => {
      const bytes = (batch as ChunkBatch).bytesOf(row);
      if (bytes.length === 0) return undefined;
      const value = bytes[bytes.length - 1] === 0x0a ? bytes.subarray(0, -1) : bytes;
      return { topic, key: keyBytes, value, timestampMs: timestamp };
    });
  },
});

function messageBytes(value: Value): Uint8Array | undefined {
  if (typeof value === 'string') return Buffer.from(value);
  return value instanceof Blob ? value.bytes : undefined;
}

function textOf(evaluator: Evaluator | undefined, events: EventBatch, row: number): string | undefined {
  const value = evaluator?.value(events, row);
  return typeof value === 'string' ? value : undefined;
}

export const toKafka = defineOperator({
  name: 'to_kafka',
  summary: 'Writes one record for each event; topic, key and message may be computed from it.',
  input: ['events'],
  output: 'void',
  args: {
    topic: s.expression('The topic, as text.').positional(),
    message: s.expression('What is written, text or blob; the event as JSON unless given.').optional(),
    key: s.expression('The key, as text.').optional(),
    timestamp: s.time('Timestamp of all records.').optional(),
    ...sharedArguments,
  },
  validate: checkShared,
  create: ({ key, message, options, timestamp, topic }, context) => {
    const topicOf = context.compile(topic);
    const messageOfRow = message && context.compile(message);
    const keyOf = key && context.compile(key);
    return makeSink(context, options, (batch, row) => {
      const events = batch as EventBatch;
      const name = textOf(topicOf, events, row);
      const value = messageOfRow ? messageBytes(messageOfRow.value(events, row)) : events.jsonOf(row);
      if (name === undefined || value === undefined) {
        const what = name === undefined ? '`topic` is no text' : '`message` is neither text nor blob';
        context.warn({
          code: kafkaNotices.noText,
          message: `${what}; the event is skipped`,
          span: (name === undefined ? topic : (message ?? topic)).span,
        });
        return undefined;
      }
      const keyText = textOf(keyOf, events, row);
      return { topic: name, key: keyText === undefined ? null : Buffer.from(keyText), value, timestampMs: timestamp };
    });
  },
});
