/** CreatePartitions: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const createPartitions = defineMessage({
  key: 37,
  name: 'CreatePartitions',
  versions: [0, 3],
  flexibleSince: 2,
  request: [
    {
      name: 'topics',
      type: 'array',
      of: [
        { name: 'name', type: 'string' },
        { name: 'count', type: 'int32' },
        {
          name: 'assignments',
          type: 'array',
          nullableSince: 0,
          of: [{ name: 'brokerIds', type: 'array', of: 'int32' }],
        },
      ],
    },
    { name: 'timeoutMs', type: 'int32' },
    { name: 'validateOnly', type: 'bool' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'results',
      type: 'array',
      of: [
        { name: 'name', type: 'string' },
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullableSince: 0, default: null },
      ],
    },
  ],
});
