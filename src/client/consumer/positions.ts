/**
 * Questions to a leader about positions: the offset of a time, of the start, of the end; and where the log ends for a leader
 * epoch, by which a reader learns that records which it has read were lost (KIP-320).
 */
import type { Cluster } from '../cluster.ts';
import type { BrokerConnection } from '../connection.ts';
import { brokerError, canPass, clientErrors } from '../errors.ts';
import { byTopic, type TopicPartition } from '../topic-partition.ts';
import { apis } from '../../wire/index.ts';

/** Times with a meaning of their own. */
export const START = -2;
export const END = -1;

export interface OffsetWish extends TopicPartition {
  /** Milliseconds, or `START`, or `END`. */
  readonly timestamp: number;
  /** -1: not checked. */
  readonly leaderEpoch?: number;
}

export interface FoundOffset {
  readonly errorCode: number;
  /** -1: nothing is that new. */
  readonly offset: number;
}

const TRIES = 10;

/** Answers in the order of the wishes; code -1 for what the answer leaves out. */
export async function listOffsets(
  connection: BrokerConnection,
  wishes: readonly OffsetWish[],
  isolationLevel = 0,
): Promise<FoundOffset[]> {
  const answer = await connection.request(apis.listOffsets, {
    replicaId: -1,
    isolationLevel,
    topics: byTopic(wishes).map(([name, list]) => ({
      name,
      partitions: list.map(({ leaderEpoch, partition, timestamp }) => ({
        partitionIndex: partition,
        currentLeaderEpoch: leaderEpoch ?? -1,
        timestamp,
      })),
    })),
  });
  const found = new Map<string, FoundOffset>();
  for (const { name, partitions } of answer.topics)
    for (const entry of partitions) found.set(`${name}\n${entry.partitionIndex}`, entry);
  return wishes.map(({ partition, topic }) => found.get(`${topic}\n${partition}`) ?? { errorCode: -1, offset: -1 });
}

/** Offset for a time in ms, or for `START` and `END`; the end when nothing is that new. */
export async function offsetFor(
  cluster: Cluster,
  topic: string,
  partition: number,
  timestamp: number,
): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    try {
      const { leaders } = await cluster.topic(topic);
      const connection = await cluster.node(leaders[partition] ?? -1);
      const [found] = await listOffsets(connection, [{ topic, partition, timestamp }]);
      if (found!.errorCode !== 0) throw brokerError('ListOffsets', `of ${topic}/${partition}`, found!.errorCode);
      if (found!.offset >= 0) return found!.offset;
      if (timestamp >= 0) return await offsetFor(cluster, topic, partition, END);
      throw clientErrors.badAnswer({ broker: connection.name, reason: `no offset for ${topic}/${partition}` });
    } catch (error) {
      if (!canPass(error) || attempt >= TRIES) throw error;
    }
    cluster.forget(topic);
    await cluster.backoff(attempt);
  }
}

export interface EpochWish extends TopicPartition {
  readonly currentLeaderEpoch: number;
  /** That of the last record that was read. */
  readonly leaderEpoch: number;
}

export interface EpochEnd {
  readonly errorCode: number;
  /** First offset behind the epoch; -1 where the leader knows nothing of it. */
  readonly endOffset: number;
}

/** Answers in the order of the wishes. */
export async function epochEnds(connection: BrokerConnection, wishes: readonly EpochWish[]): Promise<EpochEnd[]> {
  const answer = await connection.request(apis.offsetForLeaderEpoch, {
    replicaId: -1,
    topics: byTopic(wishes).map(([topic, partitions]) => ({ topic, partitions })),
  });
  const found = new Map<string, EpochEnd>();
  for (const { partitions, topic } of answer.topics)
    for (const entry of partitions) found.set(`${topic}\n${entry.partition}`, entry);
  return wishes.map(({ partition, topic }) => found.get(`${topic}\n${partition}`) ?? { errorCode: -1, endOffset: -1 });
}
