/** OffsetDelete: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const offsetDelete = defineMessage({
  key: 47,
  name: 'OffsetDelete',
  versions: [0, 0],
  request: [
    { name: 'groupId', type: 'string' },
    {
      name: 'topics',
      type: 'array',
      of: [
        { name: 'name', type: 'string' },
        { name: 'partitions', type: 'array', of: [{ name: 'partitionIndex', type: 'int32' }] },
      ],
    },
  ],
  response: [
    { name: 'errorCode', type: 'int16' },
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'topics',
      type: 'array',
      of: [
        { name: 'name', type: 'string' },
        {
          name: 'partitions',
          type: 'array',
          of: [
            { name: 'partitionIndex', type: 'int32' },
            { name: 'errorCode', type: 'int16' },
          ],
        },
      ],
    },
  ],
});
