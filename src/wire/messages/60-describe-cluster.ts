/** DescribeCluster: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const describeCluster = defineMessage({
  key: 60,
  name: 'DescribeCluster',
  versions: [0, 2],
  flexibleSince: 0,
  request: [
    { name: 'includeClusterAuthorizedOperations', type: 'bool', default: false },
    { name: 'endpointType', type: 'int8', since: 1, default: 1 },
    { name: 'includeFencedBrokers', type: 'bool', since: 2 },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'errorMessage', type: 'string', nullableSince: 0, default: null },
    { name: 'endpointType', type: 'int8', since: 1, default: 1 },
    { name: 'clusterId', type: 'string' },
    { name: 'controllerId', type: 'int32', default: -1 },
    {
      name: 'brokers',
      type: 'array',
      of: [
        { name: 'brokerId', type: 'int32' },
        { name: 'host', type: 'string' },
        { name: 'port', type: 'int32' },
        { name: 'rack', type: 'string', nullableSince: 0, default: null },
        { name: 'isFenced', type: 'bool', since: 2 },
      ],
    },
    { name: 'clusterAuthorizedOperations', type: 'int32', default: -2147483648 },
  ],
});
