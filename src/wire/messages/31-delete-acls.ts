/** DeleteAcls: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const deleteAcls = defineMessage({
  key: 31,
  name: 'DeleteAcls',
  versions: [0, 3],
  flexibleSince: 2,
  request: [
    {
      name: 'filters',
      type: 'array',
      of: [
        { name: 'resourceTypeFilter', type: 'int8' },
        { name: 'resourceNameFilter', type: 'string', nullableSince: 0 },
        { name: 'patternTypeFilter', type: 'int8', since: 1, default: 3 },
        { name: 'principalFilter', type: 'string', nullableSince: 0 },
        { name: 'hostFilter', type: 'string', nullableSince: 0 },
        { name: 'operation', type: 'int8' },
        { name: 'permissionType', type: 'int8' },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'filterResults',
      type: 'array',
      of: [
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullableSince: 0 },
        {
          name: 'matchingAcls',
          type: 'array',
          of: [
            { name: 'errorCode', type: 'int16' },
            { name: 'errorMessage', type: 'string', nullableSince: 0 },
            { name: 'resourceType', type: 'int8' },
            { name: 'resourceName', type: 'string' },
            { name: 'patternType', type: 'int8', since: 1, default: 3 },
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
