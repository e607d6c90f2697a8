/** DeleteGroups: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const deleteGroups = defineMessage({
  key: 42,
  name: 'DeleteGroups',
  versions: [0, 2],
  flexibleSince: 2,
  request: [{ name: 'groupsNames', type: 'array', of: 'string' }],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'results',
      type: 'array',
      of: [
        { name: 'groupId', type: 'string' },
        { name: 'errorCode', type: 'int16' },
      ],
    },
  ],
});
