/** Topic settings: Kafka's names, defaults, types, checks and what each does here. One row each; everything else derives. */

/** Kafka's numbers. */
export const CONFIG_TYPE = { boolean: 1, string: 2, int: 3, long: 5, double: 6, list: 7 } as const;

export interface TopicConfig {
  readonly name: string;
  readonly default: string;
  readonly type: keyof typeof CONFIG_TYPE;
  /** What Kafka calls the broker's default of it. */
  readonly brokerName: string;
  readonly doc: string;
  /** Why a value cannot be taken; undefined when it can. */
  readonly defect: (value: string) => string | undefined;
}

const INT_MAX = 2 ** 31 - 1;
const LONG_MAX = '9223372036854775807';

function whole(min: number, max = Number(LONG_MAX)): (value: string) => string | undefined {
  const range = max === INT_MAX ? `from ${min} to ${max}` : `of at least ${min}`;
  return value => {
    const isIn = /^-?\d{1,19}$/.test(value) && Number(value) >= min && Number(value) <= max;
    return isIn ? undefined : `must be a whole number ${range}`;
  };
}

function oneOf(...values: readonly string[]): (value: string) => string | undefined {
  return value => (values.includes(value) ? undefined : `must be ${values.join(' or ')}`);
}

function ratio(value: string): string | undefined {
  return /^(0(\.\d+)?|1(\.0+)?)$/.test(value) ? undefined : 'must be a number from 0 to 1';
}

/**
 * Settings of how Kafka lays out and cleans the files of a partition. There are no such files here: the journal's hold all
 * topics. Programs that make topics give them all the same (Kafka Streams does), so they are taken, checked, and shown as given.
 */
function ofFiles(
  name: string,
  type: TopicConfig['type'],
  standard: string,
  defect: TopicConfig['defect'],
  brokerName = `log.${name}`,
): TopicConfig {
  const doc =
    'Without effect: it speaks of files that each partition has in Kafka; here the journal’s files hold all topics.';
  return { name, default: standard, type, brokerName, doc, defect };
}

