/** A transactional producer, and a reader of both isolation levels, one call a request, for tests. */
import { apis } from '../wire/index.ts';
import { BatchHeader, RecordCursor } from '../wire/records/index.ts';
import { batch, type Rig } from './rig-cases.ts';

/** Which protocol a producer speaks: that of Kafka 2.5 to 3.9, or that of 4.0 (KIP-890). */
export const PROTOCOLS = {
  1: { produce: 9, add: 3, addOffsets: 3, commitOffsets: 3, end: 3 },
  2: { produce: 12, add: 3, addOffsets: 4, commitOffsets: 5, end: 5 },
} as const;
export type Protocol = keyof typeof PROTOCOLS;

export class TransactionClient {
  readonly id: string;
  readonly protocol: Protocol;
  producerId = -1;
  producerEpoch = -1;
  private readonly rig: Rig;
  private readonly sequences = new Map<string, number>();

  constructor(rig: Rig, id = 'x', protocol: Protocol = 1) {
    this.rig = rig;
    this.id = id;
    this.protocol = protocol;
  }

  /** Another view of the same producer, as one that does not know that it was fenced. */
  copy(): TransactionClient {
    const copy = new TransactionClient(this.rig, this.id, this.protocol);
    copy.producerId = this.producerId;
    copy.producerEpoch = this.producerEpoch;
    for (const [place, next] of this.sequences) copy.sequences.set(place, next);
    return copy;
  }

  async init(timeoutMs = 60_000, isAgain = false, version = 4): Promise<number> {
    const { errorCode, producerEpoch, producerId } = await this.rig.ask(apis.initProducerId, version, {
      transactionalId: this.id,
      transactionTimeoutMs: timeoutMs,
      ...(isAgain && { producerId: this.producerId, producerEpoch: this.producerEpoch }),
    });
    if (errorCode === 0) this.take(producerId, producerEpoch);
    return errorCode;
  }

  async add(
    partitions: readonly number[] = [0],
    topic = 't',
    version: number = PROTOCOLS[this.protocol].add,
  ): Promise<number> {
    const answer = await this.rig.ask(apis.addPartitionsToTxn, version, {
      v3AndBelowTransactionalId: this.id,
      v3AndBelowProducerId: this.producerId,
      v3AndBelowProducerEpoch: this.producerEpoch,
      v3AndBelowTopics: [{ name: topic, partitions }],
    });
    return answer.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode;
  }

  async verify(partition = 0, version = 5): Promise<number> {
    const { producerEpoch, producerId } = this;
    const topics = [{ name: 't', partitions: [partition] }];
    const transactions = [{ transactionalId: this.id, producerId, producerEpoch, verifyOnly: true, topics }];
    const answer = await this.rig.ask(apis.addPartitionsToTxn, version, { transactions });
    return (
      answer.errorCode || answer.resultsByTransaction[0]!.topicResults[0]!.resultsByPartition[0]!.partitionErrorCode
    );
  }

  async produce(
    values: readonly string[],
    index = 0,
    version: number = PROTOCOLS[this.protocol].produce,
  ): Promise<number> {
    const { producerEpoch, producerId } = this;
    const place = `t/${index}`;
    const baseSequence = this.sequences.get(place) ?? 0;
    const sender = { producerId, producerEpoch, baseSequence, isTransactional: true };
    const records = batch(values, sender, this.rig.sim.io.clock.now());
    const code = await this.rig.produce(version, records, { index, transactionalId: this.id, acks: -1 });
    if (code === 0) this.sequences.set(place, baseSequence + values.length);
    return code;
  }

  async addGroup(groupId = 'g', version: number = PROTOCOLS[this.protocol].addOffsets): Promise<number> {
    const { id: transactionalId, producerEpoch, producerId } = this;
    return (await this.rig.ask(apis.addOffsetsToTxn, version, { transactionalId, producerId, producerEpoch, groupId }))
      .errorCode;
  }

  async commitOffset(
    committedOffset: number,
    more: object = {},
    version: number = PROTOCOLS[this.protocol].commitOffsets,
  ): Promise<number> {
    const { id: transactionalId, producerEpoch, producerId } = this;
    const answer = await this.rig.ask(apis.txnOffsetCommit, version, {
      ...{ transactionalId, producerId, producerEpoch, groupId: 'g' },
      ...{ generationId: -1, memberId: '', groupInstanceId: null },
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, committedOffset, committedMetadata: null }] }],
      ...more,
    });
    return answer.topics[0]!.partitions[0]!.errorCode;
  }

  async end(committed: boolean, version: number = PROTOCOLS[this.protocol].end): Promise<number> {
    const { id: transactionalId, producerEpoch, producerId } = this;
    const message = { transactionalId, producerId, producerEpoch, committed };
    const answer = await this.rig.ask(apis.endTxn, version, message);
    if (answer.errorCode === 0 && version >= 5) this.take(answer.producerId, answer.producerEpoch);
    return answer.errorCode;
  }

  private take(producerId: number, producerEpoch: number): void {
    const isNew = producerId !== this.producerId || producerEpoch !== this.producerEpoch;
    if (isNew) this.sequences.clear();
    this.producerId = producerId;
    this.producerEpoch = producerEpoch;
  }
}

export interface Read {
  readonly values: readonly string[];
  readonly lastStable: number;
  readonly end: number;
}

/** Everything that a consumer sees of a partition, by the rules of the isolation level that Kafka's clients apply. */
export async function readAll(rig: Rig, isCommittedOnly: boolean, index = 0): Promise<Read> {
  const values: string[] = [];
  const aborting = new Set<number>();
  let offset = 0;
  for (;;) {
    const answer = await rig.ask(apis.fetch, 12, {
      ...{ maxWaitMs: 0, minBytes: 1, isolationLevel: isCommittedOnly ? 1 : 0, forgottenTopicsData: [], rackId: '' },
      topics: [{ topic: 't', partitions: [{ partition: index, fetchOffset: offset, partitionMaxBytes: 200 }] }],
    });
    const { abortedTransactions, highWatermark, lastStableOffset, records } = answer.responses[0]!.partitions[0]!;
    const bytes = records ?? new Uint8Array(0);
    const begins = [...(abortedTransactions ?? [])].sort((a, b) => a.firstOffset - b.firstOffset);
    const header = new BatchHeader(bytes.length === 0 ? batch() : bytes);
    const cursor = new RecordCursor();
    for (let at = 0; at < bytes.length; at += header.sizeBytes) {
      header.at(at);
      const { baseOffset, isControl, isTransactional, lastOffset, producerId } = header;
      while (begins.length > 0 && begins[0]!.firstOffset <= lastOffset) aborting.add(begins.shift()!.producerId);
      cursor.open(bytes.subarray(at, at + header.sizeBytes));
      while (cursor.advance()) {
        if (isControl) {
          if (Buffer.from(cursor.key!).readInt16BE(2) === 0) aborting.delete(producerId);
        } else if (cursor.offset >= offset && !(isCommittedOnly && isTransactional && aborting.has(producerId))) {
          values.push(Buffer.from(cursor.value!).toString());
        }
      }
      if (baseOffset > lastOffset) throw new Error('an empty batch');
      offset = lastOffset + 1;
    }
    if (bytes.length === 0) return { values, lastStable: lastStableOffset, end: highWatermark };
  }
}
