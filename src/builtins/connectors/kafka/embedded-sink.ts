/**
 * Into the embedded log: finished record batches, answered when they are synced. The process judges them by the rules that
 * a producer's batches are judged by, and says what is wrong with one that it does not take.
 *
 * Invariants
 * I1 an outage (full disk, the process away, a topic that is to be made) holds: `write` waits and tries again, which slows the
 *    source down. Only what is wrong with a record itself makes it a dead letter: a batch that is refused is halved until
 *    the record is found.
 * I2 batches of a partition are appended one after the other, in the order of their rows.
 * I3 records without a key fill one batch after another, and each goes to the next partition.
 */
import { messageOf } from '../../../base/index.ts';
import { type Partitioner, partitioners, type ProducerSettings } from '../../../client/index.ts';
import type { Batch, Delivery, EmbeddedLog, Sink, SinkHealth, StageContext } from '../../../sdk/index.ts';
import { RecordBatchBuilder } from '../../../wire/records/index.ts';
import { kafkaNotices } from './errors.ts';
import { emptyOutgoing, type Outgoing, SKIPPED } from './outgoing.ts';
import { Outage, type SinkSettings } from './sink-parts.ts';

export type EmbeddedSettings = SinkSettings &
  Pick<ProducerSettings, 'batchBytes' | 'canCreateTopics' | 'codec' | 'partitioner'>;

/** How often it is looked whether a topic has more partitions. */
const REFRESH_MS = 1_000;
/** Below the default of `max.message.bytes`. */
const BATCH_BYTES_MAX = 900_000;
/** Of records without a key. */
const ANY = -1;

interface Target {
  readonly topic: string;
  partitions: number;
  askedMs: number;
  turn: number;
}

/** Rows that share a batch. */
interface Filling {
  readonly target: Target;
  /** `ANY` until it is appended. */
  readonly partition: number;
  readonly builder: RecordBatchBuilder;
  readonly rows: number[];
}

export class EmbeddedSink implements Sink {
  readonly endpoint = 'the embedded log';
  private readonly context: StageContext;
  private readonly log: EmbeddedLog;
  private readonly settings: EmbeddedSettings;
  private readonly partitionOf: Partitioner;
  private readonly batchBytes: number;
  private readonly targets = new Map<string, Target>();
  private readonly outage: Outage;
  private isAborted = false;

  constructor(context: StageContext, log: EmbeddedLog, settings: EmbeddedSettings) {
    this.context = context;
    this.log = log;
    this.settings = settings;
    this.partitionOf = partitioners[settings.partitioner](context.io.random);
    this.batchBytes = Math.min(settings.batchBytes, BATCH_BYTES_MAX);
    this.outage = new Outage(context.io.clock);
  }

  async write(batch: Batch, delivery: Delivery): Promise<void> {
    const fillings = new Map<Target, Map<number, Filling>>();
    const record = emptyOutgoing();
    for (let row = 0; row < batch.count && !this.isAborted; row++) {
      const failure = this.settings.recordOf(record, batch, row);
      if (failure === SKIPPED) delivery.skipped(1);
      else if (failure) delivery.deadLetter(row, failure);
      else {
        const target = this.fresh(record.topic) ?? (await this.find(record.topic, row, delivery));
        if (target) await this.add(record, row, target, fillings, { batch, delivery });
      }
    }
    for (const partitions of fillings.values())
      for (const filling of partitions.values()) await this.append(filling, { batch, delivery });
  }

  ready(): void | Promise<void> {
    if (!this.outage.isOver && !this.outage.isDue) return this.outage.look();
  }

  flush(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }

  abort(): void {
    this.isAborted = true;
    this.outage.abort();
  }

  health(): SinkHealth {
    return this.outage.health();
  }

  private fresh(topic: string): Target | undefined {
    const target = this.targets.get(topic);
    return target && this.context.io.clock.monotonic() - target.askedMs < REFRESH_MS ? target : undefined;
  }

  /** Undefined: the row is settled, there is no such topic. */
  private async find(topic: string, row: number, delivery: Delivery): Promise<Target | undefined> {
    while (!this.isAborted) {
      let reason: string;
      try {
        const found = await this.log.partitionsFor(topic, this.settings.canCreateTopics);
        if (typeof found === 'number') return this.remember(topic, found);
        reason = found;
        if (this.settings.topicsVary) {
          delivery.deadLetter(row, { code: kafkaNotices.undeliverable, message: reason });
          return undefined;
        }
      } catch (error) {
        reason = messageOf(error);
      }
      if (delivery.canReturn) {
        this.tell(reason);
        delivery.returnRows([row]);
        return undefined;
      }
      await this.hold(reason, 1);
    }
    return undefined;
  }

