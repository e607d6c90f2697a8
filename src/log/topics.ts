/**
 * Topics and their partitions, kept in the state tables.
 *
 *   table `topics`      key [namespace, name]   value: id, partition numbers, configs
 *   table `log-starts`  key partition number    value: first offset that can be read, when it is not 0
 *   table `meta`        key `partition-ids`     value: highest partition number ever given out
 *
 * Invariants
 * I1 every change is durable before its promise resolves and before anybody sees it; changes of one topic happen one after
 *    the other, and so do changes of one partition's start.
 * I2 a partition number is never used again: batches of a deleted partition may still lie in files.
 * I3 a start never moves back, and none is stored for a partition that is gone.
 */
import type { Random } from '../base/index.ts';
import { logErrors } from './errors.ts';
import { Partition, Topic } from './partition.ts';
import type { StateChange, StateTables } from './state-tables.ts';

interface StoredTopic {
  readonly id: string;
  readonly partitions: readonly number[];
  readonly configs: Readonly<Record<string, string>>;
}

const TOPICS = 'topics';
const STARTS = 'log-starts';
export const META = 'meta';
const PARTITION_IDS = 'partition-ids';

export class Topics {
  readonly byName = new Map<string, Topic>();
  readonly byId = new Map<string, Topic>();
  readonly partitions = new Map<number, Partition>();
  private readonly states: StateTables;
  private readonly random: Random;
  private readonly change: (states: readonly StateChange[]) => Promise<void>;
  private nextPartitionId = 1;
  /** One more with each change of which topics and partitions there are. */
  version = 0;
  /** Names that are being created. */
  private readonly creating = new Map<string, Promise<Topic>>();
  /** Last change of each topic, or of a partition's start, that is under way. */
  private readonly underWay = new Map<Topic | Partition, Promise<unknown>>();

  constructor(states: StateTables, random: Random, change: (states: readonly StateChange[]) => Promise<void>) {
    this.states = states;
    this.random = random;
    this.change = change;
  }

  get(namespace: string, name: string): Topic | undefined {
    return this.byName.get(nameKey(namespace, name));
  }

  /** Two who create the same at once: the second is told that it exists, when it does. */
  async create(
    namespace: string,
    name: string,
    partitions: number,
    configs: ReadonlyMap<string, string>,
  ): Promise<Topic> {
    const key = nameKey(namespace, name);
    for (;;) {
      if (this.byName.has(key)) throw logErrors.topicExists({ topic: name });
      const other = this.creating.get(key);
      if (!other) break;
      // How it ends for the first is its caller's business.
      await other.catch(() => undefined);
    }
    const id = Buffer.from(this.random.bytes(16)).toString('hex');
    const topic = new Topic(namespace, name, id, configs);
    for (let index = 0; index < partitions; index++) topic.partitions.push(this.newPartition(topic, index));
    const made = this.change([stored(topic), this.highestPartitionId()]).then(() => {
      this.register(topic);
      return topic;
    });
    this.creating.set(key, made);
    try {
      return await made;
    } finally {
      this.creating.delete(key);
    }
  }

  delete(topic: Topic): Promise<void> {
    return this.inTurn(topic, topic, async () => {
      topic.isEnding = true;
      const starts = topic.partitions.map(({ id }) => ({ table: STARTS, key: String(id), value: undefined }));
      try {
        await this.change([{ table: TOPICS, key: nameKey(topic.namespace, topic.name), value: undefined }, ...starts]);
      } catch (error) {
        topic.isEnding = false;
        throw error;
      }
      topic.isDeleted = true;
      this.unregister(topic);
      for (const partition of topic.partitions) partition.wakeAll();
    });
  }

  addPartitions(topic: Topic, count: number): Promise<void> {
    return this.inTurn(topic, topic, async () => {
      const added: Partition[] = [];
      for (let index = topic.partitions.length; index < count; index++) added.push(this.newPartition(topic, index));
      const all = [...topic.partitions, ...added];
      await this.change([stored(topic, topic.configs, all), this.highestPartitionId()]);
      topic.partitions.push(...added);
      this.version++;
      for (const partition of added) this.partitions.set(partition.id, partition);
    });
  }

