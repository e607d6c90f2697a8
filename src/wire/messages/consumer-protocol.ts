/** What members of a classic consumer group tell each other inside JoinGroup and SyncGroup; brokers pass it unread. */
import { defineEmbedded } from '../define.ts';

export const consumerProtocolSubscription = defineEmbedded({
  name: 'ConsumerProtocolSubscription',
  versions: [0, 3],
  fields: [
    { name: 'topics', type: 'array', of: 'string' },
    { name: 'userData', type: 'bytes', nullableSince: 0, default: null },
    {
      name: 'ownedPartitions',
      type: 'array',
      since: 1,
      of: [
        { name: 'topic', type: 'string' },
        { name: 'partitions', type: 'array', of: 'int32' },
      ],
    },
    { name: 'generationId', type: 'int32', since: 2, default: -1 },
    { name: 'rackId', type: 'string', since: 3, nullableSince: 3, default: null },
  ],
});

export const consumerProtocolAssignment = defineEmbedded({
  name: 'ConsumerProtocolAssignment',
  versions: [0, 3],
  fields: [
    {
      name: 'assignedPartitions',
      type: 'array',
      of: [
        { name: 'topic', type: 'string' },
        { name: 'partitions', type: 'array', of: 'int32' },
      ],
    },
    { name: 'userData', type: 'bytes', nullableSince: 0, default: null },
  ],
});
