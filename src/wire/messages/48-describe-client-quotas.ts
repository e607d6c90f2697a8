/** DescribeClientQuotas: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const describeClientQuotas = defineMessage({
  key: 48,
  name: 'DescribeClientQuotas',
  versions: [0, 1],
  flexibleSince: 1,
  request: [
    {
      name: 'components',
      type: 'array',
      of: [
        { name: 'entityType', type: 'string' },
        { name: 'matchType', type: 'int8' },
        { name: 'match', type: 'string', nullableSince: 0 },
      ],
    },
    { name: 'strict', type: 'bool' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'errorMessage', type: 'string', nullableSince: 0 },
    {
      name: 'entries',
      type: 'array',
      nullableSince: 0,
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
          name: 'values',
          type: 'array',
          of: [
            { name: 'key', type: 'string' },
            { name: 'value', type: 'float64' },
          ],
        },
      ],
    },
  ],
});
