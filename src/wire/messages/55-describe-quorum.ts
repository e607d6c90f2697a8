/** DescribeQuorum: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const describeQuorum = defineMessage({
  key: 55,
  name: 'DescribeQuorum',
  versions: [0, 2],
  flexibleSince: 0,
  request: [
    {
      name: 'topics',
      type: 'array',
      of: [
        { name: 'topicName', type: 'string' },
        { name: 'partitions', type: 'array', of: [{ name: 'partitionIndex', type: 'int32' }] },
      ],
    },
  ],
  response: [
    { name: 'errorCode', type: 'int16' },
    { name: 'errorMessage', type: 'string', since: 2, nullableSince: 0 },
    {
      name: 'topics',
      type: 'array',
      of: [
        { name: 'topicName', type: 'string' },
        {
          name: 'partitions',
          type: 'array',
          of: [
            { name: 'partitionIndex', type: 'int32' },
            { name: 'errorCode', type: 'int16' },
            { name: 'errorMessage', type: 'string', since: 2, nullableSince: 0 },
            { name: 'leaderId', type: 'int32' },
            { name: 'leaderEpoch', type: 'int32' },
            { name: 'highWatermark', type: 'int64' },
            {
              name: 'currentVoters',
              type: 'array',
              of: [
                { name: 'replicaId', type: 'int32' },
                { name: 'replicaDirectoryId', type: 'uuid', since: 2 },
                { name: 'logEndOffset', type: 'int64' },
                { name: 'lastFetchTimestamp', type: 'int64', since: 1, default: -1 },
                { name: 'lastCaughtUpTimestamp', type: 'int64', since: 1, default: -1 },
              ],
            },
            {
              name: 'observers',
              type: 'array',
              of: [
                { name: 'replicaId', type: 'int32' },
                { name: 'replicaDirectoryId', type: 'uuid', since: 2 },
                { name: 'logEndOffset', type: 'int64' },
                { name: 'lastFetchTimestamp', type: 'int64', since: 1, default: -1 },
                { name: 'lastCaughtUpTimestamp', type: 'int64', since: 1, default: -1 },
              ],
            },
          ],
        },
      ],
    },
    {
      name: 'nodes',
      type: 'array',
      since: 2,
      of: [
        { name: 'nodeId', type: 'int32' },
        {
          name: 'listeners',
          type: 'array',
          of: [
            { name: 'name', type: 'string' },
            { name: 'host', type: 'string' },
            { name: 'port', type: 'uint16' },
          ],
        },
      ],
    },
  ],
});
