/**
 * ListTransactions.
 *
 * Versions: 0 to 2.
 * Behaviour: the transactional ids that the client may describe, by state and producer id where it asks for some; names of
 *   states that there are not come back as unknown.
 * Not done: nothing.
 * Versions differ: those open for longer than a duration from 1, by a regular expression from 2, where a bad one is 128.
 */
import { wholePattern } from '../../base/index.ts';
import { KAFKA_NAMES, type TransactionState } from '../../coordination/index.ts';
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';

const NAMES = [...Object.values(KAFKA_NAMES), 'PrepareEpochFence'];
const SHOWN_LESS: TransactionState = 'dead';

export default defineHandler({
  api: apis.listTransactions,
  min: 0,
  max: 2,
  handle(context, request) {
    const { durationFilter, producerIdFilters, stateFilters, transactionalIdPattern } = request;
    const pattern = (transactionalIdPattern ?? '') === '' ? undefined : wholePattern(transactionalIdPattern!);
    if (pattern && 'defect' in pattern)
      return { errorCode: errorCode('INVALID_REGULAR_EXPRESSION'), unknownStateFilters: [], transactionStates: [] };
    const unknownStateFilters = stateFilters.filter(name => !NAMES.includes(name));
    const now = context.io.clock.now();
    const transactionStates = context.coordination.transactions
      .list(context.namespace)
      .filter(({ id, producer, startedMs, state }) => {
        if (state === SHOWN_LESS || !context.may('DESCRIBE', 'TRANSACTIONAL_ID', id, false)) return false;
        if (stateFilters.length > 0 && !stateFilters.includes(KAFKA_NAMES[state])) return false;
        if (producerIdFilters.length > 0 && !producerIdFilters.includes(producer.producerId)) return false;
        if (durationFilter >= 0 && (startedMs < 0 || now - startedMs <= durationFilter)) return false;
        return !pattern || pattern(id);
      })
      .map(({ id, producer, state }) => ({
        transactionalId: id,
        producerId: producer.producerId,
        transactionState: KAFKA_NAMES[state],
      }));
    return { errorCode: 0, unknownStateFilters, transactionStates };
  },
});
