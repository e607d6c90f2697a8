/**
 * ApiVersions.
 *
 * Versions: 0 to 4. A higher one is answered by the connection in the layout of version 0 with 35 and the range.
 * Behaviour: the ranges of all handlers; remembers the client's software name and version for diagnoses. A bad name is 42.
 * Not done: features (none is finished that has one).
 * Versions differ: software name and version from 3.
 */
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';

const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

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
    return { errorCode: 0, apiKeys };
  },
});
