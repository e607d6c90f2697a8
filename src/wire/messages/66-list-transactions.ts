/** ListTransactions: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const listTransactions = defineMessage({
  key: 66,
  name: 'ListTransactions',
  versions: [0, 2],
  flexibleSince: 0,
  request: [
    { name: 'stateFilters', type: 'array', of: 'string' },
    { name: 'producerIdFilters', type: 'array', of: 'int64' },
    { name: 'durationFilter', type: 'int64', since: 1, default: -1 },
    { name: 'transactionalIdPattern', type: 'string', since: 2, nullableSince: 0, default: null },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'unknownStateFilters', type: 'array', of: 'string' },
    {
      name: 'transactionStates',
      type: 'array',
      of: [
        { name: 'transactionalId', type: 'string' },
        { name: 'producerId', type: 'int64' },
        { name: 'transactionState', type: 'string' },
      ],
    },
  ],
});
