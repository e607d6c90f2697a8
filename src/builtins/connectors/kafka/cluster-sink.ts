/**
 * Into a cluster. A row is delivered when the brokers have acknowledged it.
 *
 *   write ─► producer ─┬─► delivered
 *      ▲               ├─(record refused)─► alone ─┬─► delivered
 *      │               │                           └─► dead letter
 *      └── again ◄─────┴─(cluster's fault)
 *
 * Invariants
 * I1 what is the cluster's fault (nobody answers, no right, no leader) holds: the rows stay, the producer fills, `write`
 *    waits, and the source is slowed down. In a balance they are given back for another endpoint. Only who sets
 *    `delivery.timeout.ms` has them given up after that time.
 * I2 only the record that a broker refuses becomes a dead letter: rows of a refused batch are sent one by one.
 * I3 while rows are sent again nothing new is taken.
 */
import { MillraceError, messageOf } from '../../../base/index.ts';
import { type ClientSettings, type Cluster, clientErrors, makeCluster, Producer } from '../../../client/index.ts';
import type { Batch, Delivery, Sink, SinkHealth, StageContext } from '../../../sdk/index.ts';
import { kafkaNotices } from './errors.ts';
import { emptyOutgoing, SKIPPED } from './outgoing.ts';
import { Outage, type SinkSettings } from './sink-parts.ts';

/** The longest time that a timer takes: 24 days, after which rows are sent again. */
const FOREVER_MS = 2 ** 31 - 1;
/** In a balance: others can take the rows. */
const BALANCED_MS = 10_000;
/** Asking for a topic that is not there takes seconds, in which nothing is written. */
const BARRED_MS = 30_000;
const TOPICS_MAX = 10_000;

