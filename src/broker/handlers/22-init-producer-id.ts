/**
 * InitProducerId.
 *
 * Versions: 0 to 5.
 * Behaviour: a new producer id with epoch 0, from a block that is durable before it is used. A producer that names its
 *   current id (from 3) gets a new one, too, as from Kafka: without a transactional id nobody can tell whose it is.
 *   With a transactional id: its producer, fenced from earlier ones by a new epoch (or a new id, where epochs are used up),
 *   when what they left open is aborted, durably. A time-out of 0, or above the limit, is 50.
 * Not done: two-phase commit (6).
 * Versions differ: current id and epoch from 3: one without the other is 42. A fenced producer is 47 below 4, then 90.
 */
import { apis, errorCode } from '../../wire/index.ts';
import { nameOf } from '../answers.ts';
import { defineHandler } from '../handler.ts';
import { CLUSTER_NAME } from '../security/acl.ts';
import { fencedAs } from '../transactions.ts';

const NO_PRODUCER = { producerId: -1, producerEpoch: -1 };

export default defineHandler({
  api: apis.initProducerId,
  min: 0,
  max: 5,
  async handle(context, request) {
    const { producerEpoch, producerId, transactionalId } = request;
    const { client, identity, security } = context;
    if (transactionalId !== null && !context.may('WRITE', 'TRANSACTIONAL_ID', transactionalId))
      return { errorCode: errorCode('TRANSACTIONAL_ID_AUTHORIZATION_FAILED'), ...NO_PRODUCER };
    const isIdempotent = transactionalId === null;
    const mayWrite =
      !isIdempotent ||
      security.authorizer.allowsAny(identity, client.host, 'WRITE', 'TOPIC') ||
      context.may('IDEMPOTENT_WRITE', 'CLUSTER', CLUSTER_NAME);
    if (!mayWrite) return { errorCode: errorCode('CLUSTER_AUTHORIZATION_FAILED'), ...NO_PRODUCER };
    if (producerId < 0 !== producerEpoch < 0) return { errorCode: errorCode('INVALID_REQUEST'), ...NO_PRODUCER };
    if (transactionalId !== null) {
      const { transactions } = context.coordination;
      const current = { producerId, producerEpoch };
      const timeoutMs = request.transactionTimeoutMs;
      const { error, ...producer } = await transactions.initialise(
        context.namespace,
        transactionalId,
        timeoutMs,
        current,
      );
      return { errorCode: errorCode(fencedAs(error, context.version >= 4)), ...producer };
    }
    try {
      return { errorCode: 0, producerId: await context.log.newProducerId(), producerEpoch: 0 };
    } catch (error) {
      // The block could not be made durable: the client asks again.
      nameOf(context, error, ['KAFKA_STORAGE_ERROR']);
      return { errorCode: errorCode('COORDINATOR_NOT_AVAILABLE'), ...NO_PRODUCER };
    }
  },
});
