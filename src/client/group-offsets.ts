/**
 * Committed offsets of a group: set and read, by a member or from outside the group protocol.
 *
 * Invariants
 * I1 a coordinator that loads, moves or cannot be reached is asked again, for as long as two request timeouts; what it does
 *    not answer is an error, never taken for "nothing is committed".
 */
import { MillraceError, messageOf } from '../base/index.ts';
import { apis, errorCode, errorName, isRetriable } from '../wire/index.ts';
import type { Cluster } from './cluster.ts';
import type { BrokerConnection } from './connection.ts';
import { clientErrors } from './errors.ts';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface GroupOffset extends TopicPartition {
  readonly offset: number;
}

/** Who commits: without it the group must be empty. */
export interface Membership {
  readonly memberId: string;
  readonly generation: number;
  readonly instanceId: string | null;
}

const GENERATION_OVER: ReadonlySet<number> = new Set(
  (['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'FENCED_INSTANCE_ID'] as const).map(errorCode),
);

/** Commits; false when the member's generation is over and nothing was committed. */
export async function commitOffsets(
  cluster: Cluster,
  groupId: string,
  offsets: readonly GroupOffset[],
  member?: Membership,
): Promise<boolean> {
  const topics = byTopic(offsets).map(([name, list]) => ({
    name,
    partitions: list.map(({ offset, partition }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedMetadata: null,
    })),
  }));
  const request = {
    groupId,
    generationIdOrMemberEpoch: member?.generation ?? -1,
    memberId: member?.memberId ?? '',
    groupInstanceId: member?.instanceId ?? null,
    topics,
  };
  const refusal = await askCoordinator(cluster, groupId, 'OffsetCommit', async connection => {
    const answer = await connection.request(apis.offsetCommit, request as never, { cap: 9 });
    const code = worst(answer.topics.flatMap(topic => topic.partitions));
    return { code: GENERATION_OVER.has(code) ? 0 : code, value: code };
  });
  return refusal === 0;
}

/** Committed offsets in the order asked for; -1 where there is none. */
export function committedOffsets(
  cluster: Cluster,
  groupId: string,
  partitions: readonly TopicPartition[],
): Promise<number[]> {
  const topics = byTopic(partitions).map(([name, list]) => ({
    name,
    partitionIndexes: list.map(({ partition }) => partition),
  }));
  return askCoordinator(cluster, groupId, 'OffsetFetch', async connection => {
    const answer = await connection.request(apis.offsetFetch, { groupId, topics } as never, { cap: 7 });
    const found = new Map<string, number>();
    for (const topic of answer.topics) {
      for (const { committedOffset, partitionIndex } of topic.partitions)
        found.set(`${topic.name}\n${partitionIndex}`, committedOffset);
    }
    return {
      code: answer.errorCode !== 0 ? answer.errorCode : worst(answer.topics.flatMap(topic => topic.partitions)),
      value: partitions.map(({ partition, topic }) => found.get(`${topic}\n${partition}`) ?? -1),
    };
  });
}

function byTopic<T extends TopicPartition>(partitions: readonly T[]): [string, T[]][] {
  const topics = new Map<string, T[]>();
  for (const entry of partitions) {
    const list = topics.get(entry.topic);
    if (list) list.push(entry);
    else topics.set(entry.topic, [entry]);
  }
  return [...topics];
}

function worst(partitions: readonly { readonly errorCode: number }[]): number {
  return partitions.find(partition => partition.errorCode !== 0)?.errorCode ?? 0;
}

async function askCoordinator<T>(
  cluster: Cluster,
  groupId: string,
  api: string,
  ask: (connection: BrokerConnection) => Promise<{ readonly code: number; readonly value: T }>,
): Promise<T> {
  const { clock } = cluster.io;
  const deadline = clock.monotonic() + 2 * cluster.settings.requestTimeoutMs;
  for (let attempt = 0; ; attempt++) {
    let reason: string;
    try {
      const connection = await cluster.node(await cluster.coordinator(groupId), 'group');
      const { code, value } = await ask(connection);
      if (code === 0) return value;
      reason = errorName(code);
      if (!isRetriable(code)) throw clientErrors.brokerError({ api, what: `of ${groupId}`, error: reason });
    } catch (error) {
      if (!(error instanceof MillraceError) || error.retry === 'no') throw error;
      reason = messageOf(error);
    }
    if (clock.monotonic() > deadline) {
      throw clientErrors.brokerError({ api, what: `of ${groupId}`, error: reason });
    }
    await cluster.backoff(attempt);
  }
}
