/**
 * The rules for making topics, for CreateTopics and for Metadata alike.
 *
 * The log knows a topic from when it is durable; until then its name and its partitions are taken here, so that two
 * requests at the same time do not make what collides, or more than is allowed.
 */
import type { Log, Topic } from '../log/index.ts';
import type { ErrorName } from '../wire/index.ts';
import type { BrokerSettings } from './handler.ts';
import { isInternalName, isTopicName } from './topic-configs.ts';

/** Of one topic. */
export const PARTITIONS_MAX = 10_000;

interface TopicUnderWay {
  readonly namespace: string;
  readonly name: string;
  readonly partitions: number;
  readonly made: Promise<Topic>;
}

export class TopicMaker {
  private readonly log: Log;
  private readonly settings: Pick<BrokerSettings, 'partitionsMax'>;
  private readonly underWay = new Set<TopicUnderWay>();

  constructor(log: Log, settings: Pick<BrokerSettings, 'partitionsMax'>) {
    this.log = log;
    this.settings = settings;
  }

  /** A topic that is there; a promise of one that is being made. */
  find(namespace: string, name: string): Topic | Promise<Topic> | undefined {
    return this.log.topic(namespace, name) ?? this.coming(namespace, name)?.made;
  }

  /** Why there can be no such topic; undefined when it can be made. */
  refusal(namespace: string, name: string, partitions: number): readonly [ErrorName, string] | undefined {
    if (!isTopicName(name)) {
      const rule = 'a topic name has 1 to 249 of the characters a-z A-Z 0-9 . _ - and is not . or ..';
      return ['INVALID_TOPIC_EXCEPTION', rule];
    }
    if (isInternalName(name)) return ['INVALID_TOPIC_EXCEPTION', 'names that begin with __millrace_ are internal'];
    if (this.find(namespace, name)) return ['TOPIC_ALREADY_EXISTS', `topic ${name} exists already`];
    const other = this.collision(namespace, name);
    if (other !== undefined)
      return [
        'TOPIC_ALREADY_EXISTS',
        `topic ${name} collides with ${other}: names that differ in . and _ only are one`,
      ];
    if (partitions < 1 || partitions > PARTITIONS_MAX)
      return ['INVALID_PARTITIONS', `a topic has 1 to ${PARTITIONS_MAX} partitions, not ${partitions}`];
    return this.countRefusal(partitions);
  }

  /** Why there cannot be so many partitions more. */
  countRefusal(added: number): readonly [ErrorName, string] | undefined {
    const { partitionsMax } = this.settings;
    let count = this.log.partitionCount + added;
    for (const { partitions } of this.underWay) count += partitions;
    if (count <= partitionsMax) return undefined;
    return ['POLICY_VIOLATION', `there would be ${count} partitions; at most ${partitionsMax} are allowed`];
  }

  async make(
    namespace: string,
    name: string,
    partitions: number,
    configs: ReadonlyMap<string, string> = new Map(),
  ): Promise<Topic> {
    const made = this.log.createTopic(namespace, name, partitions, configs);
    const entry = { namespace, name, partitions, made };
    this.underWay.add(entry);
    try {
      return await made;
    } finally {
      this.underWay.delete(entry);
    }
  }

  private coming(namespace: string, name: string): TopicUnderWay | undefined {
    for (const entry of this.underWay) if (entry.namespace === namespace && entry.name === name) return entry;
    return undefined;
  }

  /** The topic that metrics could not tell from one of this name. */
  private collision(namespace: string, name: string): string | undefined {
    if (!/[._]/.test(name)) return undefined;
    const plain = name.replaceAll('.', '_');
    for (const topics of [this.log.topics(), this.underWay]) {
      for (const topic of topics) {
        const isNear = topic.namespace === namespace && topic.name.length === name.length;
        if (isNear && topic.name.replaceAll('.', '_') === plain) return topic.name;
      }
    }
    return undefined;
  }
}
