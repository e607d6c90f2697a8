/**
 * DescribeGroups.
 *
 * Versions: 0 to 6.
 * Behaviour: state, protocol, members with their bytes unread. An unknown group is "Dead" without an error, 69 from 6 on.
 * Not done: authorised operations.
 * Versions differ: instance id from 4, error text from 6.
 */
import type { GroupState } from '../../coordination/index.ts';
import { apis, type DescribeGroupsResponseGroupsInput, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';

export const STATE_NAMES: Readonly<Record<GroupState, string>> = {
  empty: 'Empty',
  preparing: 'PreparingRebalance',
  completing: 'CompletingRebalance',
  stable: 'Stable',
  dead: 'Dead',
};

export default defineHandler({
  api: apis.describeGroups,
  min: 0,
  max: 6,
  handle(context, request) {
    const known = context.coordination.list(context.namespace);
    const groups = request.groups.map((groupId): DescribeGroupsResponseGroupsInput => {
      const group = known.find(({ id }) => id === groupId);
      if (!group) {
        const isError = context.version >= 6;
        return {
          errorCode: errorCode(isError ? 'GROUP_ID_NOT_FOUND' : 'NONE'),
          errorMessage: isError ? `no group ${groupId}` : null,
          groupId,
          groupState: 'Dead',
          protocolType: '',
          protocolData: '',
          members: [],
        };
      }
      return {
        errorCode: 0,
        errorMessage: null,
        groupId,
        groupState: STATE_NAMES[group.state],
        protocolType: group.protocolType,
        protocolData: group.protocol ?? '',
        members: [...group.members.values()].map(member => ({
          memberId: member.id,
          groupInstanceId: member.instanceId,
          clientId: member.clientId,
          clientHost: member.clientHost,
          memberMetadata: member.protocols.find(({ name }) => name === group.protocol)?.metadata ?? new Uint8Array(0),
          memberAssignment: member.assignment,
        })),
      };
    });
    return { groups };
  },
});
