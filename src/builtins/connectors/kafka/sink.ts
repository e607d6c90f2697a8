/**
 * `save_kafka` and `to_kafka`: one record for each chunk or event. Without `bootstrap.servers` they write into the embedded log
 * (`embedded-sink.ts`), else into a cluster (`cluster-sink.ts`); what a record is made of is in `outgoing.ts`, which topics may
 * be written in `topic-rule.ts`.
 */
import type { ChunkBatch, EventBatch, Value } from '../../../data/index.ts';
import { defineOperator, embeddedLog, readsEvent, s, type Sink, type StageContext } from '../../../sdk/index.ts';
import { checkShared, problem, settingsOf, sharedArguments } from './arguments.ts';
import { ClusterSink } from './cluster-sink.ts';
import { EmbeddedSink } from './embedded-sink.ts';
import { EventRecords, SKIPPED } from './outgoing.ts';
import type { SinkSettings } from './sink-parts.ts';
import { checkTopicExpression, nameDefect, TopicRule } from './topic-rule.ts';

function makeSink(
  context: StageContext,
  options: ReadonlyMap<string, Value> | undefined,
  settings: SinkSettings,
): Sink {
  const client = settingsOf(context.io, options);
  const log = options?.has('bootstrap.servers') ? undefined : context.service(embeddedLog);
  if (!log) {
    const givesUp = options?.has('delivery.timeout.ms') || options?.has('message.timeout.ms') || false;
    return new ClusterSink(context, { ...settings, client, givesUp });
  }
  const partitioner = options?.has('partitioner') ? client.producer.partitioner : 'murmur2_random';
  const { batchBytes, canCreateTopics, codec } = client.producer;
  return new EmbeddedSink(context, log, { ...settings, batchBytes, canCreateTopics, codec, partitioner });
}

export const saveKafka = defineOperator({
  name: 'save_kafka',
  summary: 'Writes each chunk of bytes as one record, as it is; what a writer wrote without the line end between them.',
  input: ['bytes'],
  output: 'void',
  topics: 'writes',
  uri: { form: 'to', scheme: 'kafka', default: 'write_ndjson' },
  args: {
    topic: s.string('The topic.').positional(),
    key: s.string('Key of all records.').optional(),
    timestamp: s.time('Timestamp of all records.').optional(),
    ...sharedArguments,
  },
  validate: (args, places) => {
    const reason = args.topic === undefined ? undefined : nameDefect(args.topic);
    const ofTopic = reason === undefined ? [] : [problem('badTopic', reason, places.of('topic'))];
    return [...checkShared(args, places), ...ofTopic];
  },
  create: ({ key, options, timestamp, topic }, context) => {
    const keyBytes = key === undefined ? null : Buffer.from(key);
    return makeSink(context, options, {
      topicsVary: false,
      recordOf: (record, batch, row) => {
        const bytes = (batch as ChunkBatch).bodyOf(row);
        if (bytes.length === 0) return SKIPPED;
        record.topic = topic;
        record.key = keyBytes;
        record.value = bytes;
        record.timestampMs = timestamp;
        return undefined;
      },
    });
  },
});

export const toKafka = defineOperator({
  name: 'to_kafka',
  summary:
    'Writes one record for each event; topic, key, headers, partition, time and message may be computed from it.',
  input: ['events'],
  output: 'void',
  topics: 'writes',
  args: {
    topic: s.expression('The topic. Computed from events it needs a literal prefix or `allowed_topics`.').positional(),
    message: s.expression('What is written, text or blob; the event as JSON unless given.').optional(),
    key: s.expression('The key: text and blobs as they are, other values in their JSON form.').optional(),
    timestamp: s.expression('The timestamp, a time; the time of writing for null.').optional(),
    headers: s.expression('A record: each field is a header.').optional(),
    partition: s.expression('The partition’s number; the `partitioner` chooses for null.').optional(),
    allowed_topics: s.list('The topics that may be written; other ones make the event a dead letter.').optional(),
    ...sharedArguments,
  },
  validate: (args, places) => [
    ...checkShared(args, places),
    ...(args.topic ? checkTopicExpression(args.topic, args.allowed_topics, places.of('allowed_topics')) : []),
  ],
  create: ({ allowed_topics, headers, key, message, options, partition, timestamp, topic }, context) => {
    const expressions = { topic, message, key, headers, partition, timestamp };
    const records = new EventRecords(context, expressions, new TopicRule(allowed_topics));
    return makeSink(context, options, {
      topicsVary: readsEvent(topic),
      recordOf: (record, batch, row) => records.fill(record, batch as EventBatch, row),
    });
  },
});
