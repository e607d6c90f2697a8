/** LeaveGroup: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const leaveGroup = defineMessage({
  key: 13,
  name: 'LeaveGroup',
  versions: [0, 5],
  flexibleSince: 4,
  request: [
    { name: 'groupId', type: 'string' },
    { name: 'memberId', type: 'string', until: 2 },
    {
      name: 'members',
      type: 'array',
      since: 3,
      of: [
        { name: 'memberId', type: 'string' },
        { name: 'groupInstanceId', type: 'string', nullableSince: 0, default: null },
        { name: 'reason', type: 'string', since: 5, nullableSince: 0, default: null },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', since: 1 },
    { name: 'errorCode', type: 'int16' },
    {
      name: 'members',
      type: 'array',
      since: 3,
      of: [
        { name: 'memberId', type: 'string' },
        { name: 'groupInstanceId', type: 'string', nullableSince: 0 },
        { name: 'errorCode', type: 'int16' },
      ],
    },
  ],
});
