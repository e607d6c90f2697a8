/** ApiVersions: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const apiVersions = defineMessage({
  key: 18,
  name: 'ApiVersions',
  versions: [0, 4],
  flexibleSince: 3,
  request: [
    { name: 'clientSoftwareName', type: 'string', since: 3 },
    { name: 'clientSoftwareVersion', type: 'string', since: 3 },
  ],
  response: [
    { name: 'errorCode', type: 'int16' },
    {
      name: 'apiKeys',
      type: 'array',
      of: [
        { name: 'apiKey', type: 'int16' },
        { name: 'minVersion', type: 'int16' },
        { name: 'maxVersion', type: 'int16' },
      ],
    },
    { name: 'throttleTimeMs', type: 'int32', since: 1 },
    {
      name: 'supportedFeatures',
      type: 'array',
      since: 3,
      tag: 0,
      of: [
        { name: 'name', type: 'string' },
        { name: 'minVersion', type: 'int16' },
        { name: 'maxVersion', type: 'int16' },
      ],
    },
    { name: 'finalizedFeaturesEpoch', type: 'int64', since: 3, tag: 1, default: -1 },
    {
      name: 'finalizedFeatures',
      type: 'array',
      since: 3,
      tag: 2,
      of: [
        { name: 'name', type: 'string' },
        { name: 'maxVersionLevel', type: 'int16' },
        { name: 'minVersionLevel', type: 'int16' },
      ],
    },
    { name: 'zkMigrationReady', type: 'bool', since: 3, tag: 3, default: false },
  ],
});
