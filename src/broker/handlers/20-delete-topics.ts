/**
 * DeleteTopics.
 *
 * Versions: 0 to 6.
 * Behaviour: durable before the answer; waiting fetches end with 3. Internal topics are refused.
 * Not done: nothing.
 * Versions differ: by name or id from 6.
 */
import { MillraceError } from '../../base/index.ts';
import { apis, type DeleteTopicsResponseResponsesInput, errorCode, errorName, ZERO_UUID } from '../../wire/index.ts';
import { defineHandler, type RequestContext, topicByNameOrId } from '../handler.ts';

export default defineHandler({
  api: apis.deleteTopics,
  min: 0,
  max: 6,
  async handle(context, request) {
    const wishes =
      context.version >= 6 ? request.topics : request.topicNames.map(name => ({ name, topicId: ZERO_UUID }));
    const responses: DeleteTopicsResponseResponsesInput[] = [];
    for (const { name, topicId } of wishes) responses.push(await remove(context, name, topicId));
    return { responses };
  },
});

async function remove(
  context: RequestContext,
  name: string | null,
  topicId: string,
): Promise<DeleteTopicsResponseResponsesInput> {
  const topic = topicByNameOrId(context, name ?? '', topicId, name === null);
  const answer = (code: number, message: string | null): DeleteTopicsResponseResponsesInput => ({
    name: topic?.name ?? name,
    topicId: topic?.id ?? topicId,
    errorCode: code,
    errorMessage: message,
  });
  if (!topic)
    return answer(
      errorCode(name === null ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION'),
      'there is no such topic',
    );
  if (topic.isInternal) return answer(errorCode('TOPIC_AUTHORIZATION_FAILED'), 'internal topics are Millrace’s own');
  try {
    await context.log.deleteTopic(topic);
    return answer(0, null);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return answer(errorCode(errorName(error.row.kafka ?? -1)), error.message);
  }
}
