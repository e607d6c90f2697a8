/**
 * LeaveGroup.
 *
 * Versions: 0 to 5.
 * Behaviour: the group rebalances at once. Static members are named by instance id, by an administrator too.
 * Not done: nothing.
 * Versions differ: several members from 3, with an error for each.
 */
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';

export default defineHandler({
  api: apis.leaveGroup,
  min: 0,
  max: 5,
  handle(context, request) {
    const group = context.coordination.find(context.namespace, request.groupId);
    const leave = (memberId: string, instanceId: string | null): number =>
      errorCode(group?.leave(memberId, instanceId) ?? 'UNKNOWN_MEMBER_ID');
    if (context.version < 3) return { errorCode: leave(request.memberId, null) };
    const members = request.members.map(({ groupInstanceId, memberId }) => ({
      memberId,
      groupInstanceId,
      errorCode: leave(memberId, groupInstanceId),
    }));
    return { errorCode: 0, members };
  },
});
