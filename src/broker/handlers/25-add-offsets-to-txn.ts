/**
 * AddOffsetsToTxn.
 *
 * Versions: 0 to 4.
 * Behaviour: the group is part of the producer's transaction, durably: TxnOffsetCommit may follow. 48, 49 and 51 as for
 *   AddPartitionsToTxn; an empty group id is 24.
 * Not done: nothing.
 * Versions differ: a fenced producer is 47 below 2, then 90.
 */
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';
import { fencedAs } from '../transactions.ts';

export default defineHandler({
  api: apis.addOffsetsToTxn,
  min: 0,
  max: 4,
  async handle(context, request) {
    const { groupId, producerEpoch, producerId, transactionalId: id } = request;
    if (!context.may('WRITE', 'TRANSACTIONAL_ID', id))
      return { errorCode: errorCode('TRANSACTIONAL_ID_AUTHORIZATION_FAILED') };
    if (!context.may('READ', 'GROUP', groupId)) return { errorCode: errorCode('GROUP_AUTHORIZATION_FAILED') };
    if (groupId === '' || groupId.length > context.coordination.settings.groupIdCharsMax)
      return { errorCode: errorCode('INVALID_GROUP_ID') };
    const of = { namespace: context.namespace, id, producerEpoch, producerId };
    const error = await context.coordination.transactions.addGroup(of, groupId);
    return { errorCode: errorCode(fencedAs(error, context.version >= 2)) };
  },
});
