/**
 * SyncGroup.
 *
 * Versions: 0 to 5.
 * Behaviour: followers wait for the leader's assignment; who asks later gets it at once. A rebalance that begins meanwhile
 *   is 27; members that do not ask within the rebalance timeout are out.
 * Not done: nothing.
 * Versions differ: instance id from 3; protocol type and name are checked from 5 (23).
 */
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';

export default defineHandler({
  api: apis.syncGroup,
  min: 0,
  max: 5,
  waits: true,
  async handle(context, request) {
    if (!context.may('READ', 'GROUP', request.groupId))
      return { errorCode: errorCode('GROUP_AUTHORIZATION_FAILED'), assignment: new Uint8Array(0) };
    const result = await context.coordination.sync(context.namespace, request.groupId, {
      memberId: request.memberId,
      instanceId: request.groupInstanceId,
      generation: request.generationId,
      protocolType: request.protocolType,
      protocol: request.protocolName,
      assignments: request.assignments,
    });
    return {
      errorCode: errorCode(result.error),
      protocolType: result.protocolType,
      protocolName: result.protocol,
      assignment: result.assignment,
    };
  },
});
