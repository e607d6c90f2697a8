/** OffsetFetch: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const offsetFetch = defineMessage({
  key: 9,
  name: 'OffsetFetch',
  versions: [0, 10],
  flexibleSince: 6,
  request: [
    { name: 'groupId', type: 'string', until: 7 },
    {
      name: 'topics',
      type: 'array',
      until: 7,
      nullableSince: 2,
      of: [
        { name: 'name', type: 'string' },
        { name: 'partitionIndexes', type: 'array', of: 'int32' },
      ],
    },
    {
      name: 'groups',
      type: 'array',
      since: 8,
      of: [
        { name: 'groupId', type: 'string' },
        { name: 'memberId', type: 'string', since: 9, nullableSince: 0, default: null },
        { name: 'memberEpoch', type: 'int32', since: 9, default: -1 },
        {
          name: 'topics',
          type: 'array',
          nullableSince: 0,
          of: [
            { name: 'name', type: 'string', until: 9 },
            { name: 'topicId', type: 'uuid', since: 10 },
            { name: 'partitionIndexes', type: 'array', of: 'int32' },
          ],
        },
      ],
    },
    { name: 'requireStable', type: 'bool', since: 7, default: false },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', since: 3 },
    {
      name: 'topics',
      type: 'array',
      until: 7,
      of: [
        { name: 'name', type: 'string' },
        {
          name: 'partitions',
          type: 'array',
          of: [
            { name: 'partitionIndex', type: 'int32' },
            { name: 'committedOffset', type: 'int64' },
            { name: 'committedLeaderEpoch', type: 'int32', since: 5, default: -1 },
            { name: 'metadata', type: 'string', nullableSince: 0 },
            { name: 'errorCode', type: 'int16' },
          ],
        },
      ],
    },
    { name: 'errorCode', type: 'int16', since: 2, until: 7, default: 0 },
    {
      name: 'groups',
      type: 'array',
      since: 8,
      of: [
        { name: 'groupId', type: 'string' },
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
                { name: 'committedLeaderEpoch', type: 'int32', default: -1 },
                { name: 'metadata', type: 'string', nullableSince: 0 },
                { name: 'errorCode', type: 'int16' },
              ],
            },
          ],
        },
        { name: 'errorCode', type: 'int16', default: 0 },
      ],
    },
  ],
});
