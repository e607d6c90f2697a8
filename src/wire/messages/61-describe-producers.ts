/** DescribeProducers: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const describeProducers = defineMessage({
  key: 61,
  name: 'DescribeProducers',
  versions: [0, 0],
  flexibleSince: 0,
  request: [
    {
      name: 'topics',
      type: 'array',
      of: [
        { name: 'name', type: 'string' },
        { name: 'partitionIndexes', type: 'array', of: 'int32' },
      ],
    },
  ],
  response: [
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
            { name: 'errorMessage', type: 'string', nullableSince: 0, default: null },
            {
              name: 'activeProducers',
              type: 'array',
              of: [
                { name: 'producerId', type: 'int64' },
                { name: 'producerEpoch', type: 'int32' },
                { name: 'lastSequence', type: 'int32', default: -1 },
                { name: 'lastTimestamp', type: 'int64', default: -1 },
                { name: 'coordinatorEpoch', type: 'int32' },
                { name: 'currentTxnStartOffset', type: 'int64', default: -1 },
              ],
            },
          ],
        },
      ],
    },
  ],
});
