/** ElectLeaders: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const electLeaders = defineMessage({
  key: 43,
  name: 'ElectLeaders',
  versions: [0, 2],
  flexibleSince: 2,
  request: [
    { name: 'electionType', type: 'int8', since: 1 },
    {
      name: 'topicPartitions',
      type: 'array',
      nullableSince: 0,
      of: [
        { name: 'topic', type: 'string' },
        { name: 'partitions', type: 'array', of: 'int32' },
      ],
    },
    { name: 'timeoutMs', type: 'int32', default: 60000 },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16', since: 1 },
    {
      name: 'replicaElectionResults',
      type: 'array',
      of: [
        { name: 'topic', type: 'string' },
        {
          name: 'partitionResult',
          type: 'array',
          of: [
            { name: 'partitionId', type: 'int32' },
            { name: 'errorCode', type: 'int16' },
            { name: 'errorMessage', type: 'string', nullableSince: 0 },
          ],
        },
      ],
    },
  ],
});
