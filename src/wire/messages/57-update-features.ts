/** UpdateFeatures: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const updateFeatures = defineMessage({
  key: 57,
  name: 'UpdateFeatures',
  versions: [0, 2],
  flexibleSince: 0,
  request: [
    { name: 'timeoutMs', type: 'int32', default: 60000 },
    {
      name: 'featureUpdates',
      type: 'array',
      of: [
        { name: 'feature', type: 'string' },
        { name: 'maxVersionLevel', type: 'int16' },
        { name: 'allowDowngrade', type: 'bool', until: 0 },
        { name: 'upgradeType', type: 'int8', since: 1, default: 1 },
      ],
    },
    { name: 'validateOnly', type: 'bool', since: 1, default: false },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'errorMessage', type: 'string', nullableSince: 0 },
    {
      name: 'results',
      type: 'array',
      until: 1,
      of: [
        { name: 'feature', type: 'string' },
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullableSince: 0 },
      ],
    },
  ],
});