  private remember(topic: string, partitions: number): Target {
    const now = this.context.io.clock.monotonic();
    let target = this.targets.get(topic);
    if (!target) {
      target = { topic, partitions, askedMs: now, turn: Math.floor(this.context.io.random.float() * partitions) };
      if (this.targets.size >= 10_000) this.targets.clear();
      this.targets.set(topic, target);
    }
    target.partitions = partitions;
    target.askedMs = now;
    return target;
  }

  private async add(
    record: Outgoing,
    row: number,
    target: Target,
    fillings: Map<Target, Map<number, Filling>>,
    whole: { readonly batch: Batch; readonly delivery: Delivery },
  ): Promise<void> {
    const { key } = record;
    const partition = record.partition ?? (key === null ? ANY : this.partitionOf(key, target.partitions));
    if (partition >= target.partitions) {
      const message = `topic ${target.topic} has no partition ${partition}, it has ${target.partitions}`;
      whole.delivery.deadLetter(row, { code: kafkaNotices.undeliverable, message });
      return;
    }
    let ofTopic = fillings.get(target);
    if (!ofTopic) fillings.set(target, (ofTopic = new Map()));
    let filling = ofTopic.get(partition);
    const size = RecordBatchBuilder.estimate(key, record.value, record.headers);
    if (filling && filling.builder.sizeBytes + size > this.batchBytes) {
      ofTopic.delete(partition);
      await this.append(filling, whole);
      filling = undefined;
    }
    if (!filling)
      ofTopic.set(partition, (filling = { target, partition, builder: new RecordBatchBuilder(), rows: [] }));
    this.put(filling, record, row);
  }

  private put(filling: Filling, record: Outgoing, row: number): void {
    const timestampMs = record.timestampMs ?? this.context.io.clock.now();
    filling.builder.append(timestampMs, record.key, record.value, record.headers);
    filling.rows.push(row);
  }

  private async append(filling: Filling, whole: { readonly batch: Batch; readonly delivery: Delivery }): Promise<void> {
    const { builder, rows, target } = filling;
    const { delivery } = whole;
    const bytes = builder.finish({ codec: this.settings.codec });
    const partition = filling.partition === ANY ? target.turn++ % target.partitions : filling.partition;
    while (!this.isAborted) {
      try {
        const refusal = await this.log.append(target.topic, partition, bytes);
        this.outage.ended();
        if (refusal === undefined) delivery.delivered(rows.length);
        else if (rows.length > 1) await this.halve({ ...filling, partition }, whole);
        else delivery.deadLetter(rows[0]!, { code: kafkaNotices.undeliverable, message: refusal });
        return;
      } catch (error) {
        if (delivery.canReturn) {
          this.tell(messageOf(error));
          this.context.count('possible_duplicates', rows.length);
          delivery.returnRows(rows);
          return;
        }
        await this.hold(messageOf(error), rows.length);
        await this.findAgain(target);
      }
    }
  }

  /** The topic may have been deleted meanwhile, and is then made anew; what cannot be asked shows itself at the next try. */
  private async findAgain(target: Target): Promise<void> {
    if (this.isAborted) return;
    try {
      const found = await this.log.partitionsFor(target.topic, this.settings.canCreateTopics);
      if (typeof found === 'number') target.partitions = found;
    } catch (error) {
      this.tell(messageOf(error));
    }
  }

  private async halve(
    { partition, rows, target }: Filling,
    whole: { readonly batch: Batch; readonly delivery: Delivery },
  ): Promise<void> {
    const middle = Math.ceil(rows.length / 2);
    const record = emptyOutgoing();
    for (const half of [rows.slice(0, middle), rows.slice(middle)]) {
      const filling: Filling = { target, partition, builder: new RecordBatchBuilder(), rows: [] };
      for (const row of half) {
        this.settings.recordOf(record, whole.batch, row);
        this.put(filling, record, row);
      }
      await this.append(filling, whole);
    }
  }

  private async hold(reason: string, rows: number): Promise<void> {
    this.tell(reason);
    this.context.count('retried', rows);
    await this.outage.wait();
  }

  private tell(reason: string): void {
    if (!this.outage.began(reason)) return;
    const message = 'the embedded log takes no records at the moment: they are held and tried again';
    this.context.countError('unavailable');
    this.context.warn({ code: kafkaNotices.held, message, notes: [reason], span: this.context.span });
  }
}
