/** Clients of each kind: producers with and without sequences, members of a group, readers of partitions given to them. */
import type { Io } from '../../src/base/index.ts';
import {
  Admin,
  canPass,
  Consumer,
  type FetchedBatches,
  FROM_START,
  GROUP_DEFAULTS,
  GroupMember,
  Producer,
} from '../../src/client/index.ts';
import { RecordCursor } from '../../src/wire/records/index.ts';
import { Actor, GROUPS, INPUT, PARTITIONS, type Run } from './run.ts';

const CODECS = ['none', 'none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

/** Sends numbered values to all partitions until it is quiet. One with sequences is named `i…`. */
export class ProducerActor extends Actor {
  private readonly topic: string;
  private readonly isIdempotent: boolean;
  /** Now and then a value that needs the broker's memory. */
  private readonly isBulky: boolean;
  private producer!: Producer;
  private open = 0;
  private number = 0;

  constructor(
    run: Run,
    name: string,
    options: { readonly isIdempotent: boolean; readonly isBulky: boolean; readonly topic?: string },
  ) {
    super(run, name);
    this.topic = options.topic ?? INPUT;
    this.isIdempotent = options.isIdempotent;
    this.isBulky = options.isBulky;
  }

  get isDone(): boolean {
    return this.run.isQuiet && this.open === 0;
  }

  protected begin(io: Io): void {
    this.open = 0;
    this.number = 0;
    this.producer = new Producer(this.cluster, {
      lingerMs: 2,
      batchBytes: this.isBulky ? 40_000 : 400,
      codec: CODECS[this.run.world.random.below(CODECS.length)]!,
      isIdempotent: this.isIdempotent,
      ...(this.isIdempotent && this.run.plant.producer),
    });
    this.more(io);
  }

  protected close(): Promise<void> {
    return this.producer.close();
  }

  protected override died(): void {
    this.run.checks.abandoned(`${this.name}.${this.lives}`);
    this.open = 0;
  }

  private more(io: Io): void {
    const { checks, isQuiet, world } = this.run;
    if (isQuiet) return;
    const { machine, name, producer } = this;
    for (let i = world.random.below(4); i >= 0; i--) {
      const partition = world.random.below(PARTITIONS);
      const padding = this.isBulky ? '.'.repeat(world.random.below(20_000)) : '';
      const value = `${name}.${this.lives}:${partition}:${this.number++}`;
      this.open++;
      if (this.topic === INPUT) checks.sent(value);
      producer.append(
        this.topic,
        partition,
        { key: null, value: Buffer.from(`${value} ${padding}`) },
        (_tags, error) => {
          if (machine !== this.machine) return;
          this.open--;
          if (!error && this.topic === INPUT) checks.acknowledged(value);
        },
      );
    }
    io.clock.after(20 + world.random.float() * 60, () => this.more(io));
  }
}

/** Reads a topic's partitions from their beginnings on, all the time. */
export class ReaderActor extends Actor {
  private readonly topic: string;
  private readonly readsCommitted: boolean;
  private consumer!: Consumer;
  private reading: Promise<void> = Promise.resolve();

  constructor(run: Run, name: string, readsCommitted: boolean, topic: string = INPUT) {
    super(run, name);
    this.topic = topic;
    this.readsCommitted = readsCommitted;
  }

  get isDone(): boolean {
    return this.run.isQuiet && this.consumer.isAtEnd;
  }

  protected begin(): void {
    const { readsCommitted } = this;
    this.consumer = new Consumer(this.cluster, { maxWaitMs: 200, readsCommitted });
    this.consumer.assign(partitions().map(partition => ({ topic: this.topic, partition, offset: FROM_START })));
    this.reading = this.read();
  }

  protected async close(): Promise<void> {
    this.consumer.close();
    await this.reading;
  }

  private async read(): Promise<void> {
    const { consumer, machine } = this;
    const { checks } = this.run;
    const session = `${this.name}.${this.lives}`;
    while (!machine.isDead) {
      let fetched: FetchedBatches[];
      try {
        fetched = await consumer.poll();
      } catch (error) {
        if (isClosed(error)) return;
        // Damage that is told: whoever watches over the process starts it anew.
        this.run.note('reader failed');
        checks.refusal(error);
        this.again(500);
        return;
      }
      for (const piece of fetched) {
        checks.polled(session, piece, recordsOf(piece));
        piece.owner?.release();
      }
    }
  }
}

/** A member of the group of readers: what it has processed it commits. */
export class MemberActor extends Actor {
  private consumer!: Consumer;
  private member!: GroupMember;
  private reading: Promise<void> = Promise.resolve();
  /** Where to go on, of the partitions that are ours. */
  private readonly positions = new Map<number, number | undefined>();
  private isEnding = false;

  get isDone(): boolean {
    return true;
  }

  protected begin(io: Io): void {
    this.positions.clear();
    this.isEnding = false;
    const consumer = new Consumer(this.cluster, { maxWaitMs: 200 });
    this.consumer = consumer;
    this.member = new GroupMember(
      this.cluster,
      {
        ...GROUP_DEFAULTS,
        groupId: GROUPS.readers,
        topics: [INPUT],
        sessionTimeoutMs: 6_000,
        heartbeatMs: 500,
        rebalanceTimeoutMs: 10_000,
      },
      {
        onAssign: offsets => {
          this.positions.clear();
          for (const { partition } of offsets) this.positions.set(partition, undefined);
          consumer.assign(offsets.map(place => ({ ...place, offset: place.offset < 0 ? FROM_START : place.offset })));
        },
        onRevoke: async isLost => {
          consumer.assign([]);
          if (!isLost) await this.commit();
          this.positions.clear();
        },
        onFailure: error => this.failed(error),
      },
    );
    this.member.start().catch((error: unknown) => this.failed(error));
    this.reading = this.read();
    this.commitLater(io);
  }

  protected async close(): Promise<void> {
    this.isEnding = true;
    await this.commit();
    await this.member.close();
    this.consumer.close();
    await this.reading;
  }

  private failed(error: unknown): void {
    if (this.isEnding || isClosed(error)) return;
    this.run.note('member failed');
    // A group that cannot be joined at first is told as it is.
    if (!canPass(error)) this.run.checks.refusal(error);
    this.again(500);
  }

  private async read(): Promise<void> {
    const { consumer, machine } = this;
    while (!machine.isDead) {
      let fetched: FetchedBatches[];
      try {
        fetched = await consumer.poll();
      } catch (error) {
        this.failed(error);
        return;
      }
      for (const piece of fetched) {
        const records = recordsOf(piece);
        piece.owner?.release();
        if (!this.positions.has(piece.partition)) continue;
        this.run.checks.processed(GROUPS.readers, piece.partition, piece.fromOffset, piece.nextOffset, records);
        this.positions.set(piece.partition, piece.nextOffset);
      }
    }
  }

  private commitLater(io: Io): void {
    io.clock.after(100 + this.run.world.random.float() * 200, () => {
      if (this.isEnding) return;
      const again = (): void => this.commitLater(io);
      void this.commit().then(again, again);
    });
  }

  /** What it is refused with shows in what is committed. */
  private async commit(): Promise<void> {
    const offsets = [...this.positions].flatMap(([partition, offset]) =>
      offset === undefined ? [] : [{ topic: INPUT, partition, offset }],
    );
    try {
      await this.member.commit(offsets);
    } catch {
      this.run.note('commit refused');
    }
  }
}

export function partitions(): number[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => partition);
}

