/**
 * EndTxn.
 *
 * Versions: 0 to 5.
 * Behaviour: markers of all partitions, the offsets of the transaction and its end become durable in one frame of the
 *   journal, then it is answered. A repetition of the request that ended the last transaction is answered as that was,
 *   another end of nothing is 48. 49 for another producer id, 51 while the transaction ends. What cannot be made durable
 *   now is 15, and the transaction stays open.
 * Not done: nothing.
 * Versions differ: a fenced producer is 47 below 2, then 90. From 5 each end gives the producer a new epoch, in the answer,
 *   so that a delayed request cannot meet the next transaction; an abort of nothing does so, too.
 */
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';
import { fencedAs } from '../transactions.ts';

export default defineHandler({
  api: apis.endTxn,
  min: 0,
  max: 5,
  async handle(context, request) {
    const { committed, transactionalId: id, ...producer } = request;
    if (!context.may('WRITE', 'TRANSACTIONAL_ID', id))
      return { errorCode: errorCode('TRANSACTIONAL_ID_AUTHORIZATION_FAILED') };
    const { producerEpoch, producerId } = producer;
    const of = { namespace: context.namespace, id, producerEpoch, producerId };
    const { error, ...next } = await context.coordination.transactions.endOf(of, committed, context.version >= 5);
    return { errorCode: errorCode(fencedAs(error, context.version >= 2)), ...next };
  },
});
