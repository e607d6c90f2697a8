/** One request of every API that the broker serves, with the fields of all its versions. */
import { ZERO_UUID } from '../wire/index.ts';

const groups = { groupId: 'g', memberId: '', generationId: 0 };
const topic = { name: 't', topic: 't', topicId: ZERO_UUID };

export const REQUESTS: Readonly<Record<string, object>> = {
  Produce: {
    transactionalId: null,
    acks: 1,
    timeoutMs: 0,
    topicData: [{ ...topic, partitionData: [{ index: 0, records: null }] }],
  },
  Fetch: {
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 1_000,
    topics: [{ ...topic, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000 }] }],
    forgottenTopicsData: [],
    rackId: '',
  },
  ListOffsets: {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ ...topic, partitions: [{ partitionIndex: 0, timestamp: -1, maxNumOffsets: 3 }] }],
    timeoutMs: 0,
  },
  Metadata: {
    topics: [{ name: 't', topicId: ZERO_UUID }],
    allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: true,
    includeTopicAuthorizedOperations: true,
  },
  OffsetCommit: {
    groupId: 'g',
    memberId: '',
    topics: [{ ...topic, partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }] }],
  },
  OffsetFetch: {
    groupId: 'g',
    topics: [{ ...topic, partitionIndexes: [0] }],
    groups: [{ groupId: 'g', memberId: null, memberEpoch: -1, topics: [{ ...topic, partitionIndexes: [0] }] }],
    requireStable: true,
  },
  FindCoordinator: { key: 'g', keyType: 0, coordinatorKeys: ['g'] },
  JoinGroup: {
    ...groups,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    groupInstanceId: null,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: new Uint8Array(3) }],
    reason: null,
  },
  Heartbeat: { ...groups, groupInstanceId: null },
  LeaveGroup: { ...groups, members: [{ memberId: 'm', groupInstanceId: null, reason: null }] },
  SyncGroup: {
    ...groups,
    groupInstanceId: null,
    protocolType: null,
    protocolName: null,
    assignments: [{ memberId: 'm', assignment: new Uint8Array(3) }],
  },
  DescribeGroups: { groups: ['g'], includeAuthorizedOperations: true },
  ListGroups: { statesFilter: ['Empty'], typesFilter: ['Classic'] },
  SaslHandshake: { mechanism: 'PLAIN' },
  SaslAuthenticate: { authBytes: new Uint8Array(3) },
  DescribeAcls: {
    resourceTypeFilter: 1,
    resourceNameFilter: null,
    patternTypeFilter: 1,
    principalFilter: null,
    hostFilter: null,
    operation: 1,
    permissionType: 1,
  },
  CreateAcls: {
    creations: [
      {
        resourceType: 2,
        resourceName: 't',
        resourcePatternType: 3,
        principal: 'User:a',
        host: '*',
        operation: 3,
        permissionType: 3,
      },
    ],
  },
  DeleteAcls: {
    filters: [
      {
        resourceTypeFilter: 2,
        resourceNameFilter: 't',
        patternTypeFilter: 3,
        principalFilter: null,
        hostFilter: null,
        operation: 1,
        permissionType: 1,
      },
    ],
  },
  DescribeUserScramCredentials: { users: null },
  AlterUserScramCredentials: { deletions: [{ name: 'a', mechanism: 1 }], upsertions: [] },
  ApiVersions: { clientSoftwareName: 'test', clientSoftwareVersion: '1' },
  CreateTopics: {
    topics: [{ name: 'new', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
    timeoutMs: 0,
    validateOnly: true,
  },
  DeleteTopics: { topics: [{ name: 'x', topicId: ZERO_UUID }], topicNames: ['x'], timeoutMs: 0 },
  InitProducerId: { transactionalId: null, transactionTimeoutMs: 0 },
  OffsetForLeaderEpoch: {
    replicaId: -1,
    topics: [{ ...topic, partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }] }],
  },
  DescribeConfigs: {
    resources: [{ resourceType: 2, resourceName: 't', configurationKeys: ['retention.ms'] }],
    includeSynonyms: true,
    includeDocumentation: true,
  },
  CreatePartitions: { topics: [{ name: 't', count: 3, assignments: null }], timeoutMs: 0, validateOnly: true },
  DeleteGroups: { groupsNames: ['x'] },
  OffsetDelete: { groupId: 'g', topics: [{ ...topic, partitions: [{ partitionIndex: 0 }] }] },
  ConsumerGroupHeartbeat: {
    groupId: 'c',
    memberId: 'm',
    memberEpoch: 0,
    rebalanceTimeoutMs: 10_000,
    subscribedTopicNames: ['t'],
    subscribedTopicRegex: 't.*',
    serverAssignor: 'range',
    topicPartitions: [],
  },
  ConsumerGroupDescribe: { groupIds: ['c', 'x'], includeAuthorizedOperations: true },
  DescribeCluster: { includeClusterAuthorizedOperations: true, endpointType: 1, includeFencedBrokers: true },
};
