/**
 * The log as a model: what it must show, in maps and arrays, and random operations that are done to both.
 *
 * Operations are awaited one by one but for a burst, during which the machine may stop: then each of the burst is there or
 * is not, those of one partition in order and without a hole, and the model takes over what is there.
 */
import assert from 'node:assert/strict';
import { SeededRandom } from '../base/index.ts';
import { SimDisk } from '../testing/sim/disk.ts';
import { type ManualIo, settle } from '../testing/sim/manual-io.ts';
import { batchOf, recordsOf, type StoredRecord } from '../testing/sim/records.ts';
import { checkLog } from './check.ts';
import type { Log } from './log.ts';
import { DIRECTORY, openLog, simIo } from './log-cases.ts';
import type { Partition, Topic } from './partition.ts';

interface ModelPartition {
  start: number;
  records: StoredRecord[];
  /** When records without a time of their own were appended, by offset: not before this. */
  readonly appended: Map<number, number>;
  /** Sequence of the next batch and the last five batches, by producer id. */
  readonly producers: Map<number, ModelProducer>;
}

interface ModelProducer {
  epoch: number;
  next: number;
  recent: { readonly sequence: number; readonly values: readonly string[]; readonly baseOffset: number }[];
}

interface ModelTopic {
  readonly id: string;
  readonly partitions: ModelPartition[];
  configs: ReadonlyMap<string, string>;
}

/** A batch whose answer did not come. */
interface Unsure {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly { readonly time: number; readonly value: string }[];
  readonly producer: { readonly id: number; readonly sequence: number } | undefined;
  readonly sentMs: number;
}

const SETTINGS = { fileBytesMax: 2_500, indexBytesMax: 4_000, unlinkDelayMs: 60_000, reserveBytes: 3_000 };
const KEEP_ALL = new Map([['retention.ms', '-1']]);
const PRODUCERS = [11, 12];
const NO_TIME = -1;

