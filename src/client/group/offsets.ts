/**
 * Committed offsets of a group: set and read, by a member or from outside the group protocol.
 *
 * Invariants
 * I1 a coordinator that loads, moves or cannot be reached is asked again, for as long as two request time-outs; what it does
 *    not answer is an error, never taken for "nothing is committed".
 */
import { apis, errorCode, isRetriable } from '../../wire/index.ts';
import type { Cluster } from '../cluster.ts';
import type { BrokerConnection } from '../connection.ts';
import { brokerError, canPass } from '../errors.ts';
import { byTopic, type TopicPartition } from '../topic-partition.ts';

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
/** Requests by topic name; newer versions name topics by id. */
const COMMIT_BY_NAME = 9;
const FETCH_BY_NAME = 7;

/** Commits; false when the member's generation is over and nothing was committed. It is not tried once `isOurs` is false. */
export async function commitOffsets(
  cluster: Cluster,
  groupId: string,
  offsets: readonly GroupOffset[],
  member?: Membership,
  isOurs: () => boolean = () => true,
): Promise<boolean> {
  const request = {
    groupId,
    generationIdOrMemberEpoch: member?.generation ?? -1,
    memberId: member?.memberId ?? '',
    groupInstanceId: member?.instanceId ?? null,
    topics: byTopic(offsets).map(([name, list]) => ({
      name,
      partitions: list.map(({ offset, partition }) => ({
        partitionIndex: partition,
        committedOffset: offset,
        committedMetadata: null,
      })),
    })),
  };
  return askCoordinator(cluster, groupId, 'OffsetCommit', async connection => {
    if (!isOurs()) return { code: 0, value: false };
    const answer = await connection.request(apis.offsetCommit, request, { cap: COMMIT_BY_NAME });
    const codes = answer.topics.flatMap(({ partitions }) => partitions.map(partition => partition.errorCode));
    if (codes.some(code => GENERATION_OVER.has(code))) return { code: 0, value: false };
    return { code: codes.find(code => code !== 0) ?? 0, value: true };
  });
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
    // Offsets of a transaction that is not over yet are waited for: what is read in their place would come twice.
    const request = { groupId, topics, requireStable: true };
    const answer = await connection.request(apis.offsetFetch, request, { cap: FETCH_BY_NAME });
    const found = new Map<string, number>();
    let code = answer.errorCode;
    for (const topic of answer.topics) {
      for (const partition of topic.partitions) {
        if (partition.errorCode !== 0) code = partition.errorCode;
        found.set(`${topic.name}\n${partition.partitionIndex}`, partition.committedOffset);
      }
    }
    return { code, value: partitions.map(({ partition, topic }) => found.get(`${topic}\n${partition}`) ?? -1) };
  });
}

async function askCoordinator<T>(
  cluster: Cluster,
  groupId: string,
  api: string,
  ask: (connection: BrokerConnection) => Promise<{ readonly code: number; readonly value: T }>,
): Promise<T> {
  const { clock } = cluster.io;
  const deadline = clock.monotonic() + 2 * cluster.settings.requestTimeoutMs;
  const what = `${api} of ${groupId}`;
  for (let attempt = 0; ; attempt++) {
    let failure: Error;
    try {
      const connection = await cluster.node(await cluster.coordinator(groupId), 'group');
      const { code, value } = await ask(connection);
      if (code === 0) {
        cluster.calmed(what);
        return value;
      }
      failure = brokerError(api, `of ${groupId}`, code);
      if (!isRetriable(code)) throw failure;
    } catch (error) {
      if (!canPass(error)) throw error;
      failure = error as Error;
    }
    if (clock.monotonic() > deadline) throw failure;
    cluster.forgetCoordinator(groupId);
    cluster.troubled(what, failure);
    await cluster.backoff(attempt);
  }
}
