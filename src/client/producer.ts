/**
 * Idempotent producer: records gather in a batch a partition; batches go out in order, one request in flight a partition,
 * each with the sequence that makes its repetition harmless.
 *
 *   append ─► open batch ─(full, or linger over)─► queue ─► request ─► acknowledged | tried again | given up
 *
 * One batch in flight a partition keeps order under every error without the bookkeeping of five; batches grow while one
 * is under way, so throughput does not suffer where it matters.
 *
 * Invariants
 * I1 batches of a partition are acknowledged in the order of their records.
 * I2 a batch keeps its sequence over all tries; a duplicate is a success.
 * I3 `append` says when the memory bound is reached; nothing is dropped but by a delivery timeout, which is reported.
 */
import { type Io, MillraceError, messageOf, type Timer } from '../base/index.ts';
import { apis, errorCode, errorName, isRetriable } from '../wire/index.ts';
import { BatchHeader, type CodecName, RecordBatchBuilder, type RecordHeaders } from '../wire/records/index.ts';
import type { Cluster, TopicInfo } from './cluster.ts';
import { clientErrors } from './errors.ts';
import { type Partitioner, partitioners } from './partitioners.ts';

export interface ProducerSettings {
  readonly acks: 0 | 1 | -1;
  readonly lingerMs: number;
  readonly batchBytes: number;
  readonly codec: CodecName;
  readonly deliveryTimeoutMs: number;
  readonly memoryBytesMax: number;
  readonly isIdempotent: boolean;
  readonly partitioner: keyof typeof partitioners;
  readonly canCreateTopics: boolean;
}

export const PRODUCER_DEFAULTS: ProducerSettings = {
  acks: -1,
  lingerMs: 5,
  batchBytes: 1_000_000,
  codec: 'none',
  deliveryTimeoutMs: 120_000,
  memoryBytesMax: 64 * 1024 * 1024,
  isIdempotent: true,
  partitioner: 'consistent_random',
  canCreateTopics: true,
};

/** Told once for each batch: how many records, and why they failed if they did. */
export type Acknowledge = (records: number, error: Error | undefined) => void;

interface QueuedBatch {
  readonly bytes: Uint8Array;
  readonly records: number;
  readonly acknowledgements: readonly { readonly done: Acknowledge; readonly records: number }[];
  readonly bornMs: number;
  sequence: number;
}

interface PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  builder: RecordBatchBuilder | undefined;
  acknowledgements: { done: Acknowledge; records: number }[];
  bornMs: number;
  linger: Timer | undefined;
  readonly queue: QueuedBatch[];
  isSending: boolean;
  nextSequence: number;
}

const SEQUENCES = 2 ** 31;

export class Producer {
  private readonly io: Io;
  private readonly cluster: Cluster;
  private readonly settings: ProducerSettings;
  private readonly queues = new Map<string, PartitionQueue>();
  private readonly partitioner: Partitioner;
  private readonly topics = new Map<string, TopicInfo>();
  private identity: Promise<{ id: number; epoch: number }> | undefined;
  private bytes = 0;
  private writable: (() => void)[] = [];
  private idle: (() => void)[] = [];
  private isClosed = false;
  retries = 0;

  constructor(cluster: Cluster, settings: Partial<ProducerSettings> = {}) {
    this.io = cluster.io;
    this.cluster = cluster;
    this.settings = { ...PRODUCER_DEFAULTS, ...settings };
    this.partitioner = partitioners[this.settings.partitioner](this.io.random);
  }

  /** Makes the topic known; needed before `append` chooses partitions by itself. */
  async prepare(topic: string): Promise<TopicInfo> {
    const info = await this.cluster.topic(topic, this.settings.canCreateTopics);
    this.topics.set(topic, info);
    return info;
  }

