/** CreateTopics: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const createTopics = defineMessage({
  key: 19,
  name: 'CreateTopics',
  versions: [0, 7],
  flexibleSince: 5,
  request: [
    {
      name: 'topics',
      type: 'array',
      of: [
        { name: 'name', type: 'string' },
        { name: 'numPartitions', type: 'int32' },
        { name: 'replicationFactor', type: 'int16' },
        {
          name: 'assignments',
          type: 'array',
          of: [
            { name: 'partitionIndex', type: 'int32' },
            { name: 'brokerIds', type: 'array', of: 'int32' },
          ],
        },
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
    { name: 'timeoutMs', type: 'int32', default: 60000 },
    { name: 'validateOnly', type: 'bool', since: 1, default: false },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', since: 2 },
    {
      name: 'topics',
      type: 'array',
      of: [
        { name: 'name', type: 'string' },
        { name: 'topicId', type: 'uuid', since: 7 },
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', since: 1, nullableSince: 0 },
        { name: 'topicConfigErrorCode', type: 'int16', since: 5, tag: 0 },
        { name: 'numPartitions', type: 'int32', since: 5, default: -1 },
        { name: 'replicationFactor', type: 'int16', since: 5, default: -1 },
        {
          name: 'configs',
          type: 'array',
          since: 5,
          nullableSince: 0,
          of: [
            { name: 'name', type: 'string' },
            { name: 'value', type: 'string', nullableSince: 0 },
            { name: 'readOnly', type: 'bool' },
            { name: 'configSource', type: 'int8', default: -1 },
            { name: 'isSensitive', type: 'bool' },
          ],
        },
      ],
    },
  ],
});
