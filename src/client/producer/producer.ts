/**
 * Producer: records gather in a batch a partition; sealed batches go through their partition's window to the leader.
 *
 *   append ─► open batch ─(full, or linger over)─► window (`window.ts`) ─► request (`sender.ts`) ─► acknowledged | given up
 *
 * Invariants
 * I1 batches of a partition are acknowledged in the order of their records. Idempotence keeps that with five batches
 *    under way; without it one is.
 * I2 `append` says when the memory bound is reached; nothing is dropped but by a fatal answer or the delivery timeout,
 *    and both are reported.
 */
import type { Io, Timer } from '../../base/index.ts';
import { BatchHeader, type CodecName, RecordBatchBuilder, type RecordHeaders } from '../../wire/records/index.ts';
import type { Cluster, TopicInfo } from '../cluster.ts';
import { type Partitioner, partitioners } from '../partitioners.ts';
import { Sender } from './sender.ts';
import { type Acknowledge, type Acknowledgement, PartitionWindow, ProducedBatch } from './window.ts';

export interface ProducerSettings {
  readonly acks: 0 | 1 | -1;
  readonly lingerMs: number;
  readonly batchBytes: number;
  readonly codec: CodecName;
  readonly deliveryTimeoutMs: number;
  readonly memoryBytesMax: number;
  readonly isIdempotent: boolean;
  /** Batches of a partition under way at a time, 1 to 5. */
  readonly batchesUnderwayMax: number;
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
  batchesUnderwayMax: 5,
  partitioner: 'consistent_random',
  canCreateTopics: true,
};

/** Room of a new batch; it grows to what is needed. */
const FIRST_BYTES = 65_536;

/** The open batch of a partition, in front of its window. */
interface Gathering {
  readonly window: PartitionWindow;
  builder: RecordBatchBuilder | undefined;
  acknowledgements: Acknowledgement[];
  heldBytes: number;
  bornMs: number;
  linger: Timer | undefined;
}

export class Producer {
  private readonly io: Io;
  private readonly cluster: Cluster;
  private readonly settings: ProducerSettings;
  private readonly sender: Sender;
  private readonly gatherings = new Map<string, Gathering[]>();
  private readonly partitioner: Partitioner;
  private readonly topics = new Map<string, TopicInfo>();
  private heldBytes = 0;
  private openBatches = 0;
  private writable: (() => void)[] = [];
  private idle: (() => void)[] = [];

  constructor(cluster: Cluster, settings: Partial<ProducerSettings> = {}) {
    this.io = cluster.io;
    this.cluster = cluster;
    this.settings = { ...PRODUCER_DEFAULTS, ...settings };
    this.sender = new Sender(cluster, { ...this.settings, requestBytesMax: this.settings.batchBytes });
    this.partitioner = partitioners[this.settings.partitioner](this.io.random);
  }

  /** Tries after failures so far. */
  get retries(): number {
    return this.sender.retries;
  }

  /** Makes the topic known; needed before `append` chooses partitions by itself. */
  async prepare(topic: string): Promise<TopicInfo> {
    const info = await this.cluster.topic(topic, this.settings.canCreateTopics);
    this.topics.set(topic, info);
    return info;
  }

  /**
   * Takes a record of a prepared topic; `partition` undefined lets the partitioner choose. `done` gets `tag` back, together
   * with those of the other records that were given with the same `done` and share the batch.
   * False: the memory bound is reached, wait for `whenWritable` before the next.
   */
  append(
    topic: string,
    partition: number | undefined,
    record: {
      readonly key: Uint8Array | null;
      readonly value: Uint8Array | null;
      readonly headers?: RecordHeaders | undefined;
      readonly timestampMs?: number | undefined;
    },
    done: Acknowledge,
    tag = 0,
  ): boolean {
    const { headers, key, value } = record;
    const count = this.topics.get(topic)?.leaders.length ?? 1;
    const gathering = this.gatheringOf(topic, partition ?? this.partitioner(key, count));
    const size = RecordBatchBuilder.estimate(key, value, headers);
    if (gathering.builder && gathering.builder.sizeBytes + size > this.settings.batchBytes) this.seal(gathering);
    const builder = gathering.builder ?? this.open(gathering);
    builder.append(record.timestampMs ?? this.io.clock.now(), key, value, headers);
    const last = gathering.acknowledgements[gathering.acknowledgements.length - 1];
    if (last?.done === done) last.tags.push(tag);
    else gathering.acknowledgements.push({ done, tags: [tag] });
    gathering.heldBytes += size;
    this.heldBytes += size;
    if (builder.sizeBytes >= this.settings.batchBytes) this.seal(gathering);
    return this.heldBytes < this.settings.memoryBytesMax;
  }

