/**
 * SyncGroup.
 *
 * Versions: 0 to 5.
 * Behaviour: followers wait for the leader's assignment; who asks later gets it at once.
 * Not done: nothing.
 * Versions differ: instance id from 3; protocol type and name are checked from 5 (23).
 */
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';

export default defineHandler({
  api: apis.syncGroup,
  min: 0,
  max: 5,
  async handle(context, request) {
    const group = context.coordination.find(context.namespace, request.groupId);
    if (!group) return { errorCode: errorCode('UNKNOWN_MEMBER_ID'), assignment: new Uint8Array(0) };
    const result = await group.sync(
      request.memberId,
      request.groupInstanceId,
      request.generationId,
      request.protocolType,
      request.protocolName,
      request.assignments,
    );
    return {
      errorCode: errorCode(result.error),
      protocolType: result.protocolType,
      protocolName: result.protocol,
      assignment: result.assignment,
    };
  },
});
