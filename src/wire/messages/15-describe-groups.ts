/** DescribeGroups: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const describeGroups = defineMessage({
  key: 15,
  name: 'DescribeGroups',
  versions: [0, 6],
  flexibleSince: 5,
  request: [
    { name: 'groups', type: 'array', of: 'string' },
    { name: 'includeAuthorizedOperations', type: 'bool', since: 3 },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', since: 1 },
    {
      name: 'groups',
      type: 'array',
      of: [
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', since: 6, nullableSince: 0, default: null },
        { name: 'groupId', type: 'string' },
        { name: 'groupState', type: 'string' },
        { name: 'protocolType', type: 'string' },
        { name: 'protocolData', type: 'string' },
        {
          name: 'members',
          type: 'array',
          of: [
            { name: 'memberId', type: 'string' },
            { name: 'groupInstanceId', type: 'string', since: 4, nullableSince: 0, default: null },
            { name: 'clientId', type: 'string' },
            { name: 'clientHost', type: 'string' },
            { name: 'memberMetadata', type: 'bytes' },
            { name: 'memberAssignment', type: 'bytes' },
          ],
        },
        { name: 'authorizedOperations', type: 'int32', since: 3, default: -2147483648 },
      ],
    },
  ],
});
