/** WriteTxnMarkers: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const writeTxnMarkers = defineMessage({
  key: 27,
  name: 'WriteTxnMarkers',
  versions: [0, 2],
  flexibleSince: 1,
  request: [
    {
      name: 'markers',
      type: 'array',
      of: [
        { name: 'producerId', type: 'int64' },
        { name: 'producerEpoch', type: 'int16' },
        { name: 'transactionResult', type: 'bool' },
        {
          name: 'topics',
          type: 'array',
          of: [
            { name: 'name', type: 'string' },
            { name: 'partitionIndexes', type: 'array', of: 'int32' },
          ],
        },
        { name: 'coordinatorEpoch', type: 'int32' },
        { name: 'transactionVersion', type: 'int8', since: 2, default: 0 },
      ],
    },
  ],
  response: [
    {
      name: 'markers',
      type: 'array',
      of: [
        { name: 'producerId', type: 'int64' },
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
    },
  ],
});
