/** ListPartitionReassignments: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const listPartitionReassignments = defineMessage({
  key: 46,
  name: 'ListPartitionReassignments',
  versions: [0, 0],
  flexibleSince: 0,
  request: [
    { name: 'timeoutMs', type: 'int32', default: 60000 },
    {
      name: 'topics',
      type: 'array',
      nullableSince: 0,
      default: null,
      of: [
        { name: 'name', type: 'string' },
        { name: 'partitionIndexes', type: 'array', of: 'int32' },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'errorMessage', type: 'string', nullableSince: 0 },
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
            { name: 'replicas', type: 'array', of: 'int32' },
            { name: 'addingReplicas', type: 'array', of: 'int32' },
            { name: 'removingReplicas', type: 'array', of: 'int32' },
          ],
        },
      ],
    },
  ],
});
