/** SyncGroup: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const syncGroup = defineMessage({
  key: 14,
  name: 'SyncGroup',
  versions: [0, 5],
  flexibleSince: 4,
  request: [
    { name: 'groupId', type: 'string' },
    { name: 'generationId', type: 'int32' },
    { name: 'memberId', type: 'string' },
    { name: 'groupInstanceId', type: 'string', since: 3, nullableSince: 0, default: null },
    { name: 'protocolType', type: 'string', since: 5, nullableSince: 0, default: null },
    { name: 'protocolName', type: 'string', since: 5, nullableSince: 0, default: null },
    {
      name: 'assignments',
      type: 'array',
      of: [
        { name: 'memberId', type: 'string' },
        { name: 'assignment', type: 'bytes' },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', since: 1 },
    { name: 'errorCode', type: 'int16' },
    { name: 'protocolType', type: 'string', since: 5, nullableSince: 0, default: null },
    { name: 'protocolName', type: 'string', since: 5, nullableSince: 0, default: null },
    { name: 'assignment', type: 'bytes' },
  ],
});
