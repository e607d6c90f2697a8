/**
 * CreatePartitions.
 *
 * Versions: 0 to 3.
 * Behaviour: answers every topic; the count must grow (37); assignments must name this node once for each new partition
 *   (39); a topic named twice is 42. Durable before the answer; `validateOnly` changes nothing.
 * Not done: the time-out: the answer comes with the sync.
 * Versions differ: in layout only.
 */
import {
  apis,
  type CreatePartitionsRequestTopics,
  type CreatePartitionsResponseResultsInput,
  type ErrorName,
} from '../../wire/index.ts';
import { failure, nameOf } from '../answers.ts';
import { defineHandler, type RequestContext, topicFor, topicName } from '../handler.ts';
import { PARTITIONS_MAX } from '../topic-maker.ts';

export default defineHandler({
  api: apis.createPartitions,
  min: 0,
  max: 3,
  async handle(context, request) {
    const wishes = new Map<string, CreatePartitionsRequestTopics | undefined>();
    for (const wish of request.topics) wishes.set(wish.name, wishes.has(wish.name) ? undefined : wish);
    const results = await Promise.all(
      [...wishes].map(async ([name, wish]) =>
        wish
          ? grow(context, wish, request.validateOnly)
          : { name, ...failure('INVALID_REQUEST', 'the topic is named twice in the request') },
      ),
    );
    return { results };
  },
});

async function grow(
  context: RequestContext,
  wish: CreatePartitionsRequestTopics,
  isTrial: boolean,
): Promise<CreatePartitionsResponseResultsInput> {
  const { count, name } = wish;
  if (!context.may('ALTER', 'TOPIC', topicName(context, name)))
    return { name, ...failure('TOPIC_AUTHORIZATION_FAILED', 'not allowed to alter the topic') };
  const topic = topicFor(context, name);
  if (!topic || topic.isInternal) return { name, ...failure('UNKNOWN_TOPIC_OR_PARTITION', 'there is no such topic') };
  const refusal = refusalOf(context, wish, topic.partitions.length);
  if (refusal) return { name, ...failure(...refusal) };
  try {
    if (!isTrial) await context.log.addPartitions(topic, count);
    return { name, errorCode: 0, errorMessage: null };
  } catch (error) {
    const reason = error instanceof Error ? error.message : '';
    return { name, ...failure(nameOf(context, error, ['UNKNOWN_TOPIC_OR_PARTITION']), reason) };
  }
}

function refusalOf(
  { settings, topicMaker }: RequestContext,
  { assignments, count }: CreatePartitionsRequestTopics,
  current: number,
): readonly [ErrorName, string] | undefined {
  if (count <= current)
    return ['INVALID_PARTITIONS', `the topic has ${current} partitions already; their number can only grow`];
  if (count > PARTITIONS_MAX) return ['INVALID_PARTITIONS', `a topic has at most ${PARTITIONS_MAX} partitions`];
  const added = count - current;
  const isOurs = ({ brokerIds }: { readonly brokerIds: readonly number[] }): boolean =>
    brokerIds.length === 1 && brokerIds[0] === settings.nodeId;
  if (assignments !== null && (assignments.length !== added || !assignments.every(isOurs))) {
    const rule = `each of the ${added} new partitions has one replica, on node ${settings.nodeId}`;
    return ['INVALID_REPLICA_ASSIGNMENT', rule];
  }
  const tooMany = topicMaker.countRefusal(added);
  return tooMany && ['INVALID_PARTITIONS', tooMany[1]];
}
