/** What a coordinator tells about a group, whichever protocol its members speak. */
import { MillraceError } from '../../base/index.ts';
import {
  apis,
  type ConsumerGroupDescribeResponse,
  decodeConsumerProtocolAssignment,
  type DescribeGroupsResponse,
  errorCode,
  Reader,
} from '../../wire/index.ts';
import type { Cluster } from '../cluster.ts';
import { brokerError } from '../errors.ts';
import type { TopicPartition } from '../topic-partition.ts';

export interface GroupMemberDescription {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** Undefined where the group's members share out what only they can read. */
  readonly partitions: readonly TopicPartition[] | undefined;
}

export interface GroupDescription {
  readonly state: string;
  readonly type: 'classic' | 'consumer';
  /** Protocol or assignor by which partitions are shared out; empty where nothing is. */
  readonly assignor: string;
  /** Generation or epoch; undefined where it is not told. */
  readonly epoch: number | undefined;
  readonly members: readonly GroupMemberDescription[];
}

/** From this version of a classic assignment on only more is added behind. */
const ASSIGNMENT_VERSION = 3;
/** Up to here an unknown group is "Dead", and no error. */
const DESCRIBE_VERSION = 5;
const CONSUMER = 'consumer';

export async function describeGroup(cluster: Cluster, group: string, type: string): Promise<GroupDescription> {
  const connection = await cluster.node(await cluster.coordinator(group), 'group');
  if (type.toLowerCase() === CONSUMER) {
    const asked = { groupIds: [group], includeAuthorizedOperations: false };
    const { groups } = await connection.request(apis.consumerGroupDescribe, asked);
    return ofConsumers(expected('ConsumerGroupDescribe', group, groups[0]));
  }
  const asked = { groups: [group], includeAuthorizedOperations: false };
  const { groups } = await connection.request(apis.describeGroups, asked, { cap: DESCRIBE_VERSION });
  return ofClassic(expected('DescribeGroups', group, groups[0]));
}

function ofConsumers(group: ConsumerGroupDescribeResponse['groups'][number]): GroupDescription {
  return {
    state: group.groupState,
    type: 'consumer',
    assignor: group.assignorName,
    epoch: group.groupEpoch,
    members: group.members.map(({ assignment, clientHost, clientId, instanceId, memberId }) => ({
      memberId,
      instanceId,
      clientId,
      clientHost,
      partitions: assignment.topicPartitions.flatMap(({ partitions, topicName }) =>
        partitions.map(partition => ({ topic: topicName, partition })),
      ),
    })),
  };
}

function ofClassic(group: DescribeGroupsResponse['groups'][number]): GroupDescription {
  return {
    state: group.groupState,
    type: 'classic',
    assignor: group.protocolData,
    epoch: undefined,
    members: group.members.map(({ clientHost, clientId, groupInstanceId, memberAssignment, memberId }) => ({
      memberId,
      instanceId: groupInstanceId,
      clientId,
      clientHost,
      partitions: group.protocolType === CONSUMER ? assigned(memberAssignment) : undefined,
    })),
  };
}

function assigned(bytes: Uint8Array): TopicPartition[] | undefined {
  if (bytes.length === 0) return [];
  try {
    const reader = new Reader(bytes);
    const { assignedPartitions } = decodeConsumerProtocolAssignment(
      reader,
      Math.min(reader.int16(), ASSIGNMENT_VERSION),
    );
    return assignedPartitions.flatMap(({ partitions, topic }) => partitions.map(partition => ({ topic, partition })));
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return undefined;
  }
}

function expected<T extends { readonly errorCode: number; readonly errorMessage: string | null }>(
  api: string,
  group: string,
  found: T | undefined,
): T {
  if (found?.errorCode === 0) return found;
  const reason = found?.errorMessage ? ` (${found.errorMessage})` : '';
  throw brokerError(api, `of ${group}${reason}`, found?.errorCode ?? errorCode('UNKNOWN_SERVER_ERROR'));
}
