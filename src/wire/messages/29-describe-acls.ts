/** DescribeAcls: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const describeAcls = defineMessage({
  key: 29,
  name: 'DescribeAcls',
  versions: [0, 3],
  flexibleSince: 2,
  request: [
    { name: 'resourceTypeFilter', type: 'int8' },
    { name: 'resourceNameFilter', type: 'string', nullableSince: 0 },
    { name: 'patternTypeFilter', type: 'int8', since: 1, default: 3 },
    { name: 'principalFilter', type: 'string', nullableSince: 0 },
    { name: 'hostFilter', type: 'string', nullableSince: 0 },
    { name: 'operation', type: 'int8' },
    { name: 'permissionType', type: 'int8' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'errorMessage', type: 'string', nullableSince: 0 },
    {
      name: 'resources',
      type: 'array',
      of: [
        { name: 'resourceType', type: 'int8' },
        { name: 'resourceName', type: 'string' },
        { name: 'patternType', type: 'int8', since: 1, default: 3 },
        {
          name: 'acls',
          type: 'array',
          of: [
            { name: 'principal', type: 'string' },
            { name: 'host', type: 'string' },
            { name: 'operation', type: 'int8' },
            { name: 'permissionType', type: 'int8' },
          ],
        },
      ],
    },
  ],
});
