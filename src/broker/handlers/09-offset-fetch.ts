/**
 * OffsetFetch.
 *
 * Versions: 0 to 10.
 * Behaviour: an unknown group, or a partition without a commit, is offset -1 without an error. Null topics mean everything
 *   that the group has committed. With `requireStable` (7+) an offset that an open transaction commits anew is 88: the client
 *   comes again when it is decided.
 * Not done: nothing.
 * Versions differ: an unknown partition is 3 in 0; null topics from 2, several groups from 8, from 9 on
 *   a member of a consumer group is refused with 25 when it is none and 113 in another epoch; topic ids from 10, where an
 *   unknown one is 100: the client must not take it for a partition without a commit.
 */
import type { CommittedOffset } from '../../coordination/index.ts';
import { apis, errorCode, type ErrorName, ZERO_UUID } from '../../wire/index.ts';
import { distinct } from '../answers.ts';
import { defineHandler, type RequestContext, topicByNameOrId, topicFor, topicName } from '../handler.ts';

const DENIED = errorCode('GROUP_AUTHORIZATION_FAILED');

interface Wish {
  readonly name: string;
  readonly topicId: string;
  readonly partitionIndexes: readonly number[];
}

interface PartitionAnswer {
  readonly partitionIndex: number;
  readonly committedOffset: number;
  readonly committedLeaderEpoch: number;
  readonly metadata: string | null;
  readonly errorCode: number;
}

interface TopicAnswer {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: PartitionAnswer[];
}

export default defineHandler({
  api: apis.offsetFetch,
  min: 0,
  max: 10,
  handle(context, request) {
    const isStable = request.requireStable;
    if (context.version >= 8) {
      const groups = distinct(request.groups, ({ groupId }) => groupId).map(
        ({ groupId, memberEpoch, memberId, topics }) => {
          if (!context.may('DESCRIBE', 'GROUP', groupId)) return { groupId, topics: [], errorCode: DENIED };
          const group = context.coordination.find(context.namespace, groupId);
          const error = group?.type === 'consumer' ? group.fetchError(memberId, memberEpoch) : 'NONE';
          if (error !== 'NONE') return { groupId, topics: [], errorCode: errorCode(error) };
          return {
            groupId,
            topics:
              topics === null ? everything(context, groupId, isStable) : wanted(context, groupId, topics, isStable),
          };
        },
      );
      return { groups };
    }
    const { groupId, topics } = request;
    if (!context.may('DESCRIBE', 'GROUP', groupId))
      return { topics: refused(context, topics ?? []), errorCode: DENIED };
    if (topics === null) return { topics: everything(context, groupId, isStable) };
    return {
      topics: wanted(
        context,
        groupId,
        topics.map(topic => ({ ...topic, topicId: ZERO_UUID })),
        isStable,
      ),
    };
  },
});

/** Before version 2 there is no place for an error but the partitions. */
function refused(
  { version }: RequestContext,
  topics: readonly { readonly name: string; readonly partitionIndexes: readonly number[] }[],
): TopicAnswer[] {
  if (version >= 2) return [];
  return topics.map(({ name, partitionIndexes }) => ({
    name,
    topicId: ZERO_UUID,
    partitions: partitionIndexes.map(index => answer(index, undefined, 'GROUP_AUTHORIZATION_FAILED')),
  }));
}

function wanted(context: RequestContext, groupId: string, wishes: readonly Wish[], isStable: boolean): TopicAnswer[] {
  const { coordination, namespace, version } = context;
  const isById = version >= 10;
  return wishes.map(({ name, partitionIndexes, topicId }) => {
    const topic = topicByNameOrId(context, name, topicId, isById);
    const mayDescribe = context.may('DESCRIBE', 'TOPIC', topic?.name ?? topicName(context, name), topic !== undefined);
    const partitions = partitionIndexes.map(index => {
      if ((topic || !isById) && !mayDescribe) return answer(index, undefined, 'TOPIC_AUTHORIZATION_FAILED');
      if (isById && !topic) return answer(index, undefined, 'UNKNOWN_TOPIC_ID');
      if (version === 0 && !topic?.partitions[index]) return answer(index, undefined, 'UNKNOWN_TOPIC_OR_PARTITION');
      const known = topic?.name ?? topicName(context, name);
      if (isStable && coordination.transactions.isPending(namespace, groupId, known, index))
        return answer(index, undefined, 'UNSTABLE_OFFSET_COMMIT');
      return answer(index, coordination.committed(namespace, groupId, known, index));
    });
    return { name, topicId, partitions };
  });
}

function everything(context: RequestContext, groupId: string, isStable: boolean): TopicAnswer[] {
  const { coordination, namespace } = context;
  const byTopic = new Map<string, PartitionAnswer[]>();
  for (const { offset, partition, topic } of coordination.allCommitted(namespace, groupId)) {
    if (!context.may('DESCRIBE', 'TOPIC', topic, false)) continue;
    const partitions = byTopic.get(topic) ?? [];
    const isUnstable = isStable && coordination.transactions.isPending(namespace, groupId, topic, partition);
    partitions.push(isUnstable ? answer(partition, undefined, 'UNSTABLE_OFFSET_COMMIT') : answer(partition, offset));
    byTopic.set(topic, partitions);
  }
  return [...byTopic].map(([name, partitions]) => ({
    name,
    topicId: topicFor(context, name)?.id ?? ZERO_UUID,
    partitions,
  }));
}

function answer(index: number, found: CommittedOffset | undefined, error: ErrorName = 'NONE'): PartitionAnswer {
  return {
    partitionIndex: index,
    committedOffset: found?.offset ?? -1,
    committedLeaderEpoch: found?.leaderEpoch ?? -1,
    metadata: found?.metadata ?? '',
    errorCode: errorCode(error),
  };
}
