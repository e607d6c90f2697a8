/** Produce: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const produce = defineMessage({
  key: 0,
  name: 'Produce',
  versions: [0, 13],
  flexibleSince: 9,
  request: [
    { name: 'transactionalId', type: 'string', since: 3, nullableSince: 0, default: null },
    { name: 'acks', type: 'int16' },
    { name: 'timeoutMs', type: 'int32' },
    {
      name: 'topicData',
      type: 'array',
      of: [
        { name: 'name', type: 'string', until: 12 },
        { name: 'topicId', type: 'uuid', since: 13 },
        {
          name: 'partitionData',
          type: 'array',
          of: [
            { name: 'index', type: 'int32' },
            { name: 'records', type: 'records', nullableSince: 0 },
          ],
        },
      ],
    },
  ],
  response: [
    {
      name: 'responses',
      type: 'array',
      of: [
        { name: 'name', type: 'string', until: 12 },
        { name: 'topicId', type: 'uuid', since: 13 },
        {
          name: 'partitionResponses',
          type: 'array',
          of: [
            { name: 'index', type: 'int32' },
            { name: 'errorCode', type: 'int16' },
            { name: 'baseOffset', type: 'int64' },
            { name: 'logAppendTimeMs', type: 'int64', since: 2, default: -1 },
            { name: 'logStartOffset', type: 'int64', since: 5, default: -1 },
            {
              name: 'recordErrors',
              type: 'array',
              since: 8,
              of: [
                { name: 'batchIndex', type: 'int32' },
                { name: 'batchIndexErrorMessage', type: 'string', nullableSince: 0, default: null },
              ],
            },
            { name: 'errorMessage', type: 'string', since: 8, nullableSince: 0, default: null },
            {
              name: 'currentLeader',
              type: 'struct',
              since: 10,
              tag: 0,
              of: [
                { name: 'leaderId', type: 'int32', default: -1 },
                { name: 'leaderEpoch', type: 'int32', default: -1 },
              ],
            },
          ],
        },
      ],
    },
    { name: 'throttleTimeMs', type: 'int32', since: 1, default: 0 },
    {
      name: 'nodeEndpoints',
      type: 'array',
      since: 10,
      tag: 0,
      of: [
        { name: 'nodeId', type: 'int32' },
        { name: 'host', type: 'string' },
        { name: 'port', type: 'int32' },
        { name: 'rack', type: 'string', nullableSince: 0, default: null },
      ],
    },
  ],
});
