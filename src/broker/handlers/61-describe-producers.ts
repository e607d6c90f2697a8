/**
 * DescribeProducers.
 *
 * Versions: 0.
 * Behaviour: the idempotent and transactional producers that a partition knows, with what is synced of them, and where their
 *   open transaction begins. An unknown partition is 3.
 * Not done: nothing. Coordinators have no epochs here: always 0.
 * Versions differ: there is one.
 */
import type { Partition } from '../../log/index.ts';
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler, topicFor, topicName } from '../handler.ts';

export default defineHandler({
  api: apis.describeProducers,
  min: 0,
  max: 0,
  handle(context, request) {
    return {
      topics: request.topics.map(({ name, partitionIndexes }) => {
        const topic = topicFor(context, name);
        const mayRead = context.may('READ', 'TOPIC', topicName(context, name));
        return {
          name,
          partitions: partitionIndexes.map(partitionIndex => {
            const partition = topic?.partitions[partitionIndex];
            if (mayRead && partition) return { partitionIndex, errorCode: 0, activeProducers: producersOf(partition) };
            const error = mayRead ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'TOPIC_AUTHORIZATION_FAILED';
            return { partitionIndex, errorCode: errorCode(error), activeProducers: [] };
          }),
        };
      }),
    };
  },
});

function producersOf({ producers, transactions }: Partition) {
  return Array.from(producers.stored(), ({ batches, epoch, producerId }) => ({
    producerId,
    producerEpoch: epoch,
    lastSequence: batches.at(-1)?.lastSequence ?? -1,
    lastTimestamp: batches.at(-1)?.maxTimestamp ?? -1,
    coordinatorEpoch: 0,
    currentTxnStartOffset: transactions.openSince(producerId) ?? -1,
  }));
}
