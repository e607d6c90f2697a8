/**
 * Producer: records gather in a batch a partition; sealed batches go through their partition's window to the leader.
 *
 *   append ─► open batch ─(full, or linger over)─► window (`window.ts`) ─► request (`sender.ts`) ─► acknowledged | given up
 *
 * Records cost no object and no closure of their own here: a batch keeps the tags of its records, by the function to tell.
 *
 * Invariants
 * I1 batches of a partition are acknowledged in the order of their records. Idempotence keeps that with five batches
 *    under way; without it one is.
 * I2 `append` says when the memory bound is reached; nothing is dropped but by a fatal answer or the delivery timeout,
 *    and both are reported.
 */
import type { Io, Timer } from '../../base/index.ts';
import {
  ATTRIBUTE,
  BatchHeader,
  type CodecName,
  RecordBatchBuilder,
  type RecordHeaders,
} from '../../wire/records/index.ts';
import type { Cluster, TopicInfo } from '../cluster.ts';
import { clientErrors } from '../errors.ts';
import { type Partitioner, partitioners } from '../partitioners.ts';
import { type Acknowledge, type Acknowledgement, ProducedBatch } from './batch.ts';
import { Sender } from './sender.ts';
import { PartitionWindow } from './window.ts';

export interface ProducerSettings {
  readonly acks: 0 | 1 | -1;
  readonly lingerMs: number;
  readonly batchBytes: number;
  readonly codec: CodecName;
  readonly deliveryTimeoutMs: number;
  /** How long the broker may wait for its replicas. */
  readonly acknowledgeTimeoutMs: number;
  readonly memoryBytesMax: number;
  readonly isIdempotent: boolean;
  /** Batches of a partition under way at a time, 1 to 5. */
  readonly batchesUnderwayMax: number;
  readonly partitioner: keyof typeof partitioners;
  readonly canCreateTopics: boolean;
  /** Told of records that are sent again. */
  readonly onRetry?: (records: number) => void;
}

export const PRODUCER_DEFAULTS: ProducerSettings = {
  acks: -1,
  lingerMs: 5,
  batchBytes: 1_000_000,
  codec: 'none',
  deliveryTimeoutMs: 120_000,
  acknowledgeTimeoutMs: 30_000,
  memoryBytesMax: 64 * 1024 * 1024,
  isIdempotent: true,
  batchesUnderwayMax: 5,
  partitioner: 'consistent_random',
  canCreateTopics: true,
};

/** Room of the first batch of a partition; later ones begin with what the last one took, and all grow. */
const FIRST_BYTES = 4_096;
/** Where the low byte of a batch's attributes stands. */
const ATTRIBUTES_AT = 22;