  /**
   * Takes a record of a prepared topic; `partition` undefined lets the partitioner choose. False: the memory bound is
   * reached, wait for `whenWritable` before the next.
   */
  append(
    topic: string,
    partition: number | undefined,
    record: {
      readonly key: Uint8Array | null;
      readonly value: Uint8Array | null;
      readonly headers?: RecordHeaders;
      readonly timestampMs?: number;
    },
    done: Acknowledge,
  ): boolean {
    const count = this.topics.get(topic)?.leaders.length ?? 1;
    const queue = this.queueOf(topic, partition ?? this.partitioner(record.key, count));
    const size = RecordBatchBuilder.estimate(record.key, record.value, record.headers);
    if (queue.builder && queue.builder.sizeBytes + size > this.settings.batchBytes) this.seal(queue);
    if (!queue.builder) {
      queue.builder = new RecordBatchBuilder(Math.min(this.settings.batchBytes, 65_536));
      queue.bornMs = this.io.clock.monotonic();
      queue.linger = this.io.clock.after(this.settings.lingerMs, () => this.lingered(queue));
    }
    queue.builder.append(record.timestampMs ?? this.io.clock.now(), record.key, record.value, record.headers);
    const last = queue.acknowledgements.at(-1);
    if (last?.done === done) last.records++;
    else queue.acknowledgements.push({ done, records: 1 });
    this.bytes += size;
    if (queue.builder.sizeBytes >= this.settings.batchBytes) this.seal(queue);
    return this.bytes < this.settings.memoryBytesMax;
  }

  /** Resolves when the record is acknowledged. */
  send(topic: string, partition: number | undefined, key: Uint8Array | null, value: Uint8Array | null): Promise<void> {
    return new Promise((resolve, reject) => {
      this.append(topic, partition, { key, value }, (_records, error) => (error ? reject(error) : resolve()));
    });
  }

  /** A finished batch as it is, but for producer id, epoch and sequence. Resolves when it is acknowledged. */
  sendRecordBatch(topic: string, partition: number, bytes: Uint8Array): Promise<void> {
    const queue = this.queueOf(topic, partition);
    this.seal(queue);
    const records = new BatchHeader(bytes).recordCount;
    return new Promise((resolve, reject) => {
      const done: Acknowledge = (_records, error) => (error ? reject(error) : resolve());
      this.bytes += bytes.length;
      this.push(queue, {
        bytes,
        records,
        acknowledgements: [{ done, records }],
        bornMs: this.io.clock.monotonic(),
        sequence: -1,
      });
    });
  }

  whenWritable(callback: () => void): void {
    if (this.bytes < this.settings.memoryBytesMax) callback();
    else this.writable.push(callback);
  }

  /** Sends everything now; resolves when all is settled. */
  flush(): Promise<void> {
    for (const queue of this.queues.values()) this.seal(queue);
    if (this.isIdle) return Promise.resolve();
    return new Promise(resolve => this.idle.push(resolve));
  }

  async close(): Promise<void> {
    await this.flush();
    this.isClosed = true;
  }

  private get isIdle(): boolean {
    for (const queue of this.queues.values())
      if (queue.builder || queue.isSending || queue.queue.length > 0) return false;
    return true;
  }

  private queueOf(topic: string, partition: number): PartitionQueue {
    const key = `${topic}\n${partition}`;
    let queue = this.queues.get(key);
    if (!queue) {
      queue = {
        topic,
        partition,
        builder: undefined,
        acknowledgements: [],
        bornMs: 0,
        linger: undefined,
        queue: [],
        isSending: false,
        nextSequence: 0,
      };
      this.queues.set(key, queue);
    }
    return queue;
  }

  private lingered(queue: PartitionQueue): void {
    queue.linger = undefined;
    // While a batch is under way the next one keeps growing.
    if (!queue.isSending) this.seal(queue);
  }

  private seal(queue: PartitionQueue): void {
    const { acknowledgements, bornMs, builder } = queue;
    if (!builder) return;
    queue.linger?.cancel();
    queue.linger = undefined;
    queue.builder = undefined;
    queue.acknowledgements = [];
    const bytes = builder.finish({ codec: this.settings.codec });
    this.push(queue, { bytes, records: builder.recordCount, acknowledgements, bornMs, sequence: -1 });
  }

  private push(queue: PartitionQueue, batch: QueuedBatch): void {
    queue.queue.push(batch);
    if (queue.isSending) return;
    queue.isSending = true;
    void this.drain(queue);
  }

  private async drain(queue: PartitionQueue): Promise<void> {
    for (let batch = queue.queue[0]; batch; batch = queue.queue[0]) {
      const error = await this.deliver(queue, batch);
      queue.queue.shift();
      this.settle(batch, error);
      if (queue.queue.length === 0) this.seal(queue);
    }
    queue.isSending = false;
    if (queue.builder && !queue.linger) this.lingered(queue);
    if (!this.isIdle) return;
    const waiters = this.idle;
    this.idle = [];
    for (const wake of waiters) wake();
  }