export const TOPIC_CONFIGS: readonly TopicConfig[] = [
  {
    name: 'cleanup.policy',
    default: 'delete',
    type: 'list',
    brokerName: 'log.cleanup.policy',
    doc: 'What happens to old records. Only delete is implemented; compact is refused until it is.',
    defect: value => (value === 'delete' ? undefined : 'only delete is implemented in this version'),
  },
  {
    name: 'retention.ms',
    default: '604800000',
    type: 'long',
    brokerName: 'log.retention.ms',
    doc: 'How long records are kept, in milliseconds; -1 for ever.',
    defect: whole(-1),
  },
  {
    name: 'retention.bytes',
    default: '-1',
    type: 'long',
    brokerName: 'log.retention.bytes',
    doc: 'Bytes kept in each partition; -1 without a limit.',
    defect: whole(-1),
  },
  {
    name: 'max.message.bytes',
    default: '1048588',
    type: 'int',
    brokerName: 'message.max.bytes',
    doc: 'Largest record batch that is taken, in bytes.',
    defect: whole(0, INT_MAX),
  },
  {
    name: 'message.timestamp.type',
    default: 'CreateTime',
    type: 'string',
    brokerName: 'log.message.timestamp.type',
    doc: 'Whose clock stamps records: the producer’s (CreateTime) or ours (LogAppendTime).',
    defect: oneOf('CreateTime', 'LogAppendTime'),
  },
  {
    name: 'message.timestamp.before.max.ms',
    default: LONG_MAX,
    type: 'long',
    brokerName: 'log.message.timestamp.before.max.ms',
    doc: 'How far the first time of a batch may lie behind our clock, in milliseconds; with LogAppendTime it does not matter.',
    defect: whole(0),
  },
  {
    name: 'message.timestamp.after.max.ms',
    default: LONG_MAX,
    type: 'long',
    brokerName: 'log.message.timestamp.after.max.ms',
    doc:
      'How far the newest time of a batch may lie ahead of our clock, in milliseconds. Kafka 4 allows one hour, ' +
      'but agents drop what is refused for its time; with LogAppendTime it does not matter.',
    defect: whole(0),
  },
  {
    name: 'compression.type',
    default: 'producer',
    type: 'string',
    brokerName: 'compression.type',
    doc: 'Batches are stored as the producer compressed them.',
    defect: oneOf('producer'),
  },
  {
    name: 'min.insync.replicas',
    default: '1',
    type: 'int',
    brokerName: 'min.insync.replicas',
    doc: 'A single node has one replica; a larger number would refuse every write.',
    defect: oneOf('1'),
  },
  ofFiles('segment.bytes', 'int', '1073741824', whole(14, INT_MAX)),
  ofFiles('segment.ms', 'long', '604800000', whole(1), 'log.roll.ms'),
  ofFiles('segment.jitter.ms', 'long', '0', whole(0), 'log.roll.jitter.ms'),
  ofFiles('segment.index.bytes', 'int', '10485760', whole(4, INT_MAX), 'log.index.size.max.bytes'),
  ofFiles('index.interval.bytes', 'int', '4096', whole(0, INT_MAX)),
  ofFiles('file.delete.delay.ms', 'long', '60000', whole(0), 'log.segment.delete.delay.ms'),
  ofFiles('preallocate', 'boolean', 'false', oneOf('true', 'false')),
  ofFiles('delete.retention.ms', 'long', '86400000', whole(0), 'log.cleaner.delete.retention.ms'),
  ofFiles('min.cleanable.dirty.ratio', 'double', '0.5', ratio, 'log.cleaner.min.cleanable.ratio'),
  ofFiles('min.compaction.lag.ms', 'long', '0', whole(0), 'log.cleaner.min.compaction.lag.ms'),
  ofFiles('max.compaction.lag.ms', 'long', LONG_MAX, whole(1), 'log.cleaner.max.compaction.lag.ms'),
  {
    name: 'flush.messages',
    default: LONG_MAX,
    type: 'long',
    brokerName: 'log.flush.interval.messages',
    doc: 'Without effect: every record is synced before it is acknowledged.',
    defect: whole(1),
  },
  {
    name: 'flush.ms',
    default: LONG_MAX,
    type: 'long',
    brokerName: 'log.flush.interval.ms',
    doc: 'Without effect: every record is synced before it is acknowledged.',
    defect: whole(0),
  },
  {
    name: 'unclean.leader.election.enable',
    default: 'false',
    type: 'boolean',
    brokerName: 'unclean.leader.election.enable',
    doc: 'Without effect: a single node has nobody to elect.',
    defect: oneOf('true', 'false'),
  },
];

const BY_NAME = new Map(TOPIC_CONFIGS.map(config => [config.name, config]));

/** Why a topic cannot have this setting; undefined when it can. */
export function topicConfigDefect(name: string, value: string | null): string | undefined {
  const config = BY_NAME.get(name);
  if (!config) return `unknown topic config ${name}; known are ${[...BY_NAME.keys()].join(', ')}`;
  if (value === null) return `${name} needs a value`;
  const defect = config.defect(value);
  return defect && `${name}=${value}: ${defect}`;
}

export function isListConfig(name: string): boolean {
  return BY_NAME.get(name)?.type === 'list';
}

/** A topic's setting that is a list, where it has none its default. */
export function listOf(configs: ReadonlyMap<string, string>, name: string): readonly string[] {
  return (configs.get(name) ?? BY_NAME.get(name)!.default).split(',').filter(entry => entry !== '');
}

/** A topic's setting as a number, where it has none its default. */
export function numberConfig(
  configs: ReadonlyMap<string, string>,
  name: 'max.message.bytes' | 'message.timestamp.before.max.ms' | 'message.timestamp.after.max.ms',
): number {
  return Number(configs.get(name) ?? BY_NAME.get(name)!.default);
}

const NAME = /^[a-zA-Z0-9._-]{1,249}$/;

export function isTopicName(name: string): boolean {
  return NAME.test(name) && name !== '.' && name !== '..';
}

/** Internal topics are made and written by Millrace alone. */
export function isInternalName(name: string): boolean {
  return name.startsWith('__millrace_');
}
