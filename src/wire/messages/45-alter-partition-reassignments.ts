/** AlterPartitionReassignments: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const alterPartitionReassignments = defineMessage({
  key: 45,
  name: 'AlterPartitionReassignments',
  versions: [0, 1],
  flexibleSince: 0,
  request: [
    { name: 'timeoutMs', type: 'int32', default: 60000 },
    { name: 'allowReplicationFactorChange', type: 'bool', since: 1, default: true },
    {
      name: 'topics',
      type: 'array',
      of: [
        { name: 'name', type: 'string' },
        {
          name: 'partitions',
          type: 'array',
          of: [
            { name: 'partitionIndex', type: 'int32' },
            { name: 'replicas', type: 'array', nullableSince: 0, default: null, of: 'int32' },
          ],
        },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'allowReplicationFactorChange', type: 'bool', since: 1, default: true },
    { name: 'errorCode', type: 'int16' },
    { name: 'errorMessage', type: 'string', nullableSince: 0 },
    {
      name: 'responses',
      type: 'array',
      of: [
        { name: 'name', type: 'string' },
        {
          name: 'partitions',
          type: 'array',
          of: [
            { name: 'partitionIndex', type: 'int32' },
            { name: 'errorCode', type: 'int16' },
            { name: 'errorMessage', type: 'string', nullableSince: 0 },
          ],
        },
      ],
    },
  ],
});