export class ModelRun {
  /** For the report of a failure. */
  readonly trail: string[] = [];
  private readonly random: SeededRandom;
  private readonly disk = new SimDisk();
  private io: ManualIo;
  private log!: Log;
  private readonly topics = new Map<string, ModelTopic>();
  private readonly states = new Map<string, string>();
  private values = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.io = simIo(this.disk, seed);
  }

  async run(steps: number): Promise<void> {
    this.log = await openLog(this.io, SETTINGS);
    for (let i = 0; i < steps; i++) {
      const names = Object.keys(this.operations);
      const name = names[this.random.below(names.length)]!;
      this.trail.push(name);
      await this.operations[name]!();
      this.compare();
    }
    await this.reopen();
    assert.deepEqual(checkLog(this.disk, DIRECTORY).findings, []);
    await this.log.close();
  }

  private readonly operations: Readonly<Record<string, () => Promise<void>>> = {
    'create topic': () => this.createTopic(),
    'delete topic': () => this.deleteTopic(),
    'add partitions': () => this.addPartitions(),
    append: () => this.append(),
    'append more': () => this.append(),
    'append large': () => this.append(1_500),
    'append of a producer': () => this.produce(),
    'append of a producer again': () => this.produce(),
    unit: () => this.unit(),
    state: () => this.changeState(),
    'move start': () => this.moveStart(),
    'retention by size': () => this.retainBytes(),
    'retention by time': () => this.retainTime(),
    'time passes': () => this.io.clock.pass(this.random.below(90_000)),
    reopen: () => this.reopen(),
    kill: () => this.stop(false),
    'power loss': () => this.stop(true),
    'crash in a burst': () => this.burst(),
  };

  private pick<T>(list: readonly T[]): T | undefined {
    return list[this.random.below(Math.max(1, list.length))];
  }

  private place(): { name: string; topic: Topic; partition: Partition; model: ModelPartition } | undefined {
    const name = this.pick([...this.topics.keys()]);
    if (name === undefined) return undefined;
    const topic = this.log.topic('', name)!;
    const index = this.random.below(topic.partitions.length);
    return { name, topic, partition: topic.partitions[index]!, model: this.topics.get(name)!.partitions[index]! };
  }

  private newValues(padding = 0): string[] {
    const count = 1 + this.random.below(3);
    return Array.from({ length: count }, () => `v${this.values++}`.padEnd(this.random.below(60) + padding, '.'));
  }

  /** Out of order, around now, sometimes none. */
  private newTimes(count: number): number[] {
    if (this.random.below(8) === 0) return Array.from({ length: count }, () => NO_TIME);
    const now = this.io.clock.now();
    return Array.from({ length: count }, () => now - this.random.below(400_000) + this.random.below(100_000));
  }

  private async createTopic(): Promise<void> {
    if (this.topics.size >= 4) return;
    const name = `t${this.random.below(6)}`;
    if (this.topics.has(name)) {
      await assert.rejects(this.log.createTopic('', name, 1), { code: 'MR5007' });
      return;
    }
    const creation = this.log.createTopic('', name, 1 + this.random.below(3), KEEP_ALL);
    assert.equal(this.log.topic('', name), undefined, 'a topic is seen before it is durable');
    const { id, partitions } = await creation;
    this.topics.set(name, { id, partitions: partitions.map(newPartition), configs: KEEP_ALL });
  }

  private async deleteTopic(): Promise<void> {
    const at = this.place();
    if (!at || this.random.below(3) > 0) return;
    await this.log.deleteTopic(at.topic);
    this.topics.delete(at.name);
  }

  private async addPartitions(): Promise<void> {
    const at = this.place();
    if (!at || at.topic.partitions.length > 4) return;
    await this.log.addPartitions(at.topic, at.topic.partitions.length + 1);
    this.topics.get(at.name)!.partitions.push(newPartition());
  }

  private async append(padding = 0): Promise<void> {
    const at = this.place();
    if (!at) return;
    const values = this.newValues(padding);
    const times = this.newTimes(values.length);
    const { baseOffset } = await this.log.append(at.partition, batchOf(values, {}, times));
    this.enter(at.model, baseOffset, values, times);
  }

  private async produce(): Promise<void> {
    const at = this.place();
    if (!at) return;
    const id = this.pick(PRODUCERS)!;
    const producer = at.model.producers.get(id) ?? { epoch: 0, next: 0, recent: [] };
    const send = (epoch: number, sequence: number, values: readonly string[]): Promise<{ baseOffset: number }> =>
      this.log.append(at.partition, batchOf(values, { id, epoch, sequence }));
    const repeated = this.pick(producer.recent);
    const what = this.random.below(10);
    if (what < 3 && repeated) {
      const { baseOffset } = await send(producer.epoch, repeated.sequence, repeated.values);
      assert.equal(baseOffset, repeated.baseOffset, 'a repeated batch has the first offset');
      return;
    }
    if (what === 3 && producer.next > 0) {
      await assert.rejects(send(producer.epoch, producer.next + 1, ['gap']), { code: 'MR5005' });
      return;
    }
    if (what === 4 && producer.epoch > 0) {
      await assert.rejects(send(producer.epoch - 1, producer.next, ['old']), { code: 'MR5006' });
      return;
    }
    if (what === 5 && producer.next > 0) {
      producer.epoch++;
      producer.next = 0;
      producer.recent = [];
    }
    const values = this.newValues();
    const { baseOffset } = await send(producer.epoch, producer.next, values);
    this.enter(at.model, baseOffset, values, 1_000);
    produced(producer, baseOffset, values);
    at.model.producers.set(id, producer);
  }

  private async unit(): Promise<void> {
    const [first, second] = [this.place(), this.place()];
    if (!first || !second) return;
    const parts = [first, second].map(at => ({ at, values: this.newValues() }));
    const key = `k${this.random.below(5)}`;
    const results = await this.log.commit(
      parts.map(({ at, values }) => ({ partition: at.partition, batch: batchOf(values) })),
      [{ table: 'model', key, value: Buffer.from(`unit ${this.values}`) }],
    );
    parts.forEach(({ at, values }, i) => {
      this.enter(at.model, results[i]!.baseOffset, values, 1_000);
    });
    this.states.set(key, `unit ${this.values}`);
  }

  private async changeState(): Promise<void> {
    const key = `k${this.random.below(5)}`;
    const value = this.random.below(4) === 0 ? undefined : `state ${this.values++}`;
    await this.log.change([{ table: 'model', key, value: value === undefined ? undefined : Buffer.from(value) }]);
    if (value === undefined) this.states.delete(key);
    else this.states.set(key, value);
  }

  private async moveStart(): Promise<void> {
    const at = this.place();
    if (!at) return;
    const offset = this.random.below(at.partition.syncedEnd + 3);
    if (offset > at.partition.syncedEnd) {
      await assert.rejects(this.log.setLogStart(at.partition, offset), { code: 'MR5011' });
      return;
    }
    await this.log.setLogStart(at.partition, offset);
    cut(at.model, Math.max(at.model.start, offset));
  }

  /** What goes is decided by files and batches; the model knows what must stay and that enough goes. */
  private async retainBytes(): Promise<void> {
    const at = this.place();
    if (!at) return;
    const bytesMax = 500 + this.random.below(3_000);
    await this.retain(at, new Map([...KEEP_ALL, ['retention.bytes', String(bytesMax)]]));
    const size = this.log.sizeOf(at.partition);
    const hasCut = at.partition.startOffset > at.model.start;
    assert.ok(!hasCut || size >= bytesMax, 'retention by size takes too much');
    const [oldest] = this.log.segments(at.partition);
    assert.ok(!oldest || size - oldest.bytes < bytesMax, 'retention by size leaves too much');
    cut(at.model, at.partition.startOffset);
  }

  private async retainTime(): Promise<void> {
    const at = this.place();
    if (!at) return;
    const keepMs = this.random.below(600_000);
    await this.retain(at, new Map([['retention.ms', String(keepMs)]]));
    const from = this.io.clock.now() - keepMs;
    const { appended, records, start } = at.model;
    const isOld = ({ offset, time }: StoredRecord): boolean => (time < 0 ? appended.get(offset)! : time) < from;
    const gone = records.filter(({ offset }) => offset >= start && offset < at.partition.startOffset);
    assert.ok(gone.every(isOld), 'retention by time takes what is not old');
    const [oldest] = this.log.segments(at.partition);
    // A segment goes as a whole: what was cut from its front counts with it.
    const hasTimes = !appended.keys().some(offset => offset <= (oldest?.lastOffset ?? -1));
    assert.ok(!oldest || !hasTimes || oldest.maxTimestamp >= from, 'retention by time leaves what is old');
    cut(at.model, at.partition.startOffset);
  }

  private async retain(
    at: { name: string; topic: Topic; partition: Partition; model: ModelPartition },
    configs: ReadonlyMap<string, string>,
  ): Promise<void> {
    await this.log.changeConfigs(at.topic, () => configs);
    await this.log.applyRetention();
    this.topics.get(at.name)!.partitions.forEach((model, index) => {
      const partition = at.topic.partitions[index]!;
      assert.ok(partition.startOffset >= model.start && partition.startOffset <= partition.syncedEnd);
      if (model !== at.model) cut(model, partition.startOffset);
    });
    await this.log.changeConfigs(at.topic, () => KEEP_ALL);
  }

  private async reopen(): Promise<void> {
    await this.log.close();
    await this.open();
    assert.equal(this.log.tornBytes, 0);
  }

  private async stop(losesPower: boolean): Promise<void> {
    this.disk.restart(losesPower ? this.random : undefined);
    await this.open();
  }

  private async open(): Promise<void> {
    const { time } = this.io.clock;
    this.io = simIo(this.disk, this.random.uint32());
    this.io.clock.time = time + this.random.below(5_000);
    this.log = await openLog(this.io, SETTINGS);
  }

  /** Appends to random places, and the machine stops at some call of them. */
  private async burst(): Promise<void> {
    const unsure: Unsure[] = [];
    this.disk.crashAt = this.disk.calls + 1 + this.random.below(12);
    const answers: Promise<unknown>[] = [];
    const used = new Set<string>();
    for (let i = this.random.below(10); i >= 0; i--) {
      const at = this.place();
      if (!at) break;
      const values = this.newValues(this.random.below(3) === 0 ? 900 : 0);
      const { index } = at.partition;
      const id = this.random.below(3) === 0 ? this.pick(PRODUCERS)! : undefined;
      const known = id === undefined ? undefined : at.model.producers.get(id);
      // One batch of a producer at a time: what follows depends on whether it was taken.
      if (id !== undefined && (used.has(`${at.name}/${index}/${id}`) || !known)) continue;
      used.add(`${at.name}/${index}/${id}`);
      const producer = known && { id: id!, epoch: known.epoch, sequence: known.next };
      const times = known ? values.map(() => 1_000) : this.newTimes(values.length);
      const one: Unsure = {
        topic: at.name,
        partition: index,
        records: values.map((value, k) => ({ value, time: times[k]! })),
        producer,
        sentMs: this.io.clock.now(),
      };
      unsure.push(one);
      answers.push(
        this.log.append(at.partition, batchOf(values, producer, times)).then(
          ({ baseOffset }) => {
            unsure.splice(unsure.indexOf(one), 1);
            this.take(at.model, baseOffset, one);
          },
          () => undefined,
        ),
      );
      if (this.random.below(3) === 0) await settle();
    }
    await settle();
    // Some answers never come from a machine that has stopped.
    await Promise.race([Promise.all(answers), settle()]);
    this.disk.crashAt = Number.POSITIVE_INFINITY;
    this.disk.restart(this.random.float() < 0.7 ? this.random : undefined);
    await this.open();
    this.adopt(unsure);
  }

  /** What nobody was told of may be there, whole batches in the order in which they were sent. */
  private adopt(unsure: readonly Unsure[]): void {
    for (const one of unsure) {
      const model = this.topics.get(one.topic)!.partitions[one.partition]!;
      const partition = this.log.topic('', one.topic)!.partitions[one.partition]!;
      const end = endOf(model);
      if (partition.syncedEnd <= end) continue;
      const [found] = recordsOf(this.log, partition, end);
      if (found?.value === one.records[0]!.value) this.take(model, end, one);
    }
  }

  private enter(
    model: ModelPartition,
    baseOffset: number,
    values: readonly string[],
    times: number | readonly number[],
    sentMs = this.io.clock.now(),
  ): void {
    assert.equal(baseOffset, endOf(model), 'offsets follow each other');
    values.forEach((value, i) => {
      const time = typeof times === 'number' ? times : times[i]!;
      model.records.push({ offset: baseOffset + i, time, value });
      if (time < 0) model.appended.set(baseOffset + i, sentMs);
    });
  }

  private take(model: ModelPartition, baseOffset: number, { producer, records, sentMs }: Unsure): void {
    const values = records.map(({ value }) => value);
    const times = records.map(({ time }) => time);
    this.enter(model, baseOffset, values, times, sentMs);
    if (producer) produced(model.producers.get(producer.id)!, baseOffset, values);
  }

  private compare(): void {
    const { log } = this;
    assert.deepEqual([...log.topics()].map(({ name }) => name).sort(), [...this.topics.keys()].sort());
    for (const [name, model] of this.topics) {
      const topic = log.topic('', name)!;
      assert.equal(topic.id, model.id);
      assert.equal(log.topicById(model.id), topic);
      assert.equal(topic.partitions.length, model.partitions.length);
      topic.partitions.forEach((partition, i) =>
        this.comparePartition(`${name}/${i}`, partition, model.partitions[i]!),
      );
    }
    const states = new Map(
      [...log.states.entries('model')].map(([key, value]) => [key, Buffer.from(value).toString()]),
    );
    assert.deepEqual(states, this.states);
  }

  private comparePartition(place: string, partition: Partition, model: ModelPartition): void {
    assert.equal(partition.startOffset, model.start, `${place}: start`);
    assert.equal(partition.syncedEnd, endOf(model), `${place}: end`);
    const kept = model.records.filter(({ offset }) => offset >= model.start);
    const from = model.start + this.random.below(Math.max(1, kept.length));
    const bytesMax = 1 + this.random.below(4_000);
    assert.deepEqual(
      recordsOf(this.log, partition, from, bytesMax),
      kept.filter(({ offset }) => offset >= from),
      place,
    );
    for (let i = 0; i < 3; i++) this.compareTimes(place, partition, kept);
    const newest = kept.reduce((most, { time }) => Math.max(most, time), -1);
    const first = newest < 0 ? undefined : kept.find(({ time }) => time === newest);
    assert.deepEqual(
      this.log.maxTimestamp(partition),
      first && { offset: first.offset, timestamp: newest },
      `${place}: newest`,
    );
  }

  private compareTimes(place: string, partition: Partition, kept: readonly StoredRecord[]): void {
    const near = this.pick(kept)?.time ?? this.io.clock.now();
    const time = Math.max(0, near + this.random.below(3) - 1);
    const found = kept.find(record => record.time >= time);
    const expected = found && { offset: found.offset, timestamp: found.time };
    assert.deepEqual(this.log.offsetForTime(partition, time), expected, `${place}: offset for time ${time}`);
  }
}

function newPartition(): ModelPartition {
  return { start: 0, records: [], appended: new Map(), producers: new Map() };
}

function endOf(model: ModelPartition): number {
  return (model.records.at(-1)?.offset ?? model.start - 1) + 1;
}

function produced(producer: ModelProducer, baseOffset: number, values: readonly string[]): void {
  producer.recent.push({ sequence: producer.next, values, baseOffset });
  if (producer.recent.length > 5) producer.recent.shift();
  producer.next += values.length;
}

/** Keeps the last record, so that the end is known. */
function cut(model: ModelPartition, start: number): void {
  model.start = start;
  const last = model.records.at(-1);
  model.records = model.records.filter(record => record.offset >= start || record === last);
}
