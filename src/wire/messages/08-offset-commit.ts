/** OffsetCommit: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const offsetCommit = defineMessage({
  key: 8,
  name: 'OffsetCommit',
  versions: [0, 10],
  flexibleSince: 8,
  request: [
    { name: 'groupId', type: 'string' },
    { name: 'generationIdOrMemberEpoch', type: 'int32', since: 1, default: -1 },
    { name: 'memberId', type: 'string', since: 1 },
    { name: 'groupInstanceId', type: 'string', since: 7, nullableSince: 0, default: null },
    { name: 'retentionTimeMs', type: 'int64', since: 2, until: 4, default: -1 },
    {
      name: 'topics',
      type: 'array',
      of: [
        { name: 'name', type: 'string', until: 9 },
        { name: 'topicId', type: 'uuid', since: 10 },
        {
          name: 'partitions',
          type: 'array',
          of: [
            { name: 'partitionIndex', type: 'int32' },
            { name: 'committedOffset', type: 'int64' },
            { name: 'committedLeaderEpoch', type: 'int32', since: 6, default: -1 },
            { name: 'commitTimestamp', type: 'int64', since: 1, until: 1, default: -1 },
            { name: 'committedMetadata', type: 'string', nullableSince: 0 },
          ],
        },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', since: 3 },
    {
      name: 'topics',
      type: 'array',
      of: [
        { name: 'name', type: 'string', until: 9 },
        { name: 'topicId', type: 'uuid', since: 10 },
        {
          name: 'partitions',
          type: 'array',
          of: [
            { name: 'partitionIndex', type: 'int32' },
            { name: 'errorCode', type: 'int16' },
          ],
        },
      ],
    },
  ],
});
