/**
 * LeaveGroup.
 *
 * Versions: 0 to 5.
 * Behaviour: the group rebalances at once. Static members are named by instance id, by an administrator too (without a
 *   member id); another member id than the instance's is 82. An empty group id is 24.
 * Not done: the reason that a member gives (5) is not kept.
 * Versions differ: several members from 3, with an error for each.
 */
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';

export default defineHandler({
  api: apis.leaveGroup,
  min: 0,
  max: 5,
  async handle(context, request) {
    if (request.groupId === '') return { errorCode: errorCode('INVALID_GROUP_ID'), members: [] };
    if (!context.may('READ', 'GROUP', request.groupId))
      return { errorCode: errorCode('GROUP_AUTHORIZATION_FAILED'), members: [] };
    const leave = async (memberId: string, instanceId: string | null): Promise<number> =>
      errorCode(await context.coordination.leave(context.namespace, request.groupId, memberId, instanceId));
    if (context.version < 3) return { errorCode: await leave(request.memberId, null) };
    const members = await Promise.all(
      request.members.map(async ({ groupInstanceId, memberId }) => ({
        memberId,
        groupInstanceId,
        errorCode: await leave(memberId, groupInstanceId),
      })),
    );
    return { errorCode: 0, members };
  },
});