/** The open batch of a partition, in front of its window. */
interface Gathering {
  readonly window: PartitionWindow;
  builder: RecordBatchBuilder | undefined;
  acknowledgements: Acknowledgement[];
  heldBytes: number;
  bornMs: number;
  /** What the last batch took. */
  usualBytes: number;
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
  private openRecords = 0;
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
    const batchBytes = Math.min(this.settings.batchBytes, gathering.window.batchBytesMax);
    if (gathering.builder && gathering.builder.sizeBytes + size > batchBytes) this.seal(gathering);
    const builder = gathering.builder ?? this.open(gathering);
    builder.append(record.timestampMs ?? this.io.clock.now(), key, value, headers);
    const last = gathering.acknowledgements[gathering.acknowledgements.length - 1];
    if (last?.done === done) last.tags.push(tag);
    else gathering.acknowledgements.push({ done, tags: [tag] });
    gathering.heldBytes += size;
    this.heldBytes += size;
    this.openRecords++;
    if (builder.sizeBytes >= batchBytes) this.seal(gathering);
    return this.hasRoom;
  }

  /** Resolves when the record is acknowledged. */
  send(topic: string, partition: number | undefined, key: Uint8Array | null, value: Uint8Array | null): Promise<void> {
    return new Promise((resolve, reject) => {
      this.append(topic, partition, { key, value }, (_tags, error) => (error ? reject(error) : resolve()));
    });
  }

  /**
   * A finished batch as it is, for a topic whose partitions are known: producer id, epoch, sequence and checksum are written
   * into `bytes`, marks of the cluster that it comes from are taken off, nothing else is touched or copied. Resolves when it
   * is acknowledged; the bytes are the producer's until then. Who sends many waits for `whenWritable` in between.
   */
  sendRecordBatch(topic: string, partition: number, bytes: Uint8Array): Promise<void> {
    const header = new BatchHeader(bytes);
    const reason = whyNotForwarded(header, bytes);
    if (reason !== undefined) return Promise.reject(clientErrors.notForwarded({ topic, partition, reason }));
    bytes[ATTRIBUTES_AT]! &= ~(ATTRIBUTE.transactional | ATTRIBUTE.logAppendTime);
    const gathering = this.gatheringOf(topic, partition);
    this.seal(gathering);
    return new Promise((resolve, reject) => {
      const done: Acknowledge = (_tags, error) => (error ? reject(error) : resolve());
      const { recordCount } = header;
      this.openRecords += recordCount;
      this.heldBytes += bytes.length;
      const born = this.io.clock.monotonic();
      this.sender.push(
        gathering.window,
        new ProducedBatch(bytes, recordCount, [{ done, tags: [0] }], born, bytes.length),
      );
    });
  }

  get hasRoom(): boolean {
    return this.heldBytes < this.settings.memoryBytesMax;
  }

  whenWritable(callback: () => void): void {
    if (this.hasRoom) callback();
    else this.writable.push(callback);
  }

  /** Sends everything now; resolves when all is settled. */
  flush(): Promise<void> {
    for (const partitions of this.gatherings.values())
      for (const gathering of partitions) if (gathering) this.seal(gathering);
    if (this.openRecords === 0) return Promise.resolve();
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
      usualBytes: FIRST_BYTES,
      linger: undefined,
    });
  }

  private open(gathering: Gathering): RecordBatchBuilder {
    const { window } = gathering;
    gathering.builder = new RecordBatchBuilder(gathering.usualBytes);
    gathering.bornMs = this.io.clock.monotonic();
    gathering.linger = this.io.clock.after(this.settings.lingerMs, () => this.seal(gathering));
    // The topic may have got more partitions meanwhile.
    const info = this.cluster.known(window.topic);
    if (info) this.topics.set(window.topic, info);
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
    gathering.usualBytes = Math.max(FIRST_BYTES, builder.sizeBytes);
    const bytes = builder.finish({ codec: this.settings.codec, isSealed: false });
    this.sender.push(window, new ProducedBatch(bytes, builder.recordCount, acknowledgements, bornMs, heldBytes));
  }

  private settle(batch: ProducedBatch, error: Error | undefined): void {
    this.openRecords -= batch.recordCount;
    this.heldBytes -= batch.heldBytes;
    for (const { done, tags } of batch.acknowledgements) done(tags, error);
    if (this.hasRoom) for (const wake of this.writable.splice(0)) wake();
    if (this.openRecords === 0) for (const wake of this.idle.splice(0)) wake();
  }
}

/** What no broker takes from a producer. */
function whyNotForwarded(header: BatchHeader, bytes: Uint8Array): string | undefined {
  if (bytes.length <= ATTRIBUTES_AT || header.magic !== 2) return 'it is not of message format 2';
  if (!header.fits() || header.sizeBytes !== bytes.length) return 'it is not one whole batch';
  if (header.isControl) return 'it is a control batch';
  if (header.recordCount < 1) return 'it holds no record';
  if (header.lastOffsetDelta !== header.recordCount - 1) return 'compaction has left gaps in it';
  return undefined;
}
