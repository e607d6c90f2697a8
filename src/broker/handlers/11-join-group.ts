/**
 * JoinGroup.
 *
 * Versions: 0 to 9.
 * Behaviour: answered when the rebalance's join phase ends; only the leader gets the members. From 4 on a member without an
 *   id is first given one (79), static members (with an instance id) excepted. A static member that comes back gets the
 *   current generation without a rebalance.
 * Not done: nothing.
 * Versions differ: rebalance timeout from 1 (before, the session timeout), ids first from 4, instance id from 5, protocol
 *   type in the answer from 7, a leader that is told to skip the assignment from 9.
 */
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';

export default defineHandler({
  api: apis.joinGroup,
  min: 0,
  max: 9,
  waits: true,
  async handle(context, request) {
    const { client, coordination, namespace, version } = context;
    if (!context.may('READ', 'GROUP', request.groupId)) {
      const error = errorCode('GROUP_AUTHORIZATION_FAILED');
      return { errorCode: error, protocolName: '', leader: '', memberId: request.memberId, members: [] };
    }
    const result = await coordination.join(namespace, request.groupId, {
      memberId: request.memberId,
      instanceId: request.groupInstanceId,
      clientId: client.id,
      clientHost: `/${client.host}`,
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs < 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
      protocolType: request.protocolType,
      // The request's bytes are the frame's: what is kept is copied.
      protocols: request.protocols.map(({ metadata, name }) => ({ name, metadata: Uint8Array.from(metadata) })),
      needsMemberId: version >= 4,
      canSkipAssignment: version >= 9,
    });
    return {
      errorCode: errorCode(result.error),
      generationId: result.generation,
      protocolType: result.protocolType,
      protocolName: version >= 7 ? result.protocol : (result.protocol ?? ''),
      leader: result.leader,
      skipAssignment: result.skipsAssignment,
      memberId: result.memberId,
      members: result.members.map(({ instanceId, memberId, metadata }) => ({
        memberId,
        groupInstanceId: instanceId,
        metadata,
      })),
    };
  },
});
