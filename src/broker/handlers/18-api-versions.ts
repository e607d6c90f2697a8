/**
 * ApiVersions.
 *
 * Versions: 0 to 4. A higher one is answered by the connection in the layout of version 0 with 35 and the range.
 * Behaviour: the ranges of all handlers; remembers the client's software name and version for diagnoses. A bad name is 42.
 *   Features that are finished are told with the only level that there is, and nobody can change it.
 * Not done: nothing.
 * Versions differ: software name and version from 3, and features in the answer; those with level 0 from 4.
 */
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';

const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

/**
 * By Kafka's names. `group.version` 1: the server's group protocol (KIP-848). `transaction.version` 2: an epoch for each
 * transaction, batches that add their partition (KIP-890).
 */
const FEATURES: readonly { readonly name: string; readonly level: number }[] = [
  { name: 'group.version', level: 1 },
  { name: 'transaction.version', level: 2 },
];
/** Clients take features for known from epoch 0 on. */
const FEATURES_EPOCH = 0;

export default defineHandler({
  api: apis.apiVersions,
  min: 0,
  max: 4,
  handle(context, request) {
    if (context.version >= 3) {
      const { clientSoftwareName: name, clientSoftwareVersion: version } = request;
      if (!SOFTWARE.test(name) || !SOFTWARE.test(version))
        return { errorCode: errorCode('INVALID_REQUEST'), apiKeys: [] };
      context.client.software = `${name}/${version}`;
    }
    const apiKeys = [...context.handlers.values()].map(({ api, max, min }) => ({
      apiKey: api.key,
      minVersion: min,
      maxVersion: max,
    }));
    return {
      errorCode: 0,
      apiKeys,
      supportedFeatures: FEATURES.map(({ level, name }) => ({
        name,
        // Below version 4 clients refuse a minimum of 0.
        minVersion: context.version >= 4 ? 0 : 1,
        maxVersion: level,
      })),
      finalizedFeaturesEpoch: FEATURES_EPOCH,
      finalizedFeatures: FEATURES.map(({ level, name }) => ({ name, maxVersionLevel: level, minVersionLevel: level })),
    };
  },
});
