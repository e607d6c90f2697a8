/**
 * DescribeGroups.
 *
 * Versions: 0 to 6.
 * Behaviour: state and members; in a stable group also the protocol, what members said of themselves and what they were
 *   assigned, as bytes that nobody reads here. An unknown group, and one of the newer protocol (which
 *   ConsumerGroupDescribe describes), is "Dead" without an error, 69 from 6 on.
 * Not done: nothing.
 * Versions differ: authorised operations from 3, instance id from 4, error text from 6.
 */
import { type AnyGroup, type GroupState, metadataFor } from '../../coordination/index.ts';
import { apis, type DescribeGroupsResponseGroupsInput, errorCode } from '../../wire/index.ts';
import { authorizedOperations, distinct } from '../answers.ts';
import { defineHandler, type RequestContext } from '../handler.ts';

/** As Kafka calls them. */
const STATE_NAMES: Readonly<Record<GroupState, string>> = {
  empty: 'Empty',
  gathering: 'PreparingRebalance',
  preparing: 'PreparingRebalance',
  completing: 'CompletingRebalance',
  stable: 'Stable',
  dead: 'Dead',
};

export function stateName(group: AnyGroup): string {
  return group.type === 'classic' ? STATE_NAMES[group.state] : group.state;
}

const NO_BYTES = new Uint8Array(0);

export default defineHandler({
  api: apis.describeGroups,
  min: 0,
  max: 6,
  handle(context, request) {
    const isAsked = request.includeAuthorizedOperations;
    const groups = distinct(request.groups, groupId => groupId).map(groupId => ({
      ...describe(context, groupId),
      authorizedOperations: authorizedOperations(context, 'GROUP', groupId, isAsked),
    }));
    return { groups };
  },
});

function describe(context: RequestContext, groupId: string): DescribeGroupsResponseGroupsInput {
  const { coordination, namespace, version } = context;
  if (!context.may('DESCRIBE', 'GROUP', groupId)) {
    return {
      errorCode: errorCode('GROUP_AUTHORIZATION_FAILED'),
      errorMessage: `not allowed to describe ${groupId}`,
      groupId,
      groupState: '',
      protocolType: '',
      protocolData: '',
      members: [],
    };
  }
  const group = coordination.find(namespace, groupId);
  if (group?.type !== 'classic') {
    const reason = group ? `group ${groupId} is not a classic group` : `there is no group ${groupId}`;
    const isError = version >= 6;
    return {
      errorCode: errorCode(isError ? 'GROUP_ID_NOT_FOUND' : 'NONE'),
      errorMessage: isError ? reason : null,
      groupId,
      groupState: STATE_NAMES.dead,
      protocolType: '',
      protocolData: '',
      members: [],
    };
  }
  const isStable = group.state === 'stable';
  return {
    errorCode: 0,
    errorMessage: null,
    groupId,
    groupState: STATE_NAMES[group.state],
    protocolType: group.protocolType,
    protocolData: isStable ? (group.protocol ?? '') : '',
    members: [...group.members.values()].map(member => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: isStable ? metadataFor(member, group.protocol) : NO_BYTES,
      memberAssignment: isStable ? member.assignment : NO_BYTES,
    })),
  };
}
