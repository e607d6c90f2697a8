/** SaslHandshake: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const saslHandshake = defineMessage({
  key: 17,
  name: 'SaslHandshake',
  versions: [0, 1],
  request: [{ name: 'mechanism', type: 'string' }],
  response: [
    { name: 'errorCode', type: 'int16' },
    { name: 'mechanisms', type: 'array', of: 'string' },
  ],
});
