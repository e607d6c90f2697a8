/** DeleteTopics: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const deleteTopics = defineMessage({
  key: 20,
  name: 'DeleteTopics',
  versions: [0, 6],
  flexibleSince: 4,
  request: [
    {
      name: 'topics',
      type: 'array',
      since: 6,
      of: [
        { name: 'name', type: 'string', nullableSince: 0, default: null },
        { name: 'topicId', type: 'uuid' },
      ],
    },
    { name: 'topicNames', type: 'array', until: 5, of: 'string' },
    { name: 'timeoutMs', type: 'int32' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', since: 1 },
    {
      name: 'responses',
      type: 'array',
      of: [
        { name: 'name', type: 'string', nullableSince: 6 },
        { name: 'topicId', type: 'uuid', since: 6 },
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', since: 5, nullableSince: 0, default: null },
      ],
    },
  ],
});
