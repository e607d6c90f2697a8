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
import { MillraceError } from '../../base/index.ts';
import type { Group, OffsetPlace } from '../../coordination/index.ts';
import { apis, decodeConsumerProtocolSubscription, errorCode, type ErrorName, Reader } from '../../wire/index.ts';
import { defineHandler, topicFor, topicName } from '../handler.ts';

const CONSUMER = 'consumer';
const SUBSCRIPTION_VERSION = 3;

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
    const subscribed = subscriptions(group);
    const places: OffsetPlace[] = [];
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex: partition }) => {
        let error: ErrorName = 'NONE';
        if (!context.may('READ', 'TOPIC', topicName(context, name))) error = 'TOPIC_AUTHORIZATION_FAILED';
        else if (!topicFor(context, name)?.partitions[partition]) error = 'UNKNOWN_TOPIC_OR_PARTITION';
        else if (!subscribed || subscribed.has(name)) error = 'GROUP_SUBSCRIBED_TO_TOPIC';
        else places.push({ topic: topicName(context, name), partition });
        return { partitionIndex: partition, errorCode: errorCode(error) };
      }),
    }));
    const result = await coordination.deleteOffsets(namespace, request.groupId, places);
    return result === 'NONE' ? { errorCode: 0, topics } : whole(result);
  },
});

/** Topics that some member subscribes to; undefined when a member says what cannot be read: it may be any. */
function subscriptions(group: Group): Set<string> | undefined {
  const topics = new Set<string>();
  for (const { protocols } of group.members.values()) {
    for (const { metadata } of protocols) {
      try {
        const reader = new Reader(metadata);
        // A later version only adds at the end.
        const version = Math.min(reader.int16(), SUBSCRIPTION_VERSION);
        for (const topic of decodeConsumerProtocolSubscription(reader, version).topics) topics.add(topic);
      } catch (error) {
        if (!(error instanceof MillraceError)) throw error;
        return undefined;
      }
    }
  }
  return topics;
}