/** Offset and value of each record that was asked for; a value without what it is padded with. */
export function recordsOf({ batches, fromOffset }: Pick<FetchedBatches, 'batches' | 'fromOffset'>): [number, string][] {
  const records: [number, string][] = [];
  const cursor = new RecordCursor();
  for (const batch of batches) {
    cursor.open(batch);
    while (cursor.advance()) if (cursor.offset >= fromOffset) records.push([cursor.offset, valueOf(cursor.value!)]);
  }
  return records;
}

export function valueOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString();
  const end = text.indexOf(' ');
  return end < 0 ? text : text.slice(0, end);
}

function isClosed(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'MR4208';
}

/** Makes topics, writes into them, reads them back and deletes them: again and again under the same few names. */
export class ChurnActor extends Actor {
  private round = 0;
  private isIdle = true;
  private producer: Producer | undefined;

  get isDone(): boolean {
    return this.run.isQuiet && this.isIdle;
  }

  protected begin(): void {
    void this.loop();
  }

  protected async close(): Promise<void> {
    await this.producer?.close();
  }

  protected override died(): void {
    this.isIdle = true;
    this.producer = undefined;
  }

  private async loop(): Promise<void> {
    const { cluster, machine } = this;
    const { world } = this.run;
    this.isIdle = false;
    while (!machine.isDead && !this.run.isQuiet) {
      try {
        await this.once(new Admin(cluster), `churn-${this.round++ % 2}`);
      } catch (error) {
        // A request of before that came late may have taken the topic away.
        if (!canPass(error)) this.run.note('topic given up');
      }
      await cluster.sleep(world.random.float() * 500);
    }
    if (!machine.isDead) this.isIdle = true;
  }

  private async once(admin: Admin, topic: string): Promise<void> {
    const { checks, world } = this.run;
    const began = world.time;
    // Whatever an earlier round, or an earlier life, has left behind.
    await this.until(() => admin.deleteTopic(topic), 'UNKNOWN_TOPIC_OR_PARTITION');
    await this.until(() => admin.createTopic(topic, 1), 'TOPIC_ALREADY_EXISTS');
    const producer = new Producer(this.cluster, { lingerMs: 2, batchBytes: 200 });
    this.producer = producer;
    const prefix = `${this.name}.${this.lives}.${this.round}`;
    const sent = Array.from({ length: 1 + world.random.below(20) }, (_, i) => `${prefix}:${i}`);
    await Promise.all(sent.map(value => producer.send(topic, 0, null, Buffer.from(value))));
    const found = await this.readBack(topic);
    const isSame = found.join() === sent.join();
    if (!isSame && !checks.wasLateSince(began))
      checks.fail(`I11: ${topic} has ${found.join(', ')}, not ${sent[0]} to ${sent.at(-1)}`);
  }

  private async readBack(topic: string): Promise<string[]> {
    const found: string[] = [];
    const consumer = new Consumer(this.cluster, { maxWaitMs: 200 });
    consumer.assign([{ topic, partition: 0, offset: FROM_START }]);
    try {
      do {
        for (const piece of await consumer.poll()) {
          found.push(...recordsOf(piece).map(([, value]) => value));
          piece.owner?.release();
        }
      } while (!consumer.isAtEnd);
    } finally {
      consumer.close();
    }
    return found;
  }

  /** Tries until it is done, or was done by a try whose answer was lost. */
  private async until(attempt: () => Promise<unknown>, done: string): Promise<void> {
    for (;;) {
      try {
        await attempt();
        return;
      } catch (error) {
        if (String(error).includes(done)) return;
        if (!canPass(error)) throw error;
        await this.cluster.sleep(100 + this.run.world.random.float() * 300);
      }
    }
  }
}
