/** Metadata: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const metadata = defineMessage({
  key: 3,
  name: 'Metadata',
  versions: [0, 13],
  flexibleSince: 9,
  request: [
    {
      name: 'topics',
      type: 'array',
      nullableSince: 1,
      of: [
        { name: 'topicId', type: 'uuid', since: 10 },
        { name: 'name', type: 'string', nullableSince: 10 },
      ],
    },
    { name: 'allowAutoTopicCreation', type: 'bool', since: 4, default: true },
    { name: 'includeClusterAuthorizedOperations', type: 'bool', since: 8, until: 10 },
    { name: 'includeTopicAuthorizedOperations', type: 'bool', since: 8 },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', since: 3 },
    {
      name: 'brokers',
      type: 'array',
      of: [
        { name: 'nodeId', type: 'int32' },
        { name: 'host', type: 'string' },
        { name: 'port', type: 'int32' },
        { name: 'rack', type: 'string', since: 1, nullableSince: 0, default: null },
      ],
    },
    { name: 'clusterId', type: 'string', since: 2, nullableSince: 0, default: null },
    { name: 'controllerId', type: 'int32', since: 1, default: -1 },
    {
      name: 'topics',
      type: 'array',
      of: [
        { name: 'errorCode', type: 'int16' },
        { name: 'name', type: 'string', nullableSince: 12 },
        { name: 'topicId', type: 'uuid', since: 10 },
        { name: 'isInternal', type: 'bool', since: 1, default: false },
        {
          name: 'partitions',
          type: 'array',
          of: [
            { name: 'errorCode', type: 'int16' },
            { name: 'partitionIndex', type: 'int32' },
            { name: 'leaderId', type: 'int32' },
            { name: 'leaderEpoch', type: 'int32', since: 7, default: -1 },
            { name: 'replicaNodes', type: 'array', of: 'int32' },
            { name: 'isrNodes', type: 'array', of: 'int32' },
            { name: 'offlineReplicas', type: 'array', since: 5, of: 'int32' },
          ],
        },
        { name: 'topicAuthorizedOperations', type: 'int32', since: 8, default: -2147483648 },
      ],
    },
    { name: 'clusterAuthorizedOperations', type: 'int32', since: 8, until: 10, default: -2147483648 },
    { name: 'errorCode', type: 'int16', since: 13 },
  ],
});
