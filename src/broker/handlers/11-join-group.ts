/**
 * JoinGroup.
 *
 * Versions: 0 to 9.
 * Behaviour: answered when the rebalance's join phase ends; only the leader gets the members. From 4 on a member without an
 *   id is first given one (79).
 * Not done: skipping the assignment (9): always false.
 * Versions differ: rebalance timeout from 1, instance id from 5, protocol type in the answer from 7.
 */
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';

export default defineHandler({
  api: apis.joinGroup,
  min: 0,
  max: 9,
  async handle(context, request) {
    const failed = (error: 'INVALID_GROUP_ID') => ({
      errorCode: errorCode(error),
      protocolName: '',
      leader: '',
      memberId: request.memberId,
      members: [],
    });
    if (request.groupId === '') return failed('INVALID_GROUP_ID');
    const result = await context.coordination.open(context.namespace, request.groupId).join({
      memberId: request.memberId,
      instanceId: request.groupInstanceId,
      clientId: context.client.id,
      clientHost: `/${context.client.address.replace(/:\d+$/, '')}`,
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs < 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
      protocolType: request.protocolType,
      // The request's bytes are the frame's: what is kept is copied.
      protocols: request.protocols.map(({ metadata, name }) => ({ name, metadata: Uint8Array.from(metadata) })),
      needsMemberId: context.version >= 4,
    });
    return {
      errorCode: errorCode(result.error),
      generationId: result.generation,
      protocolType: result.protocolType,
      protocolName: context.version >= 7 ? result.protocol : (result.protocol ?? ''),
      leader: result.leader,
      memberId: result.memberId,
      members: result.members.map(({ instanceId, memberId, metadata }) => ({
        memberId,
        groupInstanceId: instanceId,
        metadata,
      })),
    };
  },
});
