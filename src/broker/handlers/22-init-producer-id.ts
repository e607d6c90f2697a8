/**
 * InitProducerId.
 *
 * Versions: 0 to 5.
 * Behaviour: a new producer id with epoch 0, from a block that is durable before it is used. With a current id and epoch
 *   (from 3) the epoch is raised by one, so that an idempotent producer can go on after an error.
 * Not done: transactional ids are refused with 15 (COORDINATOR_NOT_AVAILABLE is retried for ever, so: 42 INVALID_REQUEST).
 * Versions differ: current id and epoch from 3.
 */
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';

const EPOCH_MAX = 32_766;

export default defineHandler({
  api: apis.initProducerId,
  min: 0,
  max: 5,
  async handle(context, request) {
    if (request.transactionalId !== null) {
      return { errorCode: errorCode('INVALID_REQUEST'), producerId: -1, producerEpoch: -1 };
    }
    if (request.producerId >= 0 && request.producerEpoch >= 0 && request.producerEpoch < EPOCH_MAX) {
      return { errorCode: 0, producerId: request.producerId, producerEpoch: request.producerEpoch + 1 };
    }
    return { errorCode: 0, producerId: await context.log.newProducerId(), producerEpoch: 0 };
  },
});
