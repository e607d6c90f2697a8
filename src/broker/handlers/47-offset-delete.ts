/**
 * OffsetDelete.
 *
 * Versions: 0.
 * Behaviour: forgets committed offsets, durably before the answer. Of a group of consumers with members only those of topics
 *   that no member subscribes to (86 otherwise); any other group with members is 68, an unknown one 69. An unknown
 *   partition is 3.
 * Not done: nothing.
 * Versions differ: there is one.
 */
import type { AnyGroup, OffsetPlace } from '../../coordination/index.ts';
import { apis, errorCode, type ErrorName } from '../../wire/index.ts';
import { consumerFormats } from '../consumer-formats.ts';
import { defineHandler, topicFor, topicName } from '../handler.ts';

const CONSUMER = 'consumer';

export default defineHandler({
  api: apis.offsetDelete,
  min: 0,
  max: 0,
  async handle(context, request) {
    const { coordination, namespace } = context;
    const whole = (error: ErrorName) => ({ errorCode: errorCode(error), topics: [] });
    if (request.groupId === '') return whole('INVALID_GROUP_ID');
    if (!context.may('DELETE', 'GROUP', request.groupId)) return whole('GROUP_AUTHORIZATION_FAILED');
    const group = coordination.find(namespace, request.groupId);
    if (!group) return whole('GROUP_ID_NOT_FOUND');
    if (group.members.size > 0 && group.protocolType !== CONSUMER) return whole('NON_EMPTY_GROUP');
    const reads = subscriptionsOf(group);
    const places: OffsetPlace[] = [];
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex: partition }) => {
        let error: ErrorName = 'NONE';
        if (!context.may('READ', 'TOPIC', topicName(context, name))) error = 'TOPIC_AUTHORIZATION_FAILED';
        else if (!topicFor(context, name)?.partitions[partition]) error = 'UNKNOWN_TOPIC_OR_PARTITION';
        else if (reads(name)) error = 'GROUP_SUBSCRIBED_TO_TOPIC';
        else places.push({ topic: topicName(context, name), partition });
        return { partitionIndex: partition, errorCode: errorCode(error) };
      }),
    }));
    const result = await coordination.deleteOffsets(namespace, request.groupId, places);
    return result === 'NONE' ? { errorCode: 0, topics } : whole(result);
  },
});

/** Whether some member reads a topic; a member that says what cannot be read may read any. */
function subscriptionsOf(group: AnyGroup): (topic: string) => boolean {
  if (group.type === 'consumer') return topic => group.subscribes(topic);
  const topics = new Set<string>();
  for (const { protocols } of group.members.values()) {
    for (const { metadata } of protocols) {
      const said = consumerFormats.subscription(metadata);
      if (!said) return () => true;
      for (const topic of said.topics) topics.add(topic);
    }
  }
  return topic => topics.has(topic);
}