/** What brokers say of a record. */
const OF_RECORDS: ReadonlySet<unknown> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
]);
/** What they say of a topic: an event's fault where events name topics. */
const OF_TOPICS: ReadonlySet<unknown> = new Set([
  'INVALID_TOPIC_EXCEPTION',
  'TOPIC_AUTHORIZATION_FAILED',
  'POLICY_VIOLATION',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);

export interface ClusterSinkSettings extends SinkSettings {
  readonly client: ClientSettings;
  /** `delivery.timeout.ms` was set. */
  readonly givesUp: boolean;
}

interface Written {
  readonly batch: Batch;
  readonly delivery: Delivery;
}

export class ClusterSink implements Sink {
  readonly endpoint: string;
  private readonly context: StageContext;
  private readonly settings: ClusterSinkSettings;
  private readonly cluster: Cluster;
  private readonly outage: Outage;
  private made: Producer | undefined;
  private readonly preparedMs = new Map<string, number>();
  /** Topics that events have named and that cannot be written: why, and until when that is believed. */
  private readonly barred = new Map<string, { readonly message: string; readonly untilMs: number }>();
  /** Rows that are sent again, one after the other. */
  private mending: Promise<void> = Promise.resolve();
  private mendings = 0;
  private isAborted = false;
  private wake: () => void = () => undefined;

  constructor(context: StageContext, settings: ClusterSinkSettings) {
    const { client } = settings;
    const report = (error: Error): void => this.tell(error);
    this.context = context;
    this.settings = settings;
    this.outage = new Outage(context.io.clock);
    this.cluster = makeCluster(context.io, { ...client, cluster: { ...client.cluster, report } });
    this.endpoint = client.cluster.bootstrap.map(({ host, port }) => `${host}:${port}`).join(',');
  }

  async write(batch: Batch, delivery: Delivery): Promise<void> {
    const rows = Uint32Array.from({ length: batch.count }, (_, row) => row);
    await this.send({ batch, delivery }, rows, false);
  }

  ready(): void | Promise<void> {
    const { outage } = this;
    if (outage.isOver || this.isAborted) return;
    // What the producer still holds tells when it is over; without any, a batch is the probe.
    if (this.mendings > 0 || !outage.isDue) return outage.look();
  }

  flush(): void {
    void this.made?.flush();
  }

  abort(): void {
    this.isAborted = true;
    this.outage.abort();
    this.wake();
    void this.cluster.close();
  }

  async close(): Promise<void> {
    do {
      await this.made?.flush();
      await this.mending;
    } while (this.mendings > 0 && !this.isAborted);
    await this.cluster.close();
  }

  health(): SinkHealth {
    return this.outage.health();
  }

  private producerFor(delivery: Delivery): Producer {
    const { client, givesUp } = this.settings;
    const { deliveryTimeoutMs } = client.producer;
    this.made ??= new Producer(this.cluster, {
      ...client.producer,
      deliveryTimeoutMs: givesUp ? deliveryTimeoutMs : delivery.canReturn ? BALANCED_MS : FOREVER_MS,
      onRetry: records => this.context.count('retried', records),
    });
    return this.made;
  }

  private async send(written: Written, rows: ArrayLike<number>, isMending: boolean): Promise<void> {
    const { batch, delivery } = written;
    const producer = this.producerFor(delivery);
    const record = emptyOutgoing();
    const done = (tags: readonly number[], error: Error | undefined): void => {
      if (!error) {
        this.outage.ended();
        delivery.delivered(tags.length);
      } else if (!this.isAborted) this.failed(written, tags, error);
    };
    for (let i = 0; i < rows.length && !this.isAborted; i++) {
      if (this.mendings > 0 && !isMending) await this.mending;
      const row = rows[i]!;
      const failure = this.settings.recordOf(record, batch, row);
      if (failure === SKIPPED) delivery.skipped(1);
      else if (failure) delivery.deadLetter(row, failure);
      else {
        if (!this.isPrepared(record.topic)) {
          const reason = await this.prepare(producer, record.topic, delivery);
          if (this.isAborted) return;
          if (reason === 'return') {
            delivery.returnRows(Array.from({ length: rows.length - i }, (_, j) => rows[i + j]!));
            return;
          }
          if (reason) {
            delivery.deadLetter(row, { code: kafkaNotices.undeliverable, message: reason.message });
            continue;
          }
        }
        const { partition } = record;
        const partitions = this.cluster.known(record.topic)?.leaders.length;
        if (partition !== undefined && partitions !== undefined && partition >= partitions) {
          const message = `topic ${record.topic} has no partition ${partition}, it has ${partitions}`;
          delivery.deadLetter(row, { code: kafkaNotices.undeliverable, message });
        } else if (!producer.append(record.topic, partition, record, done, row)) {
          await new Promise<void>(resolve => {
            this.wake = resolve;
            producer.whenWritable(resolve);
          });
        }
      }
    }
  }

  private isPrepared(topic: string): boolean {
    const preparedMs = this.preparedMs.get(topic);
    return (
      preparedMs !== undefined &&
      this.context.io.clock.monotonic() - preparedMs < this.settings.client.cluster.metadataMaxAgeMs
    );
  }

  /** Undefined when the topic's partitions are known; or what is wrong with it, or that another endpoint should have the rows. */
  private async prepare(
    producer: Producer,
    topic: string,
    delivery: Delivery,
  ): Promise<'return' | { readonly message: string } | undefined> {
    const { clock } = this.context.io;
    const barred = this.barred.get(topic);
    if (barred && clock.monotonic() < barred.untilMs) return barred;
    while (!this.isAborted) {
      try {
        await producer.prepare(topic);
        remember(this.preparedMs, topic, clock.monotonic());
        return undefined;
      } catch (error) {
        if (this.settings.topicsVary && isOfTopic(error)) {
          const found = { message: messageOf(error), untilMs: clock.monotonic() + BARRED_MS };
          remember(this.barred, topic, found);
          return found;
        }
        this.tell(error);
        if (delivery.canReturn) return 'return';
        this.context.count('retried', 1);
        await this.outage.wait();
      }
    }
    return undefined;
  }

  private failed(written: Written, rows: readonly number[], error: Error): void {
    const { delivery } = written;
    const isLate = error instanceof MillraceError && error.row === clientErrors.deliveryTimeout.row;
    const isFinal = isTooLarge(error) || (isLate && this.settings.givesUp && !delivery.canReturn);
    if (isFinal || (this.settings.topicsVary && isOfTopic(error))) refuse(written, rows, error);
    else if (isOf(error, OF_RECORDS)) this.mend(() => this.alone(written, rows));
    else {
      this.tell(error);
      if (delivery.canReturn) {
        this.context.count('possible_duplicates', rows.length);
        delivery.returnRows(rows);
        return;
      }
      this.context.count('retried', rows.length);
      this.mend(async () => {
        await this.outage.wait();
        await this.send(written, rows, true);
      });
    }
  }

  /** One record batch a row, so that the refused one is found. */
  private async alone(written: Written, rows: readonly number[]): Promise<void> {
    const { batch, delivery } = written;
    const producer = this.producerFor(delivery);
    const record = emptyOutgoing();
    await producer.flush();
    for (const row of rows) {
      if (this.isAborted) return;
      const failure = this.settings.recordOf(record, batch, row);
      if (failure) continue;
      let outcome: Error | undefined;
      producer.append(
        record.topic,
        record.partition,
        record,
        (_tags, error) => {
          outcome = error;
        },
        row,
      );
      await producer.flush();
      if (this.isAborted) return;
      if (!outcome) delivery.delivered(1);
      else if (isOf(outcome, OF_RECORDS)) refuse(written, [row], outcome);
      else this.failed(written, [row], outcome);
    }
  }

  private mend(work: () => Promise<void>): void {
    this.mendings++;
    this.mending = this.mending
      .then(() => (this.isAborted ? undefined : work()))
      .catch((error: unknown) => this.context.fail(error))
      .then(() => {
        this.mendings--;
      });
  }

  private tell(error: unknown): void {
    const reason = messageOf(error);
    if (this.isAborted || !this.outage.began(reason)) return;
    const message = 'the cluster takes no records at the moment: they are held and tried again';
    const notes = [reason];
    if (error instanceof MillraceError) notes.push(error.row.help.replace('{remedy}', String(error.details['remedy'])));
    this.context.countError('unavailable');
    this.context.warn({ code: kafkaNotices.held, message, notes, span: this.context.span });
  }
}

function remember<T>(topics: Map<string, T>, topic: string, value: T): void {
  if (topics.size >= TOPICS_MAX) topics.clear();
  topics.set(topic, value);
}

function refuse({ delivery }: Written, rows: readonly number[], error: Error): void {
  for (const row of rows) delivery.deadLetter(row, { code: kafkaNotices.undeliverable, message: error.message });
}

function isOf(error: unknown, names: ReadonlySet<unknown>): boolean {
  return error instanceof MillraceError && names.has(error.details['error']);
}

/** The client has halved its batch down to the record. */
function isTooLarge(error: Error): boolean {
  return isOf(error, new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']));
}

function isOfTopic(error: unknown): boolean {
  return (error instanceof MillraceError && error.row === clientErrors.unknownTopic.row) || isOf(error, OF_TOPICS);
}
