/** DescribeUserScramCredentials: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const describeUserScramCredentials = defineMessage({
  key: 50,
  name: 'DescribeUserScramCredentials',
  versions: [0, 0],
  flexibleSince: 0,
  request: [{ name: 'users', type: 'array', nullableSince: 0, of: [{ name: 'name', type: 'string' }] }],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16' },
    { name: 'errorMessage', type: 'string', nullableSince: 0 },
    {
      name: 'results',
      type: 'array',
      of: [
        { name: 'user', type: 'string' },
        { name: 'errorCode', type: 'int16' },
        { name: 'errorMessage', type: 'string', nullableSince: 0 },
        {
          name: 'credentialInfos',
          type: 'array',
          of: [
            { name: 'mechanism', type: 'int8' },
            { name: 'iterations', type: 'int32' },
          ],
        },
      ],
    },
  ],
});
