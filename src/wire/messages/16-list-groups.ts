/** ListGroups: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const listGroups = defineMessage({
  key: 16,
  name: 'ListGroups',
  versions: [0, 5],
  flexibleSince: 3,
  request: [
    { name: 'statesFilter', type: 'array', since: 4, of: 'string' },
    { name: 'typesFilter', type: 'array', since: 5, of: 'string' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', since: 1 },
    { name: 'errorCode', type: 'int16' },
    {
      name: 'groups',
      type: 'array',
      of: [
        { name: 'groupId', type: 'string' },
        { name: 'protocolType', type: 'string' },
        { name: 'groupState', type: 'string', since: 4 },
        { name: 'groupType', type: 'string', since: 5 },
      ],
    },
  ],
});
