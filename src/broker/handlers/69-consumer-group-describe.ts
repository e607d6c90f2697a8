/**
 * ConsumerGroupDescribe.
 *
 * Versions: 0 and 1.
 * Behaviour: KIP-848. State, epochs and members with what they hold and what they are to have. An unknown group, and a classic one,
 *   is 69; one with topics that the client may not describe is 29.
 * Not done: nothing.
 * Versions differ: which protocol a member speaks from 1.
 */
import type { ConsumerGroup, ConsumerMember, PartitionSet } from '../../coordination/index.ts';
import { apis, type ConsumerGroupDescribeResponseGroupsInput, errorCode, type ErrorName } from '../../wire/index.ts';
import { authorizedOperations, distinct } from '../answers.ts';
import { defineHandler, type RequestContext } from '../handler.ts';
import { topicsOf } from './68-consumer-group-heartbeat.ts';

const CLASSIC_MEMBER = 0;
const CONSUMER_MEMBER = 1;

export default defineHandler({
  api: apis.consumerGroupDescribe,
  min: 0,
  max: 1,
  handle(context, request) {
    const isAsked = request.includeAuthorizedOperations;
    const groups = distinct(request.groupIds, groupId => groupId).map(groupId => ({
      ...describe(context, groupId),
      authorizedOperations: authorizedOperations(context, 'GROUP', groupId, isAsked),
    }));
    return { groups };
  },
});

function describe(context: RequestContext, groupId: string): ConsumerGroupDescribeResponseGroupsInput {
  const failed = (error: ErrorName, errorMessage: string): ConsumerGroupDescribeResponseGroupsInput => ({
    errorCode: errorCode(error),
    errorMessage,
    groupId,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: '',
    members: [],
  });
  if (!context.may('DESCRIBE', 'GROUP', groupId))
    return failed('GROUP_AUTHORIZATION_FAILED', `not allowed to describe group ${groupId}`);
  const group = context.coordination.find(context.namespace, groupId);
  if (!group) return failed('GROUP_ID_NOT_FOUND', `there is no group ${groupId}`);
  if (group.type !== 'consumer') return failed('GROUP_ID_NOT_FOUND', `group ${groupId} is not a consumer group`);
  const hidden = topicsOfMembers(context, group).find(topic => !context.may('DESCRIBE', 'TOPIC', topic));
  if (hidden !== undefined)
    return failed('TOPIC_AUTHORIZATION_FAILED', 'the group has topics that you are not allowed to describe');
  return {
    errorCode: 0,
    errorMessage: null,
    groupId,
    groupState: group.state,
    groupEpoch: group.epoch,
    assignmentEpoch: group.targetEpoch,
    assignorName: group.assignor,
    members: [...group.members.values()].map(member => memberOf(context, member)),
  };
}

function memberOf(context: RequestContext, { holding, id, profile, target }: ConsumerMember) {
  return {
    memberId: id,
    instanceId: profile.instanceId,
    rackId: profile.rackId,
    memberEpoch: holding.epoch,
    clientId: profile.clientId,
    clientHost: profile.clientHost,
    subscribedTopicNames: [...profile.topics].sort(),
    subscribedTopicRegex: profile.regex,
    assignment: { topicPartitions: named(context, holding.assigned) },
    targetAssignment: { topicPartitions: named(context, target) },
    memberType: profile.classic ? CLASSIC_MEMBER : CONSUMER_MEMBER,
  };
}

function named({ log }: RequestContext, set: PartitionSet) {
  return topicsOf(set).flatMap(({ partitions, topicId }) => {
    const topic = log.topicById(topicId);
    return topic ? [{ topicId, topicName: topic.name, partitions }] : [];
  });
}

function topicsOfMembers(context: RequestContext, group: ConsumerGroup): string[] {
  const names = new Set<string>();
  for (const { holding, target } of group.members.values())
    for (const set of [holding.assigned, target]) for (const { topicName } of named(context, set)) names.add(topicName);
  return [...names];
}
