/**
 * Produce.
 *
 * Versions: 0 to 13.
 * Behaviour: from 3 on each partition takes exactly one batch, checked (size, crc, counts, producer fields, times) and stored
 *   byte for byte but for base offset and leader epoch, with LogAppendTime also time and crc. Below it takes a message set
 *   of formats 0 and 1, which becomes batches with the same codec, stored together or not at all; one request of a
 *   connection after the other, so that none overtakes.
 *   acks=1 and acks=all answer after the sync; acks=0 has no answer, and an error closes the connection; other acks are 21.
 *   A repeated batch of an idempotent producer answers with the first offsets. A full disk is 56. One partition's error
 *   does not keep the others from being written.
 *   A transactional batch is taken when the partition is part of its producer's open transaction; from 12 on the batch itself
 *   makes it so, in its own frame. Outside it is 48, or 120 from 11 on, and so is a plain batch under a transactional id;
 *   a fenced producer is 47, one whose transaction is just ending 51, below 12 19, which clients try again.
 * Not done: nothing.
 * Versions differ: append time from 2; 87 is 2 below 3; 56 is 6 below 4; zstd from 7; error texts from 8; topic ids from 13.
 */
import { messageOf } from '../../base/index.ts';
import type { Adding } from '../../coordination/index.ts';
import type { AppendResult, Partition, StateChange, Topic } from '../../log/index.ts';
import {
  apis,
  errorCode,
  type ErrorName,
  type ProduceRequest,
  type ProduceRequestTopicDataPartitionData,
} from '../../wire/index.ts';
import { BatchHeader, CODEC } from '../../wire/records/index.ts';
import { nameOf } from '../answers.ts';
import { appendTimeOf, batchDefect, type Refusal, timeRefusal } from '../append-rules.ts';
import { brokerErrors } from '../errors.ts';
import {
  type ClientInfo,
  CLOSE,
  defineHandler,
  NO_RESPONSE,
  type RequestContext,
  topicByNameOrId,
  topicName,
} from '../handler.ts';
import { isJsonAlias } from '../logstores.ts';
import type { ParseFormat } from '../parse-formats.ts';
import { PRODUCE_OF_FORMAT_2, toBatches } from '../record-formats.ts';
import { principalText } from '../security/identity.ts';
import { numberConfig } from '../topic-configs.ts';

interface PartitionAnswer {
  readonly index: number;
  readonly errorCode: number;
  readonly baseOffset: number;
  readonly logAppendTimeMs: number;
  readonly logStartOffset: number;
  readonly errorMessage: string | null;
}

/** What a request holds for one partition: batches (below version 3 first a message set) and where they go, or why not. */
type Part = { readonly index: number; readonly label: string } & (
  | { readonly refusal: Refusal }
  | {
      readonly refusal?: never;
      readonly partition: Partition;
      readonly batches: readonly Uint8Array[];
      /** How the values are meant, where that is asked. */
      readonly format: ParseFormat | undefined;
      readonly transactionalId: string | null;
    }
);

interface TopicParts {
  readonly name: string;
  readonly topicId: string;
  readonly parts: readonly Part[];
}

const ACKS = [-1, 0, 1];
/** First Produce whose clients abort on 120. */
const PRODUCE_OF_ABORTABLE = 11;
/** First Produce that makes its partitions part of the transaction. */
const PRODUCE_THAT_ADDS = 12;
const NO_RECORDS = new Uint8Array(0);
/** What converting and appending may fail with. */
const WRITE_ERRORS: readonly ErrorName[] = [
  'CORRUPT_MESSAGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'MESSAGE_TOO_LARGE',
  'UNSUPPORTED_COMPRESSION_TYPE',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'INVALID_TXN_STATE',
  'INVALID_PRODUCER_EPOCH',
  'KAFKA_STORAGE_ERROR',
];

export default defineHandler({
  api: apis.produce,
  min: 0,
  max: 13,
  async handle(context, request) {
    const topics = request.topicData.map(({ name, partitionData, topicId }): TopicParts => {
      const isById = context.version >= 13;
      const topic = topicByNameOrId(context, name, topicId, isById);
      const isAlias = isById ? topic !== undefined && topic.id !== topicId : isJsonAlias(name);
      const format = !context.isLogService ? undefined : isAlias ? 'json' : 'text';
      return { name, topicId, parts: partitionData.map(data => partOf(context, request, topic, name, format, data)) };
    });
    const isConverted = context.version < PRODUCE_OF_FORMAT_2;
    const answers = isConverted ? await startInTurn(context, topics) : start(context, topics);
    const responses = await Promise.all(
      topics.map(async ({ name, topicId }, i) => ({
        name,
        topicId,
        partitionResponses: await Promise.all(answers[i]!),
      })),
    );
    if (request.acks !== 0) return { responses };
    const hasFailed = responses.some(({ partitionResponses }) =>
      partitionResponses.some(answer => answer.errorCode !== 0),
    );
    return hasFailed ? CLOSE : NO_RESPONSE;
  },
});

