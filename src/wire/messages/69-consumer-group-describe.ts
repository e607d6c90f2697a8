/** ConsumerGroupDescribe: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const consumerGroupDescribe = defineMessage({
  key: 69,
  name: 'ConsumerGroupDescribe',
  versions: [0, 1],
  flexibleSince: 0,
  request: [
    { name: 'groupIds', type: 'array', of: 'string' },
    { name: 'includeAuthorizedOperations', type: 'bool' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'groups',
      type: 'array',
      of: [
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullableSince: 0, default: null },
        { name: 'groupId', type: 'string' },
        { name: 'groupState', type: 'string' },
        { name: 'groupEpoch', type: 'int32' },
        { name: 'assignmentEpoch', type: 'int32' },
        { name: 'assignorName', type: 'string' },
        {
          name: 'members',
          type: 'array',
          of: [
            { name: 'memberId', type: 'string' },
            { name: 'instanceId', type: 'string', nullableSince: 0, default: null },
            { name: 'rackId', type: 'string', nullableSince: 0, default: null },
            { name: 'memberEpoch', type: 'int32' },
            { name: 'clientId', type: 'string' },
            { name: 'clientHost', type: 'string' },
            { name: 'subscribedTopicNames', type: 'array', of: 'string' },
            { name: 'subscribedTopicRegex', type: 'string', nullableSince: 0, default: null },
            {
              name: 'assignment',
              type: 'struct',
              of: [
                {
                  name: 'topicPartitions',
                  type: 'array',
                  of: [
                    { name: 'topicId', type: 'uuid' },
                    { name: 'topicName', type: 'string' },
                    { name: 'partitions', type: 'array', of: 'int32' },
                  ],
                },
              ],
            },
            {
              name: 'targetAssignment',
              type: 'struct',
              of: [
                {
                  name: 'topicPartitions',
                  type: 'array',
                  of: [
                    { name: 'topicId', type: 'uuid' },
                    { name: 'topicName', type: 'string' },
                    { name: 'partitions', type: 'array', of: 'int32' },
                  ],
                },
              ],
            },
            { name: 'memberType', type: 'int8', since: 1, default: -1 },
          ],
        },
        { name: 'authorizedOperations', type: 'int32', default: -2147483648 },
      ],
    },
  ],
});
