/**
 * DeleteTopics.
 *
 * Versions: 0 to 6.
 * Behaviour: durable before the answer, with what groups have committed for the topic; waiting fetches end with 3 (100 by
 *   id). Internal topics are refused (29).
 * Not done: the time-out: the answer comes with the sync.
 * Versions differ: error texts from 5, by name or id from 6.
 */
import { apis, type DeleteTopicsResponseResponsesInput, ZERO_UUID } from '../../wire/index.ts';
import { failure, nameOf } from '../answers.ts';
import { defineHandler, type RequestContext, topicByNameOrId, topicName } from '../handler.ts';

type TopicAnswer = DeleteTopicsResponseResponsesInput;

export default defineHandler({
  api: apis.deleteTopics,
  min: 0,
  max: 6,
  async handle(context, request) {
    const wishes =
      context.version >= 6 ? request.topics : request.topicNames.map(name => ({ name, topicId: ZERO_UUID }));
    return { responses: await Promise.all(wishes.map(({ name, topicId }) => remove(context, name, topicId))) };
  },
});

async function remove(context: RequestContext, name: string | null, topicId: string): Promise<TopicAnswer> {
  const isById = name === null;
  const topic = topicByNameOrId(context, name ?? '', topicId, isById);
  const base = { name: topic?.name ?? name, topicId: topic?.id ?? topicId };
  if (!topic && name !== null && !context.may('DESCRIBE', 'TOPIC', topicName(context, name)))
    return { ...base, ...failure('TOPIC_AUTHORIZATION_FAILED', 'not allowed to delete the topic') };
  if (!topic)
    return {
      ...base,
      ...failure(isById ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION', 'there is no such topic'),
    };
  if (!context.may('DELETE', 'TOPIC', topic.name)) {
    // By id: who may not even see the topic is not told its name.
    const isSeen = !isById || context.may('DESCRIBE', 'TOPIC', topic.name, false);
    const shown = isSeen ? base : { name: null, topicId };
    return { ...shown, ...failure('TOPIC_AUTHORIZATION_FAILED', 'not allowed to delete the topic') };
  }
  if (topic.isInternal)
    return { ...base, ...failure('TOPIC_AUTHORIZATION_FAILED', 'internal topics are Millrace’s own') };
  try {
    await context.log.deleteTopic(topic);
    await context.coordination.forgetTopic(topic.namespace, topic.name);
    return { ...base, errorCode: 0, errorMessage: null };
  } catch (error) {
    const reason = error instanceof Error ? error.message : '';
    return { ...base, ...failure(nameOf(context, error, ['UNKNOWN_TOPIC_OR_PARTITION']), reason) };
  }
}
