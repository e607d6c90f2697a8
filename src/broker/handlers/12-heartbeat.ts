/**
 * Heartbeat.
 *
 * Versions: 0 to 4.
 * Behaviour: keeps the member's session; 27 while the group prepares a rebalance, 25 for a member that is not in it.
 * Not done: nothing.
 * Versions differ: instance id from 3.
 */
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';

export default defineHandler({
  api: apis.heartbeat,
  min: 0,
  max: 4,
  handle(context, request) {
    if (!context.may('READ', 'GROUP', request.groupId)) return { errorCode: errorCode('GROUP_AUTHORIZATION_FAILED') };
    const { generationId, groupId, groupInstanceId, memberId } = request;
    const error = context.coordination.heartbeat(context.namespace, groupId, memberId, groupInstanceId, generationId);
    return { errorCode: errorCode(error) };
  },
});
