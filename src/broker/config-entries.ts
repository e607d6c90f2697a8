/**
 * Configs as DescribeConfigs and CreateTopics print them: every known key with value, source, type, text, and the chain of
 * synonyms that the value was taken from: the topic's own before the broker's default.
 */
import type { BrokerSettings } from './handler.ts';
import { CONFIG_TYPE, TOPIC_CONFIGS } from './topic-configs.ts';

/** Where a value comes from, in Kafka's numbers. */
const SOURCE = { topic: 1, staticBroker: 4, default: 5 } as const;

export interface ConfigSynonym {
  readonly name: string;
  readonly value: string;
  readonly source: number;
}

export interface ConfigEntry {
  readonly name: string;
  readonly value: string;
  readonly readOnly: boolean;
  readonly isDefault: boolean;
  readonly configSource: number;
  readonly isSensitive: boolean;
  readonly synonyms: readonly ConfigSynonym[];
  readonly configType: number;
  readonly documentation: string;
}

export function topicEntries(configs: ReadonlyMap<string, string>): ConfigEntry[] {
  return TOPIC_CONFIGS.map(config => {
    const own = configs.get(config.name);
    const inherited = { name: config.brokerName, value: config.default, source: SOURCE.default };
    return {
      name: config.name,
      value: own ?? config.default,
      readOnly: false,
      isDefault: own === undefined,
      configSource: own === undefined ? SOURCE.default : SOURCE.topic,
      isSensitive: false,
      synonyms: own === undefined ? [inherited] : [{ name: config.name, value: own, source: SOURCE.topic }, inherited],
      configType: CONFIG_TYPE[config.type],
      documentation: config.doc,
    };
  });
}

export function brokerEntries(settings: BrokerSettings): ConfigEntry[] {
  const entry = (
    name: string,
    given: string | number | boolean,
    type: keyof typeof CONFIG_TYPE,
    documentation: string,
  ): ConfigEntry => {
    const value = String(given);
    return {
      name,
      value,
      readOnly: true,
      isDefault: false,
      configSource: SOURCE.staticBroker,
      isSensitive: false,
      synonyms: [{ name, value, source: SOURCE.staticBroker }],
      configType: CONFIG_TYPE[type],
      documentation,
    };
  };
  const { autoCreateTopics, connectionsMax, defaultPartitions, fetchBytesMax, idleMs, nodeId, requestBytesMax } =
    settings;
  return [
    entry('broker.id', nodeId, 'int', 'The id of this node.'),
    entry('auto.create.topics.enable', autoCreateTopics, 'boolean', 'Whether clients create topics by using them.'),
    entry('num.partitions', defaultPartitions, 'int', 'Partitions of topics that are made without a count.'),
    entry('default.replication.factor', 1, 'int', 'A single node holds one replica.'),
    entry('socket.request.max.bytes', requestBytesMax, 'int', 'Largest request, in bytes.'),
    entry('fetch.max.bytes', fetchBytesMax, 'int', 'Most bytes of records in an answer to Fetch, but for one batch.'),
    entry('max.connections', connectionsMax, 'int', 'Connections of clients at the same time.'),
    entry(
      'connections.max.idle.ms',
      idleMs,
      'long',
      'Idle connections are closed with FIN after this, in milliseconds.',
    ),
  ];
}
