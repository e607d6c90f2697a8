/**
 * OffsetFetch.
 *
 * Versions: 0 to 10.
 * Behaviour: an unknown group, or a partition without a commit, is offset -1 without an error. Null topics mean everything
 *   that the group has committed.
 * Not done: member epochs (9+) belong to the newer group protocol, which is not listed.
 * Versions differ: an unknown partition is 3 in 0, as if without a commit from 1 on; null topics from 2, several groups from 8, topic ids from 10.
 */
import type { CommittedOffset } from '../../coordination/index.ts';
import { apis, errorCode, type ErrorName, type OffsetFetchRequestGroupsTopics, ZERO_UUID } from '../../wire/index.ts';
import { defineHandler, type RequestContext, topicByNameOrId, topicFor } from '../handler.ts';

interface Wish {
  readonly name: string;
  readonly topicId: string;
  readonly partitionIndexes: readonly number[];
}

export default defineHandler({
  api: apis.offsetFetch,
  min: 0,
  max: 10,
  handle(context, request) {
    if (context.version < 8) {
      const wishes = request.topics?.map(topic => ({ ...topic, topicId: ZERO_UUID })) ?? null;
      return { topics: topicsOf(context, request.groupId, wishes) };
    }
    const groups = request.groups.map(({ groupId, topics }) => ({
      groupId,
      topics: topicsOf(context, groupId, topics?.map(topic => resolve(context, topic)) ?? null),
    }));
    return { groups };
  },
});

function resolve(context: RequestContext, topic: OffsetFetchRequestGroupsTopics): Wish {
  if (context.version < 10) return topic;
  return { ...topic, name: topicByNameOrId(context, '', topic.topicId, true)?.name ?? '' };
}

function topicsOf(
  context: RequestContext,
  groupId: string,
  wishes: readonly Wish[] | null,
): { name: string; topicId: string; partitions: ReturnType<typeof partitionOf>[] }[] {
  if (wishes !== null) {
    return wishes.map(({ name, partitionIndexes, topicId }) => ({
      name,
      topicId,
      partitions: partitionIndexes.map(index => {
        const committed = context.coordination.committed(context.namespace, groupId, name, index);
        const isUnknown = context.version === 0 && !topicFor(context, name)?.partitions[index];
        return partitionOf(index, committed, isUnknown ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'NONE');
      }),
    }));
  }
  const byTopic = new Map<string, ReturnType<typeof partitionOf>[]>();
  for (const { offset, partition, topic } of context.coordination.allCommitted(context.namespace, groupId)) {
    const partitions = byTopic.get(topic) ?? [];
    partitions.push(partitionOf(partition, offset));
    byTopic.set(topic, partitions);
  }
  return [...byTopic].map(([name, partitions]) => ({
    name,
    topicId: topicFor(context, name)?.id ?? ZERO_UUID,
    partitions,
  }));
}

function partitionOf(
  partitionIndex: number,
  found: CommittedOffset | undefined,
  error: ErrorName = 'NONE',
): {
  partitionIndex: number;
  committedOffset: number;
  committedLeaderEpoch: number;
  metadata: string | null;
  errorCode: number;
} {
  return {
    partitionIndex,
    committedOffset: found?.offset ?? -1,
    committedLeaderEpoch: found?.leaderEpoch ?? -1,
    metadata: found?.metadata ?? '',
    errorCode: errorCode(error),
  };
}
