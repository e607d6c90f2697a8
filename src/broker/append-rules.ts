/** What a topic's settings say about a record batch that is to be appended, whoever brings it: Produce, or a pipeline's sink. */
import type { Topic } from '../log/index.ts';
import type { ErrorName } from '../wire/index.ts';
import { BatchHeader, validateBatch } from '../wire/records/index.ts';
import { numberConfig } from './topic-configs.ts';

export type Refusal = readonly [error: ErrorName, reason: string];

/** The batch itself: size and format. */
export function batchDefect(topic: Topic, batch: Uint8Array): Refusal | undefined {
  const max = numberConfig(topic.configs, 'max.message.bytes');
  if (batch.length > max) return ['MESSAGE_TOO_LARGE', `a batch of ${batch.length} bytes, max.message.bytes is ${max}`];
  const defect = validateBatch(batch);
  return defect && [defect.error, defect.reason];
}

/** Its times. */
export function timeRefusal(topic: Topic, header: BatchHeader, nowMs: number): Refusal | undefined {
  if (isAppendTime(topic)) return undefined;
  const before = numberConfig(topic.configs, 'message.timestamp.before.max.ms');
  if (header.baseTimestamp >= 0 && nowMs - header.baseTimestamp > before)
    return ['INVALID_TIMESTAMP', `a time of ${header.baseTimestamp}, message.timestamp.before.max.ms is ${before}`];
  const after = numberConfig(topic.configs, 'message.timestamp.after.max.ms');
  if (header.maxTimestamp - nowMs > after)
    return ['INVALID_TIMESTAMP', `a time of ${header.maxTimestamp}, message.timestamp.after.max.ms is ${after}`];
  return undefined;
}

/** The time that the records of a batch get; -1 for those that they have. */
export function appendTimeOf(topic: Topic, nowMs: number): number {
  return isAppendTime(topic) ? nowMs : -1;
}

function isAppendTime(topic: Topic): boolean {
  return topic.configs.get('message.timestamp.type') === 'LogAppendTime';
}

/** All of it, for a batch of Millrace's own. */
export function appendRefusal(topic: Topic, batch: Uint8Array, nowMs: number): Refusal | undefined {
  if (topic.isInternal) return ['TOPIC_AUTHORIZATION_FAILED', 'internal topics are written by Millrace only'];
  return batchDefect(topic, batch) ?? timeRefusal(topic, new BatchHeader(batch), nowMs);
}
