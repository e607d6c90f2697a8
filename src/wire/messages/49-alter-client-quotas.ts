/** AlterClientQuotas: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const alterClientQuotas = defineMessage({
  key: 49,
  name: 'AlterClientQuotas',
  versions: [0, 1],
  flexibleSince: 1,
  request: [
    {
      name: 'entries',
      type: 'array',
      of: [
        {
          name: 'entity',
          type: 'array',
          of: [
            { name: 'entityType', type: 'string' },
            { name: 'entityName', type: 'string', nullableSince: 0 },
          ],
        },
        {
          name: 'ops',
          type: 'array',
          of: [
            { name: 'key', type: 'string' },
            { name: 'value', type: 'float64' },
            { name: 'remove', type: 'bool' },
          ],
        },
      ],
    },
    { name: 'validateOnly', type: 'bool' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'entries',
      type: 'array',
      of: [
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullableSince: 0 },
        {
          name: 'entity',
          type: 'array',
          of: [
            { name: 'entityType', type: 'string' },
            { name: 'entityName', type: 'string', nullableSince: 0 },
          ],
        },
      ],
    },
  ],
});
