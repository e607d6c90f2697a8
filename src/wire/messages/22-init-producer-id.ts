/** InitProducerId: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const initProducerId = defineMessage({
  key: 22,
  name: 'InitProducerId',
  versions: [0, 6],
  flexibleSince: 2,
  request: [
    { name: 'transactionalId', type: 'string', nullableSince: 0 },
    { name: 'transactionTimeoutMs', type: 'int32' },
    { name: 'producerId', type: 'int64', since: 3, default: -1 },
    { name: 'producerEpoch', type: 'int16', since: 3, default: -1 },
    { name: 'enable2Pc', type: 'bool', since: 6, default: false },
    { name: 'keepPreparedTxn', type: 'bool', since: 6, default: false },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'producerId', type: 'int64', default: -1 },
    { name: 'producerEpoch', type: 'int16' },
    { name: 'ongoingTxnProducerId', type: 'int64', since: 6, default: -1 },
    { name: 'ongoingTxnProducerEpoch', type: 'int16', since: 6, default: -1 },
  ],
});
