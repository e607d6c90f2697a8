/** JoinGroup: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const joinGroup = defineMessage({
  key: 11,
  name: 'JoinGroup',
  versions: [0, 9],
  flexibleSince: 6,
  request: [
    { name: 'groupId', type: 'string' },
    { name: 'sessionTimeoutMs', type: 'int32' },
    { name: 'rebalanceTimeoutMs', type: 'int32', since: 1, default: -1 },
    { name: 'memberId', type: 'string' },
    { name: 'groupInstanceId', type: 'string', since: 5, nullableSince: 0, default: null },
    { name: 'protocolType', type: 'string' },
    {
      name: 'protocols',
      type: 'array',
      of: [
        { name: 'name', type: 'string' },
        { name: 'metadata', type: 'bytes' },
      ],
    },
    { name: 'reason', type: 'string', since: 8, nullableSince: 0, default: null },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', since: 2 },
    { name: 'errorCode', type: 'int16' },
    { name: 'generationId', type: 'int32', default: -1 },
    { name: 'protocolType', type: 'string', since: 7, nullableSince: 0, default: null },
    { name: 'protocolName', type: 'string', nullableSince: 7 },
    { name: 'leader', type: 'string' },
    { name: 'skipAssignment', type: 'bool', since: 9, default: false },
    { name: 'memberId', type: 'string' },
    {
      name: 'members',
      type: 'array',
      of: [
        { name: 'memberId', type: 'string' },
        { name: 'groupInstanceId', type: 'string', since: 5, nullableSince: 0, default: null },
        { name: 'metadata', type: 'bytes' },
      ],
    },
  ],
});
