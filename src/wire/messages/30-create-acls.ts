/** CreateAcls: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const createAcls = defineMessage({
  key: 30,
  name: 'CreateAcls',
  versions: [0, 3],
  flexibleSince: 2,
  request: [
    {
      name: 'creations',
      type: 'array',
      of: [
        { name: 'resourceType', type: 'int8' },
        { name: 'resourceName', type: 'string' },
        { name: 'resourcePatternType', type: 'int8', since: 1, default: 3 },
        { name: 'principal', type: 'string' },
        { name: 'host', type: 'string' },
        { name: 'operation', type: 'int8' },
        { name: 'permissionType', type: 'int8' },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'results',
      type: 'array',
      of: [
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullableSince: 0 },
      ],
    },
  ],
});
