/** `load_kafka` and `from_kafka`: arguments, their checks, and how the source is put together (spec of TQL, section 12). */
import type { Diagnostic } from '../../../base/index.ts';
import type { Value } from '../../../data/index.ts';
import { type ArgumentPlaces, defineOperator, embeddedLog, s, type StageContext } from '../../../sdk/index.ts';
import {
  checkOffset,
  checkShared,
  offsetArguments,
  problem,
  readRange,
  settingsOf,
  sharedArguments,
} from './arguments.ts';
import { ClusterReader } from './cluster-reader.ts';
import { EmbeddedReader } from './embedded-reader.ts';
import { type ReaderSettings, topicMatcher } from './reader.ts';
import { KafkaSource, type SourceSettings } from './source.ts';

const COMMIT_BATCH_SIZE = 1_000;
const BATCH_SIZE = 10_000;
const COMMIT_TIMEOUT_MS = 10_000;

const topicArgument = s.string('The topic; behind `^` a regular expression for whole names.').positional();
const commitTimeout = s.duration('Commits at least that often.').default(COMMIT_TIMEOUT_MS);

/** Names that are kept for what the original has under them. */
const later = {
  batch_timeout: s.value('Kept for a later version.').optional(),
  schema_registry: s.value('Kept for a later version.').optional(),
  schema_registry_headers: s.value('Kept for a later version.').optional(),
  _json: s.value('Kept for a later version.').optional(),
};
const LATER = Object.keys(later) as readonly (keyof typeof later)[];

/** Tuning of the original's machinery, which this one does not have; accepted, so that its pipelines run. */
const tuning = {
  _optimization: s.value('Accepted, without effect.').optional(),
  _worker_concurrency: s.value('Accepted, without effect.').optional(),
  _worker_batch_size: s.value('Accepted, without effect.').optional(),
  _prefetch_batches: s.value('Accepted, without effect.').optional(),
  _prefetch_bytes: s.value('Accepted, without effect.').optional(),
  _fetch_wait_timeout: s.value('Accepted, without effect.').optional(),
};

interface SourceArguments {
  readonly topic?: string;
  readonly count?: number | undefined;
  readonly exit?: boolean;
  readonly offset?: Value;
  readonly options?: ReadonlyMap<string, Value> | undefined;
  readonly group_id?: string | undefined;
  readonly commit_batch_size?: number | undefined;
  readonly commit_timeout?: number;
  readonly batch_size?: number;
}

function check(args: SourceArguments, places: ArgumentPlaces): Diagnostic[] {
  const found = [...checkShared(args, places), ...checkOffset(args.offset, places)];
  for (const name of ['batch_size', 'commit_batch_size'] as const)
    if (args[name] === 0) found.push(problem('notPositive', `\`${name}\` must be greater than zero`, places.of(name)));
  if (args.commit_timeout !== undefined && args.commit_timeout <= 0)
    found.push(problem('notPositive', '`commit_timeout` must be greater than zero', places.of('commit_timeout')));
  if (args.topic !== undefined) found.push(...checkTopic(args.topic, args.exit === true, places));
  const group = args.options?.get('group.id');
  if (args.group_id !== undefined && group !== undefined && group !== args.group_id)
    found.push(problem('otherGroup', '`group_id` and `options."group.id"` are not the same', places.of('group_id')));
  if (args.group_id === '') found.push(problem('otherGroup', '`group_id` must not be empty', places.of('group_id')));
  return found;
}

function checkTopic(topic: string, exits: boolean, places: ArgumentPlaces): Diagnostic[] {
  const { defect, isPattern } = topicMatcher(topic);
  if (defect !== undefined)
    return [problem('badPattern', '`topic` is not a valid regular expression', places.of('topic'), [defect])];
  if (!isPattern || !exits) return [];
  const message = '`exit` cannot be used with a regular expression as the topic';
  return [problem('exitOfPattern', message, places.of('exit'), ['new topics may match at any time'])];
}

function makeSource(
  context: StageContext,
  args: SourceArguments & { readonly topic: string },
  settings: Pick<SourceSettings, 'batchSize' | 'commitBatchSize' | 'events'>,
): KafkaSource {
  const client = settingsOf(context.io, args.options);
  const range = readRange(args.offset ?? 'stored')!;
  const reader: ReaderSettings = {
    topic: args.topic,
    group: args.group_id ?? client.group.groupId ?? context.pipelineId,
    start: range.start,
    reset: client.consumer.reset,
    readsCommitted: client.consumer.readsCommitted,
  };
  const log = args.options?.has('bootstrap.servers') ? undefined : context.service(embeddedLog);
  return new KafkaSource(
    context,
    {
      ...settings,
      count: args.count,
      exits: args.exit === true,
      range,
      commitTimeoutMs: args.commit_timeout ?? COMMIT_TIMEOUT_MS,
    },
    args.topic,
    onRevoke => (log ? new EmbeddedReader(context, log, reader) : new ClusterReader(context, client, reader, onRevoke)),
  );
}

export const loadKafka = defineOperator({
  name: 'load_kafka',
  summary: 'Reads a Kafka topic: each record’s value is one chunk of bytes.',
  input: ['void'],
  topics: 'reads',
  output: 'bytes',
  uri: { form: 'from', scheme: 'kafka', default: 'read_json' },
  args: {
    topic: topicArgument,
    ...offsetArguments,
    commit_batch_size: s.uint('Commits after that many messages.').default(COMMIT_BATCH_SIZE),
    commit_timeout: commitTimeout,
    group_id: s.string('The consumer group; the same as `options."group.id"`.').optional(),
    ...sharedArguments,
  },
  validate: check,
  create: (args, context) =>
    makeSource(context, args, {
      batchSize: Number.POSITIVE_INFINITY,
      commitBatchSize: args.commit_batch_size,
      events: undefined,
    }),
});

export const fromKafka = defineOperator({
  name: 'from_kafka',
  summary: 'Reads a Kafka topic: each record becomes an event with the field `message`.',
  input: ['void'],
  topics: 'reads',
  output: 'events',
  bytesForm: 'load_kafka',
  args: {
    topic: topicArgument,
    group_id: s.string('The consumer group; the same as `options."group.id"`.').optional(),
    ...offsetArguments,
    batch_size: s.uint('Messages of a batch, at most.').default(BATCH_SIZE),
    commit_batch_size: s.uint('Commits after that many messages; `batch_size` unless given.').optional(),
    commit_timeout: commitTimeout,
    metadata: s
      .bool('Adds `topic`, `partition`, `offset`, `timestamp`, `key` and `headers` to each event.')
      .default(false),
    ...sharedArguments,
    ...later,
    ...tuning,
  },
  validate: (args, places) => [
    ...check(args, places),
    ...LATER.filter(name => args[name] !== undefined && args[name] !== null && args[name] !== false).map(name =>
      problem('notYet', `\`${name}\` is not implemented in this version`, places.of(name), [], [HINTS[name]]),
    ),
  ],
  create: (args, context) =>
    makeSource(context, args, {
      batchSize: args.batch_size,
      commitBatchSize: args.commit_batch_size ?? args.batch_size,
      events: { hasMetadata: args.metadata },
    }),
});

const HINTS: Readonly<Record<keyof typeof later, string>> = {
  batch_timeout: 'leave it out: messages are passed on as they come',
  schema_registry: 'messages are given as they are',
  schema_registry_headers: 'messages are given as they are',
  _json: 'use `load_kafka` and `read_json`, or `message.parse_json()`',
};
