/** AddPartitionsToTxn: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const addPartitionsToTxn = defineMessage({
  key: 24,
  name: 'AddPartitionsToTxn',
  versions: [0, 5],
  flexibleSince: 3,
  request: [
    {
      name: 'transactions',
      type: 'array',
      since: 4,
      of: [
        { name: 'transactionalId', type: 'string' },
        { name: 'producerId', type: 'int64' },
        { name: 'producerEpoch', type: 'int16' },
        { name: 'verifyOnly', type: 'bool', default: false },
        {
          name: 'topics',
          type: 'array',
          of: [
            { name: 'name', type: 'string' },
            { name: 'partitions', type: 'array', of: 'int32' },
          ],
        },
      ],
    },
    { name: 'v3AndBelowTransactionalId', type: 'string', until: 3 },
    { name: 'v3AndBelowProducerId', type: 'int64', until: 3 },
    { name: 'v3AndBelowProducerEpoch', type: 'int16', until: 3 },
    {
      name: 'v3AndBelowTopics',
      type: 'array',
      until: 3,
      of: [
        { name: 'name', type: 'string' },
        { name: 'partitions', type: 'array', of: 'int32' },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16', since: 4 },
    {
      name: 'resultsByTransaction',
      type: 'array',
      since: 4,
      of: [
        { name: 'transactionalId', type: 'string' },
        {
          name: 'topicResults',
          type: 'array',
          of: [
            { name: 'name', type: 'string' },
            {
              name: 'resultsByPartition',
              type: 'array',
              of: [
                { name: 'partitionIndex', type: 'int32' },
                { name: 'partitionErrorCode', type: 'int16' },
              ],
            },
          ],
        },
      ],
    },
    {
      name: 'resultsByTopicV3AndBelow',
      type: 'array',
      until: 3,
      of: [
        { name: 'name', type: 'string' },
        {
          name: 'resultsByPartition',
          type: 'array',
          of: [
            { name: 'partitionIndex', type: 'int32' },
            { name: 'partitionErrorCode', type: 'int16' },
          ],
        },
      ],
    },
  ],
});