function partOf(
  context: RequestContext,
  request: ProduceRequest,
  topic: Topic | undefined,
  name: string,
  format: ParseFormat | undefined,
  data: ProduceRequestTopicDataPartitionData,
): Part {
  const { index } = data;
  const label = topic?.name ?? topicName(context, name);
  const isAuthorized = (!topic && context.version >= 13) || context.may('WRITE', 'TOPIC', label, false);
  if (!isAuthorized) {
    const reason = `${principalText(context.identity)} may not write to it`;
    return { index, label, refusal: ['TOPIC_AUTHORIZATION_FAILED', reason] };
  }
  const partition = topic?.partitions[index];
  const records = data.records ?? NO_RECORDS;
  if (!topic || !partition) {
    const isById = context.version >= 13;
    const error = isById && !topic ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION';
    return { index, label, refusal: [error, 'there is no such topic or partition'] };
  }
  const refusal = refusalOf(context, request, topic, records);
  return refusal
    ? { index, label, refusal }
    : { index, label, partition, batches: [records], format, transactionalId: request.transactionalId };
}

function refusalOf(
  context: RequestContext,
  request: ProduceRequest,
  topic: Topic,
  records: Uint8Array,
): Refusal | undefined {
  if (!ACKS.includes(request.acks)) return ['INVALID_REQUIRED_ACKS', `acks=${request.acks}`];
  if (topic.isInternal) return ['TOPIC_AUTHORIZATION_FAILED', 'internal topics are written by Millrace only'];
  if (records.length === 0) return ['INVALID_RECORD', 'a request without records'];
  return context.version < PRODUCE_OF_FORMAT_2 ? undefined : batchRefusal(context, request, topic, records);
}

function batchRefusal(
  context: RequestContext,
  request: ProduceRequest,
  topic: Topic,
  records: Uint8Array,
): Refusal | undefined {
  const defect = batchDefect(topic, records);
  if (defect) return defect;
  const header = new BatchHeader(records);
  if (header.codec === CODEC.zstd && context.version < 7)
    return ['UNSUPPORTED_COMPRESSION_TYPE', 'zstd needs Produce 7'];
  const { transactionalId } = request;
  if (header.isTransactional !== (transactionalId !== null))
    return ['INVALID_TXN_STATE', 'transactional batches and a transactional id come together'];
  if (transactionalId !== null && !context.may('WRITE', 'TRANSACTIONAL_ID', transactionalId, false)) {
    const reason = `${principalText(context.identity)} may not use ${transactionalId}`;
    return ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', reason];
  }
  return timeRefusal(topic, header, context.io.clock.now());
}

/** The latest request of each connection whose message sets are being converted. */
const turns = new WeakMap<ClientInfo, Promise<unknown>>();

/** Starts a request with its sets converted, when those before it on the same connection have started. */
async function startInTurn(
  context: RequestContext,
  topics: readonly TopicParts[],
): Promise<readonly (readonly Promise<PartitionAnswer>[])[]> {
  const { client, frame } = context;
  const before = turns.get(client);
  frame?.hold();
  const turn = (async () => {
    await before;
    const converted: TopicParts[] = [];
    for (const topic of topics) {
      const parts: Part[] = [];
      for (const part of topic.parts) parts.push(await convert(context, part));
      converted.push({ ...topic, parts });
    }
    return start(context, converted);
  })().finally(() => frame?.release());
  const ended = turn.catch(() => undefined);
  turns.set(client, ended);
  return turn;
}

async function convert(context: RequestContext, part: Part): Promise<Part> {
  if (part.refusal) return part;
  const { index, label, partition } = part;
  const { topic } = partition;
  try {
    const messageBytesMax = numberConfig(topic.configs, 'max.message.bytes');
    const batches = await toBatches(context.io, part.batches[0]!, messageBytesMax);
    const now = context.io.clock.now();
    for (const batch of batches) {
      const refusal = timeRefusal(topic, new BatchHeader(batch), now);
      if (refusal) return { index, label, refusal };
    }
    return { ...part, batches };
  } catch (error) {
    return { index, label, refusal: [nameOf(context, error, WRITE_ERRORS), messageOf(error)] };
  }
}

