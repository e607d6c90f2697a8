/** AlterConfigs: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const alterConfigs = defineMessage({
  key: 33,
  name: 'AlterConfigs',
  versions: [0, 2],
  flexibleSince: 2,
  request: [
    {
      name: 'resources',
      type: 'array',
      of: [
        { name: 'resourceType', type: 'int8' },
        { name: 'resourceName', type: 'string' },
        {
          name: 'configs',
          type: 'array',
          of: [
            { name: 'name', type: 'string' },
            { name: 'value', type: 'string', nullableSince: 0 },
          ],
        },
      ],
    },
    { name: 'validateOnly', type: 'bool' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'responses',
      type: 'array',
      of: [
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullableSince: 0 },
        { name: 'resourceType', type: 'int8' },
        { name: 'resourceName', type: 'string' },
      ],
    },
  ],
});
