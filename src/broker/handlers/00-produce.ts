/**
 * Produce.
 *
 * Versions: 3 to 13 are answered; 0 to 2 are listed, because librdkafka before 2.1 writes uncompressed batches unless they
 *   are, and closed with a diagnosis when they are used, as Kafka 4 does.
 * Behaviour: each partition takes exactly one batch, checked (crc, counts, producer fields) and stored byte for byte but for
 *   base offset and leader epoch. acks=1 and acks=all answer after the sync; acks=0 has no answer, and an error closes
 *   the connection. A repeated batch of an idempotent producer answers with the first offsets. A full disk is 56.
 * Not done: transactions (48), formats 0 and 1.
 * Versions differ: topic ids from 13; error texts from 8; 56 is 6 before 4.
 */
import { MillraceError } from '../../base/index.ts';
import type { Partition, Topic } from '../../log/index.ts';
import {
  apis,
  errorCode,
  type ErrorName,
  errorName,
  type ProduceRequest,
  type ProduceRequestTopicDataPartitionData,
} from '../../wire/index.ts';
import { BatchHeader, validateBatch } from '../../wire/records/index.ts';
import { brokerErrors } from '../errors.ts';
import { CLOSE, defineHandler, NO_RESPONSE, type RequestContext, topicByNameOrId } from '../handler.ts';

interface PartitionAnswer {
  readonly index: number;
  readonly errorCode: number;
  readonly baseOffset: number;
  readonly logAppendTimeMs: number;
  readonly logStartOffset: number;
  readonly errorMessage: string | null;
}

const ACKS = [-1, 0, 1];

export default defineHandler({
  api: apis.produce,
  min: 3,
  listedMin: 0,
  max: 13,
  async handle(context, request) {
    const responses = await Promise.all(
      request.topicData.map(async topicData => {
        const topic = topicByNameOrId(context, topicData.name, topicData.topicId, context.version >= 13);
        const partitionResponses = await Promise.all(
          topicData.partitionData.map(data => producePartition(context, request, topic, topicData.name, data)),
        );
        return { name: topicData.name, topicId: topicData.topicId, partitionResponses };
      }),
    );
    if (request.acks !== 0) return { responses };
    const hasFailed = responses.some(({ partitionResponses }) =>
      partitionResponses.some(answer => answer.errorCode !== 0),
    );
    return hasFailed ? CLOSE : NO_RESPONSE;
  },
});

async function producePartition(
  context: RequestContext,
  request: ProduceRequest,
  topic: Topic | undefined,
  name: string,
  data: ProduceRequestTopicDataPartitionData,
): Promise<PartitionAnswer> {
  const partition = topic?.partitions[data.index];
  const refuse = (error: ErrorName, reason: string): PartitionAnswer => {
    const label = topic?.name ?? name;
    context.refusals.add(
      `${context.client.id} ${context.client.address}`,
      brokerErrors.produceRefused({ topic: label, partition: data.index, error, reason }),
    );
    const code = error === 'KAFKA_STORAGE_ERROR' && context.version < 4 ? 'NOT_LEADER_OR_FOLLOWER' : error;
    return {
      index: data.index,
      errorCode: errorCode(code),
      baseOffset: -1,
      logAppendTimeMs: -1,
      logStartOffset: -1,
      errorMessage: reason,
    };
  };
  if (!ACKS.includes(request.acks)) return refuse('INVALID_REQUIRED_ACKS', `acks=${request.acks}`);
  if (!topic || !partition) {
    const isById = context.version >= 13;
    return refuse(
      isById && !topic ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION',
      'there is no such topic or partition',
    );
  }
  if (topic.isInternal) return refuse('TOPIC_AUTHORIZATION_FAILED', 'internal topics are written by Millrace only');
  const records = data.records;
  if (!records || records.length === 0) return refuse('INVALID_RECORD', 'a request without records');
  const refusal = batchRefusal(context, request, topic, records);
  if (refusal) return refuse(...refusal);
  return append(context, topic, partition, records, refuse);
}

function batchRefusal(
  context: RequestContext,
  request: ProduceRequest,
  topic: Topic,
  records: Uint8Array,
): [ErrorName, string] | undefined {
  const defect = validateBatch(records);
  if (defect) return [defect.error, defect.reason];
  const header = new BatchHeader(records);
  const max = Number(topic.configs.get('max.message.bytes') ?? 1_048_588);
  if (records.length > max)
    return ['MESSAGE_TOO_LARGE', `a batch of ${records.length} bytes, max.message.bytes is ${max}`];
  if (header.codec === 4 && context.version < 7) return ['UNSUPPORTED_COMPRESSION_TYPE', 'zstd needs Produce 7'];
  if (header.isTransactional || request.transactionalId !== null) {
    return ['INVALID_TXN_STATE', 'transactions are not implemented in this version'];
  }
  return undefined;
}

async function append(
  context: RequestContext,
  topic: Topic,
  partition: Partition,
  records: Uint8Array,
  refuse: (error: ErrorName, reason: string) => PartitionAnswer,
): Promise<PartitionAnswer> {
  const isAppendTime = topic.configs.get('message.timestamp.type') === 'LogAppendTime';
  try {
    context.frame?.hold();
    const result = await context.log.append(
      partition,
      records,
      context.frame,
      isAppendTime ? context.io.clock.now() : -1,
    );
    context.counters.producedBytes += records.length;
    context.counters.producedBatches++;
    return {
      index: partition.index,
      errorCode: 0,
      baseOffset: result.baseOffset,
      logAppendTimeMs: result.logAppendTimeMs,
      logStartOffset: partition.startOffset,
      errorMessage: null,
    };
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return refuse(errorName(error.row.kafka ?? -1), error.message);
  }
}
