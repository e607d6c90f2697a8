/**
 * AddPartitionsToTxn.
 *
 * Versions: 0 to 5.
 * Behaviour: the partitions are part of the producer's transaction, durably, or none is: where one is refused, the others
 *   are 55. 48 where the id is in no state for it, 49 for another producer id, 51 while the transaction ends. With
 *   `verifyOnly` nothing is added: each partition is answered whether it is part of it.
 * Not done: nothing.
 * Versions differ: a fenced producer is 47 below 2, then 90; several transactions from 4, for brokers: who is not allowed
 *   CLUSTER_ACTION is 31. From 5 a partition that is not part of the transaction is 120 when verified.
 */
import type { TransactionOf } from '../../coordination/index.ts';
import { apis, errorCode, type ErrorName } from '../../wire/index.ts';
import { defineHandler, type RequestContext, topicFor, topicName } from '../handler.ts';
import { CLUSTER_NAME } from '../security/acl.ts';
import { abortableAs, fencedAs } from '../transactions.ts';

interface Wish {
  readonly name: string;
  readonly partitions: readonly number[];
}

interface TopicResult {
  readonly name: string;
  readonly resultsByPartition: readonly { readonly partitionIndex: number; readonly partitionErrorCode: number }[];
}

export default defineHandler({
  api: apis.addPartitionsToTxn,
  min: 0,
  max: 5,
  async handle(context, request) {
    const { namespace, version } = context;
    if (version < 4) {
      const id = request.v3AndBelowTransactionalId;
      const producer = { producerId: request.v3AndBelowProducerId, producerEpoch: request.v3AndBelowProducerEpoch };
      return { resultsByTopicV3AndBelow: await add(context, { namespace, id, ...producer }, request.v3AndBelowTopics) };
    }
    if (!context.may('CLUSTER_ACTION', 'CLUSTER', CLUSTER_NAME))
      return { errorCode: errorCode('CLUSTER_AUTHORIZATION_FAILED'), resultsByTransaction: [] };
    const resultsByTransaction = await Promise.all(
      request.transactions.map(async ({ producerEpoch, producerId, topics, transactionalId: id, verifyOnly }) => {
        const of = { namespace, id, producerEpoch, producerId };
        const topicResults = verifyOnly ? verify(context, of, topics) : await add(context, of, topics);
        return { transactionalId: id, topicResults };
      }),
    );
    return { errorCode: 0, resultsByTransaction };
  },
});

async function add(context: RequestContext, of: TransactionOf, wishes: readonly Wish[]): Promise<TopicResult[]> {
  if (!context.may('WRITE', 'TRANSACTIONAL_ID', of.id))
    return results(wishes, () => 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED');
  const refusal = (name: string, partition: number): ErrorName => {
    const topic = topicFor(context, name);
    if (!context.may('WRITE', 'TOPIC', topicName(context, name))) return 'TOPIC_AUTHORIZATION_FAILED';
    if (topic?.isInternal) return 'TOPIC_AUTHORIZATION_FAILED';
    return topic?.partitions[partition] ? 'NONE' : 'UNKNOWN_TOPIC_OR_PARTITION';
  };
  const places = wishes.flatMap(({ name, partitions }) =>
    partitions.map(partition => ({ name, topic: topicName(context, name), partition })),
  );
  if (places.some(({ name, partition }) => refusal(name, partition) !== 'NONE')) {
    return results(wishes, (name, partition) => {
      const error = refusal(name, partition);
      return error === 'NONE' ? 'OPERATION_NOT_ATTEMPTED' : error;
    });
  }
  const error = await context.coordination.transactions.addPartitions(of, places);
  return results(wishes, () => fencedAs(error, context.version >= 2));
}

function verify(context: RequestContext, of: TransactionOf, wishes: readonly Wish[]): TopicResult[] {
  const { transactions } = context.coordination;
  return results(wishes, (name, partition) => {
    const error = transactions.verify(of, topicName(context, name), partition);
    return error === 'PRODUCER_FENCED' ? 'INVALID_PRODUCER_EPOCH' : abortableAs(error, context.version >= 5);
  });
}

function results(wishes: readonly Wish[], errorOf: (name: string, partition: number) => ErrorName): TopicResult[] {
  return wishes.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map(partitionIndex => ({
      partitionIndex,
      partitionErrorCode: errorCode(errorOf(name, partitionIndex)),
    })),
  }));
}
