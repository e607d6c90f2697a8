/**
 * DescribeTransactions.
 *
 * Versions: 0.
 * Behaviour: state, producer, time-out and partitions of transactional ids; partitions of topics that the client may not
 *   describe are left out. An unknown id is 105.
 * Not done: nothing.
 * Versions differ: there is one.
 */
import { KAFKA_NAMES } from '../../coordination/index.ts';
import { apis, errorCode } from '../../wire/index.ts';
import { distinct } from '../answers.ts';
import { defineHandler } from '../handler.ts';

const NOBODY = {
  transactionState: '',
  transactionTimeoutMs: 0,
  transactionStartTimeMs: -1,
  producerId: -1,
  producerEpoch: -1,
  topics: [],
};

export default defineHandler({
  api: apis.describeTransactions,
  min: 0,
  max: 0,
  handle(context, request) {
    const { coordination, namespace } = context;
    const transactionStates = distinct(request.transactionalIds, id => id).map(transactionalId => {
      const failed = { ...NOBODY, transactionalId };
      if (!context.may('DESCRIBE', 'TRANSACTIONAL_ID', transactionalId))
        return { ...failed, errorCode: errorCode('TRANSACTIONAL_ID_AUTHORIZATION_FAILED') };
      const found = coordination.transactions.find(namespace, transactionalId);
      if (!found) return { ...failed, errorCode: errorCode('TRANSACTIONAL_ID_NOT_FOUND') };
      const topics = new Map<string, number[]>();
      for (const { partition, topic } of found.partitions.values()) {
        if (!context.may('DESCRIBE', 'TOPIC', topic, false)) continue;
        topics.set(topic, [...(topics.get(topic) ?? []), partition]);
      }
      return {
        errorCode: 0,
        transactionalId,
        transactionState: KAFKA_NAMES[found.state],
        transactionTimeoutMs: found.timeoutMs,
        transactionStartTimeMs: found.startedMs,
        ...found.producer,
        topics: Array.from(topics, ([topic, partitions]) => ({ topic, partitions })),
      };
    });
    return { transactionStates };
  },
});
