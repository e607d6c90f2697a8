/**
 * CreatePartitions.
 *
 * Versions: 0 to 3.
 * Behaviour: answers every topic; the count must grow (37); durable before the answer.
 * Not done: assignments are taken as they are: there is one node.
 * Versions differ: in layout only.
 */
import { MillraceError } from '../../base/index.ts';
import {
  apis,
  type CreatePartitionsResponseResultsInput,
  errorCode,
  type ErrorName,
  errorName,
} from '../../wire/index.ts';
import { defineHandler, type RequestContext, topicFor } from '../handler.ts';

const PARTITIONS_MAX = 10_000;

export default defineHandler({
  api: apis.createPartitions,
  min: 0,
  max: 3,
  async handle(context, request) {
    const results: CreatePartitionsResponseResultsInput[] = [];
    for (const { count, name } of request.topics) results.push(await grow(context, name, count, request.validateOnly));
    return { results };
  },
});

async function grow(
  context: RequestContext,
  name: string,
  count: number,
  isTrial: boolean,
): Promise<CreatePartitionsResponseResultsInput> {
  const failed = (error: ErrorName, errorMessage: string): CreatePartitionsResponseResultsInput => ({
    name,
    errorCode: errorCode(error),
    errorMessage,
  });
  const topic = topicFor(context, name);
  if (!topic || topic.isInternal) return failed('UNKNOWN_TOPIC_OR_PARTITION', 'there is no such topic');
  const current = topic.partitions.length;
  if (count <= current || count > PARTITIONS_MAX)
    return failed('INVALID_PARTITIONS', `the topic has ${current} partitions`);
  try {
    if (!isTrial) await context.log.addPartitions(topic, count);
    return { name, errorCode: 0, errorMessage: null };
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return failed(errorName(error.row.kafka ?? -1), error.message);
  }
}