  changeConfigs(
    topic: Topic,
    change: (configs: ReadonlyMap<string, string>) => ReadonlyMap<string, string>,
  ): Promise<void> {
    return this.inTurn(topic, topic, async () => {
      const configs = change(topic.configs);
      if (configs === topic.configs) return;
      await this.change([stored(topic, configs)]);
      topic.configs = configs;
    });
  }

  setStart(partition: Partition, offset: number): Promise<void> {
    return this.inTurn(partition, partition.topic, async () => {
      if (offset <= partition.startOffset) return;
      await this.change([{ table: STARTS, key: String(partition.id), value: Buffer.from(String(offset)) }]);
      partition.startOffset = offset;
    });
  }

  /** Fills itself from the state tables. */
  restore(): void {
    for (const [key, value] of this.states.entries(TOPICS)) {
      const { configs, id, name, namespace, partitions } = readTopic(key, text(value));
      const topic = new Topic(namespace, name, id, new Map(Object.entries(configs)));
      partitions.forEach((number, index) => topic.partitions.push(new Partition(number, topic, index)));
      this.register(topic);
    }
    let highest = Number(text(this.states.get(META, PARTITION_IDS) ?? Buffer.from('0')));
    for (const partition of this.partitions.values()) {
      const start = this.states.get(STARTS, String(partition.id));
      if (start) partition.startOffset = Number(text(start));
      highest = Math.max(highest, partition.id);
    }
    this.nextPartitionId = highest + 1;
  }

  private async inTurn<T>(what: Topic | Partition, topic: Topic, run: () => Promise<T>): Promise<T> {
    const before = this.underWay.get(what);
    const turn = (async () => {
      // How the change before ended is its caller's business.
      await before?.catch(() => undefined);
      if (topic.isDeleted || topic.isEnding) throw logErrors.topicGone({ topic: topic.name });
      return run();
    })();
    this.underWay.set(what, turn);
    try {
      return await turn;
    } finally {
      if (this.underWay.get(what) === turn) this.underWay.delete(what);
    }
  }

  private newPartition(topic: Topic, index: number): Partition {
    return new Partition(this.nextPartitionId++, topic, index);
  }

  private highestPartitionId(): StateChange {
    return { table: META, key: PARTITION_IDS, value: Buffer.from(String(this.nextPartitionId - 1)) };
  }

  private register(topic: Topic): void {
    this.version++;
    this.byName.set(nameKey(topic.namespace, topic.name), topic);
    this.byId.set(topic.id, topic);
    for (const partition of topic.partitions) this.partitions.set(partition.id, partition);
  }

  private unregister(topic: Topic): void {
    this.version++;
    this.byName.delete(nameKey(topic.namespace, topic.name));
    this.byId.delete(topic.id);
    for (const partition of topic.partitions) this.partitions.delete(partition.id);
  }
}

function stored(
  topic: Topic,
  configs: ReadonlyMap<string, string> = topic.configs,
  partitions: readonly Partition[] = topic.partitions,
): StateChange {
  const value: StoredTopic = {
    id: topic.id,
    partitions: partitions.map(partition => partition.id),
    configs: Object.fromEntries(configs),
  };
  return { table: TOPICS, key: nameKey(topic.namespace, topic.name), value: Buffer.from(JSON.stringify(value)) };
}

function readTopic(key: string, value: string): StoredTopic & { readonly namespace: string; readonly name: string } {
  try {
    const [namespace, name] = JSON.parse(key) as [string, string];
    const { configs, id, partitions } = JSON.parse(value) as StoredTopic;
    const isRight =
      [namespace, name, id].every(part => typeof part === 'string') &&
      partitions.every(number => Number.isSafeInteger(number) && number > 0) &&
      Object.values(configs).every(config => typeof config === 'string');
    if (isRight) return { configs, id, name, namespace, partitions };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  throw logErrors.unreadableState({ table: TOPICS, key });
}

function nameKey(namespace: string, name: string): string {
  return JSON.stringify([namespace, name]);
}

function text(value: Uint8Array): string {
  return Buffer.from(value).toString();
}
