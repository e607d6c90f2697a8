/** AlterUserScramCredentials: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const alterUserScramCredentials = defineMessage({
  key: 51,
  name: 'AlterUserScramCredentials',
  versions: [0, 0],
  flexibleSince: 0,
  request: [
    {
      name: 'deletions',
      type: 'array',
      of: [
        { name: 'name', type: 'string' },
        { name: 'mechanism', type: 'int8' },
      ],
    },
    {
      name: 'upsertions',
      type: 'array',
      of: [
        { name: 'name', type: 'string' },
        { name: 'mechanism', type: 'int8' },
        { name: 'iterations', type: 'int32' },
        { name: 'salt', type: 'bytes' },
        { name: 'saltedPassword', type: 'bytes' },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    {
      name: 'results',
      type: 'array',
      of: [
        { name: 'user', type: 'string' },
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullableSince: 0 },
      ],
    },
  ],
});
