/** FindCoordinator: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const findCoordinator = defineMessage({
  key: 10,
  name: 'FindCoordinator',
  versions: [0, 6],
  flexibleSince: 3,
  request: [
    { name: 'key', type: 'string', until: 3 },
    { name: 'keyType', type: 'int8', since: 1, default: 0 },
    { name: 'coordinatorKeys', type: 'array', since: 4, of: 'string' },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', since: 1 },
    { name: 'errorCode', type: 'int16', until: 3 },
    { name: 'errorMessage', type: 'string', since: 1, until: 3, nullableSince: 0 },
    { name: 'nodeId', type: 'int32', until: 3 },
    { name: 'host', type: 'string', until: 3 },
    { name: 'port', type: 'int32', until: 3 },
    {
      name: 'coordinators',
      type: 'array',
      since: 4,
      of: [
        { name: 'key', type: 'string' },
        { name: 'nodeId', type: 'int32' },
        { name: 'host', type: 'string' },
        { name: 'port', type: 'int32' },
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullableSince: 0 },
      ],
    },
  ],
});
