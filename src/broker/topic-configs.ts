/** Topic settings: Kafka's names, defaults, types, checks and what each does here. One row each; everything else derives. */

export interface TopicConfig {
  readonly name: string;
  readonly default: string;
  /** Kafka's config types: 1 boolean, 2 string, 3 int, 5 long, 7 list. */
  readonly type: 1 | 2 | 3 | 5 | 7;
  readonly doc: string;
  /** Why a value cannot be taken; undefined when it can. */
  readonly defect?: (value: string) => string | undefined;
}

function whole(min: number): (value: string) => string | undefined {
  return value =>
    /^-?\d+$/.test(value) && Number(value) >= min ? undefined : `must be a whole number of at least ${min}`;
}

function oneOf(...values: readonly string[]): (value: string) => string | undefined {
  return value => (values.includes(value) ? undefined : `must be one of ${values.join(', ')}`);
}

export const TOPIC_CONFIGS: readonly TopicConfig[] = [
  {
    name: 'cleanup.policy',
    default: 'delete',
    type: 7,
    doc: 'What happens to old records. Only delete is implemented; compact is refused until it is.',
    defect: value => (value === 'delete' ? undefined : 'only delete is implemented in this version'),
  },
  {
    name: 'retention.ms',
    default: '604800000',
    type: 5,
    doc: 'How long records are kept, in milliseconds; -1 for ever.',
    defect: whole(-1),
  },
  {
    name: 'retention.bytes',
    default: '-1',
    type: 5,
    doc: 'Bytes kept in each partition; -1 without a limit.',
    defect: whole(-1),
  },
  {
    name: 'max.message.bytes',
    default: '1048588',
    type: 3,
    doc: 'Largest record batch that is taken, in bytes.',
    defect: whole(0),
  },
  {
    name: 'message.timestamp.type',
    default: 'CreateTime',
    type: 2,
    doc: 'Whose clock stamps records: the producer’s (CreateTime) or ours (LogAppendTime).',
    defect: oneOf('CreateTime', 'LogAppendTime'),
  },
  {
    name: 'compression.type',
    default: 'producer',
    type: 2,
    doc: 'Batches are stored as the producer compressed them.',
    defect: oneOf('producer'),
  },
  {
    name: 'min.insync.replicas',
    default: '1',
    type: 3,
    doc: 'A single node has one replica; a larger number would refuse every write.',
    defect: oneOf('1'),
  },
];

const BY_NAME = new Map(TOPIC_CONFIGS.map(config => [config.name, config]));

/** Why a topic cannot have this setting; undefined when it can. */
export function topicConfigDefect(name: string, value: string | null): string | undefined {
  const config = BY_NAME.get(name);
  if (!config) return `unknown topic config ${name}`;
  if (value === null) return `${name} needs a value`;
  const defect = config.defect?.(value);
  return defect && `${name}=${value}: ${defect}`;
}

const NAME = /^[a-zA-Z0-9._-]{1,249}$/;

export function isTopicName(name: string): boolean {
  return NAME.test(name) && name !== '.' && name !== '..';
}
