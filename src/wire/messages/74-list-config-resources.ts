/** ListConfigResources: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const listConfigResources = defineMessage({
  key: 74,
  name: 'ListConfigResources',
  versions: [0, 1],
  flexibleSince: 0,
  request: [{ name: 'resourceTypes', type: 'array', since: 1, of: 'int8' }],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
    {
      name: 'configResources',
      type: 'array',
      of: [
        { name: 'resourceName', type: 'string' },
        { name: 'resourceType', type: 'int8', since: 1, default: 16 },
      ],
    },
  ],
});