  /** Resolves when the record is acknowledged. */
  send(topic: string, partition: number | undefined, key: Uint8Array | null, value: Uint8Array | null): Promise<void> {
    return new Promise((resolve, reject) => {
      this.append(topic, partition, { key, value }, (_tags, error) => (error ? reject(error) : resolve()));
    });
  }

  /**
   * A finished batch as it is: producer id, epoch, sequence and checksum are written into `bytes`, nothing else is touched
   * or copied. Resolves when it is acknowledged.
   */
  sendRecordBatch(topic: string, partition: number, bytes: Uint8Array): Promise<void> {
    const gathering = this.gatheringOf(topic, partition);
    this.seal(gathering);
    return new Promise((resolve, reject) => {
      const done: Acknowledge = (_tags, error) => (error ? reject(error) : resolve());
      this.openBatches++;
      this.heldBytes += bytes.length;
      const { recordCount } = new BatchHeader(bytes);
      const born = this.io.clock.monotonic();
      gathering.window.push(new ProducedBatch(bytes, recordCount, [{ done, tags: [0] }], born, bytes.length));
      this.sender.wake(gathering.window);
    });
  }

  whenWritable(callback: () => void): void {
    if (this.heldBytes < this.settings.memoryBytesMax) callback();
    else this.writable.push(callback);
  }

  /** Sends everything now; resolves when all is settled. */
  flush(): Promise<void> {
    for (const partitions of this.gatherings.values())
      for (const gathering of partitions) if (gathering) this.seal(gathering);
    if (this.openBatches === 0) return Promise.resolve();
    return new Promise(resolve => this.idle.push(resolve));
  }

  close(): Promise<void> {
    return this.flush();
  }

  private gatheringOf(topic: string, partition: number): Gathering {
    let partitions = this.gatherings.get(topic);
    if (!partitions) this.gatherings.set(topic, (partitions = []));
    return (partitions[partition] ??= {
      window: new PartitionWindow(
        topic,
        partition,
        this.settings.isIdempotent && this.settings.acks === -1 ? this.settings.batchesUnderwayMax : 1,
        (batch, error) => this.settle(batch, error),
      ),
      builder: undefined,
      acknowledgements: [],
      heldBytes: 0,
      bornMs: 0,
      linger: undefined,
    });
  }

  private open(gathering: Gathering): RecordBatchBuilder {
    this.openBatches++;
    gathering.builder = new RecordBatchBuilder(Math.min(this.settings.batchBytes, FIRST_BYTES));
    gathering.bornMs = this.io.clock.monotonic();
    gathering.linger = this.io.clock.after(this.settings.lingerMs, () => this.seal(gathering));
    return gathering.builder;
  }

  private seal(gathering: Gathering): void {
    const { acknowledgements, bornMs, builder, heldBytes, window } = gathering;
    if (!builder) return;
    gathering.linger?.cancel();
    gathering.linger = undefined;
    gathering.builder = undefined;
    gathering.acknowledgements = [];
    gathering.heldBytes = 0;
    const bytes = builder.finish({ codec: this.settings.codec, isSealed: false });
    window.push(new ProducedBatch(bytes, builder.recordCount, acknowledgements, bornMs, heldBytes));
    this.sender.wake(window);
  }

  private settle(batch: ProducedBatch, error: Error | undefined): void {
    this.openBatches--;
    this.heldBytes -= batch.heldBytes;
    for (const { done, tags } of batch.acknowledgements) done(tags, error);
    if (this.heldBytes < this.settings.memoryBytesMax) for (const wake of this.writable.splice(0)) wake();
    if (this.openBatches === 0) for (const wake of this.idle.splice(0)) wake();
  }
}
