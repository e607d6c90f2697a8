/** ListOffsets: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const listOffsets = defineMessage({
  key: 2,
  name: 'ListOffsets',
  versions: [0, 11],
  flexibleSince: 6,
  request: [
    { name: 'replicaId', type: 'int32' },
    { name: 'isolationLevel', type: 'int8', since: 2 },
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
            { name: 'currentLeaderEpoch', type: 'int32', since: 4, default: -1 },
            { name: 'timestamp', type: 'int64' },
            { name: 'maxNumOffsets', type: 'int32', until: 0, default: 1 },
          ],
        },
      ],
    },
    { name: 'timeoutMs', type: 'int32', since: 10 },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', since: 2 },
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
            { name: 'errorCode', type: 'int16' },
            { name: 'timestamp', type: 'int64', since: 1, default: -1 },
            { name: 'offset', type: 'int64', since: 1, default: -1 },
            { name: 'leaderEpoch', type: 'int32', since: 4, default: -1 },
            { name: 'oldStyleOffsets', type: 'array', until: 0, of: 'int64' },
          ],
        },
      ],
    },
  ],
});
