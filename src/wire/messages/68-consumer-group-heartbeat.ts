/** ConsumerGroupHeartbeat: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const consumerGroupHeartbeat = defineMessage({
  key: 68,
  name: 'ConsumerGroupHeartbeat',
  versions: [0, 1],
  flexibleSince: 0,
  request: [
    { name: 'groupId', type: 'string' },
    { name: 'memberId', type: 'string' },
    { name: 'memberEpoch', type: 'int32' },
    { name: 'instanceId', type: 'string', nullableSince: 0, default: null },
    { name: 'rackId', type: 'string', nullableSince: 0, default: null },
    { name: 'rebalanceTimeoutMs', type: 'int32', default: -1 },
    { name: 'subscribedTopicNames', type: 'array', nullableSince: 0, default: null, of: 'string' },
    { name: 'subscribedTopicRegex', type: 'string', since: 1, nullableSince: 0, default: null },
    { name: 'serverAssignor', type: 'string', nullableSince: 0, default: null },
    {
      name: 'topicPartitions',
      type: 'array',
      nullableSince: 0,
      default: null,
      of: [
        { name: 'topicId', type: 'uuid' },
        { name: 'partitions', type: 'array', of: 'int32' },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'errorMessage', type: 'string', nullableSince: 0, default: null },
    { name: 'memberId', type: 'string', nullableSince: 0, default: null },
    { name: 'memberEpoch', type: 'int32' },
    { name: 'heartbeatIntervalMs', type: 'int32' },
    {
      name: 'assignment',
      type: 'struct',
      nullableSince: 0,
      of: [
        {
          name: 'topicPartitions',
          type: 'array',
          of: [
            { name: 'topicId', type: 'uuid' },
            { name: 'partitions', type: 'array', of: 'int32' },
          ],
        },
      ],
    },
  ],
});