  private settle(batch: QueuedBatch, error: Error | undefined): void {
    // The estimate that `append` added is larger than the bytes; with nothing left the count begins anew.
    this.bytes = this.isDrained ? 0 : Math.max(0, this.bytes - batch.bytes.length);
    for (const { done, records } of batch.acknowledgements) done(records, error);
    if (this.bytes >= this.settings.memoryBytesMax) return;
    const waiters = this.writable;
    this.writable = [];
    for (const wake of waiters) wake();
  }

  private get isDrained(): boolean {
    for (const queue of this.queues.values()) if (queue.builder || queue.queue.length > 0) return false;
    return true;
  }

  /** Tries until it is acknowledged, hopeless or too late. */
  private async deliver(queue: PartitionQueue, batch: QueuedBatch): Promise<Error | undefined> {
    let reason = '';
    for (let attempt = 0; ; attempt++) {
      const age = this.io.clock.monotonic() - batch.bornMs;
      if (attempt > 0 && (age > this.settings.deliveryTimeoutMs || this.isClosed)) {
        const { partition, topic } = queue;
        return clientErrors.deliveryTimeout({
          records: batch.records,
          topic,
          partition,
          ms: this.settings.deliveryTimeoutMs,
          reason,
        });
      }
      if (attempt > 0) {
        this.retries++;
        await this.cluster.backoff(attempt - 1);
      }
      try {
        const code = await this.attempt(queue, batch);
        if (code === 0 || code === errorCode('DUPLICATE_SEQUENCE_NUMBER')) return undefined;
        reason = errorName(code);
        if (code === errorCode('OUT_OF_ORDER_SEQUENCE_NUMBER') || code === errorCode('UNKNOWN_PRODUCER_ID')) {
          this.renew();
          continue;
        }
        if (!isRetriable(code)) {
          return clientErrors.brokerError({
            api: 'Produce',
            what: `to ${queue.topic}/${queue.partition}`,
            error: reason,
          });
        }
        this.cluster.forget(queue.topic);
      } catch (error) {
        if (!(error instanceof MillraceError) && !(error instanceof Error)) throw error;
        reason = messageOf(error);
        this.cluster.forget(queue.topic);
      }
    }
  }

  /** The broker has lost track of us: a new identity, sequences from zero. What is in flight was not taken. */
  private renew(): void {
    this.identity = undefined;
    for (const queue of this.queues.values()) {
      queue.nextSequence = 0;
      for (const batch of queue.queue) batch.sequence = -1;
    }
  }

  private async attempt(queue: PartitionQueue, batch: QueuedBatch): Promise<number> {
    const topic = await this.cluster.topic(queue.topic, this.settings.canCreateTopics);
    const leader = topic.leaders[queue.partition] ?? -1;
    if (leader < 0) return errorCode('LEADER_NOT_AVAILABLE');
    const connection = await this.cluster.node(leader);
    if (this.settings.isIdempotent && this.settings.acks === -1) {
      this.identity ??= this.newIdentity();
      const { epoch, id } = await this.identity.catch((error: unknown) => {
        this.identity = undefined;
        throw error;
      });
      if (batch.sequence < 0) {
        batch.sequence = queue.nextSequence;
        queue.nextSequence = (queue.nextSequence + batch.records) % SEQUENCES;
      }
      new BatchHeader(batch.bytes).setProducer(id, epoch, batch.sequence);
    }
    const answer = await connection.request(
      apis.produce,
      {
        acks: this.settings.acks,
        timeoutMs: 30_000,
        topicData: [
          { name: queue.topic, topicId: topic.id, partitionData: [{ index: queue.partition, records: batch.bytes }] },
        ],
      },
      { isSilent: this.settings.acks === 0 },
    );
    return this.settings.acks === 0 ? 0 : (answer.responses[0]?.partitionResponses[0]?.errorCode ?? -1);
  }

  private async newIdentity(): Promise<{ id: number; epoch: number }> {
    const connection = await this.cluster.any();
    const answer = await connection.request(apis.initProducerId, {
      transactionalId: null,
      transactionTimeoutMs: 60_000,
    });
    if (answer.errorCode !== 0) {
      throw clientErrors.brokerError({ api: 'InitProducerId', what: '', error: errorName(answer.errorCode) });
    }
    return { id: answer.producerId, epoch: answer.producerEpoch };
  }
}