/** Gives the parts to the log, in order; nothing is awaited in between. */
function start(
  context: RequestContext,
  topics: readonly TopicParts[],
): readonly (readonly Promise<PartitionAnswer>[])[] {
  return topics.map(({ parts }) => parts.map(part => append(context, part)));
}

async function append(context: RequestContext, part: Part): Promise<PartitionAnswer> {
  if (part.refusal) return refuse(context, part, ...part.refusal);
  const { batches, index, partition, transactionalId } = part;
  const adding =
    transactionalId === null ? undefined : addingToTransaction(context, partition, transactionalId, batches[0]!);
  if (typeof adding === 'string') {
    return refuse(context, part, adding, `no open transaction of ${transactionalId} has it, or its producer is fenced`);
  }
  const appendTimeMs = appendTimeOf(partition.topic, context.io.clock.now());
  try {
    const result = await appendBatches(context, part, appendTimeMs, adding?.states ?? []);
    adding?.synced();
    for (const batch of batches) context.counters.producedBytes += batch.length;
    context.counters.producedBatches += batches.length;
    return {
      index,
      errorCode: 0,
      baseOffset: result.baseOffset,
      logAppendTimeMs: result.logAppendTimeMs,
      logStartOffset: partition.startOffset,
      errorMessage: null,
    };
  } catch (error) {
    return refuse(context, part, nameOf(context, error, WRITE_ERRORS), messageOf(error));
  }
}

/** The result of the first: a set that became several batches has its first offset there. */
async function appendBatches(
  context: RequestContext,
  { batches, format, partition }: Exclude<Part, { refusal: Refusal }>,
  appendTimeMs: number,
  adding: readonly StateChange[],
): Promise<AppendResult> {
  const { frame, log, parseFormats, version } = context;
  const marks = format && parseFormats.changesFor(partition, format);
  try {
    if (version < PRODUCE_OF_FORMAT_2) {
      const states = marks?.at(partition.nextOffset) ?? [];
      const results = await log.commit(
        batches.map(batch => ({ partition, batch, appendTimeMs })),
        states,
      );
      return results[0]!;
    }
    frame?.hold();
    const statesAt = adding.length === 0 ? marks?.at : (offset: number) => [...adding, ...(marks?.at(offset) ?? [])];
    return await log.append(partition, batches[0]!, frame, appendTimeMs, statesAt);
  } catch (error) {
    marks?.failed();
    throw error;
  }
}

/** What the batch brings with it as the first of its transaction in the partition, or what it is refused with. */
function addingToTransaction(
  { coordination, namespace, version }: RequestContext,
  { index, topic }: Partition,
  id: string,
  batch: Uint8Array,
): Adding | ErrorName {
  const { transactions } = coordination;
  const { producerEpoch, producerId } = new BatchHeader(batch);
  const of = { namespace, id, producerEpoch, producerId };
  const isImplicit = version >= PRODUCE_THAT_ADDS;
  const found = transactions.addingByBatch(of, topic.name, index, isImplicit);
  switch (found) {
    case 'PRODUCER_FENCED':
      return 'INVALID_PRODUCER_EPOCH';
    case 'INVALID_TXN_STATE':
      return version >= PRODUCE_OF_ABORTABLE ? 'TRANSACTION_ABORTABLE' : found;
    case 'CONCURRENT_TRANSACTIONS':
      return isImplicit ? found : 'NOT_ENOUGH_REPLICAS';
    default:
      return found;
  }
}

function refuse(context: RequestContext, part: Part, error: ErrorName, reason: string): PartitionAnswer {
  const { index, label } = part;
  context.refused(brokerErrors.produceRefused({ topic: label, partition: index, error, reason }));
  return {
    index,
    errorCode: errorCode(knownTo(context.version, error)),
    baseOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset: -1,
    errorMessage: reason,
  };
}

/** The error in the words of the client's version. */
function knownTo(version: number, error: ErrorName): ErrorName {
  if (error === 'KAFKA_STORAGE_ERROR' && version < 4) return 'NOT_LEADER_OR_FOLLOWER';
  if (error === 'INVALID_RECORD' && version < 3) return 'CORRUPT_MESSAGE';
  return error;
}
