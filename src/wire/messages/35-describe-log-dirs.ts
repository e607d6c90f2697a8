/** DescribeLogDirs: layout of every version, both directions. Version notes: the handler and the client that use it. */
import { defineMessage } from '../define.ts';

export const describeLogDirs = defineMessage({
  key: 35,
  name: 'DescribeLogDirs',
  versions: [0, 5],
  flexibleSince: 2,
  request: [
    {
      name: 'topics',
      type: 'array',
      nullableSince: 0,
      of: [
        { name: 'topic', type: 'string' },
        { name: 'partitions', type: 'array', of: 'int32' },
      ],
    },
  ],
  response: [
    { name: 'throttleTimeMs', type: 'int32', default: 0 },
    { name: 'errorCode', type: 'int16', since: 3 },
    {
      name: 'results',
      type: 'array',
      of: [
        { name: 'errorCode', type: 'int16' },
        { name: 'logDir', type: 'string' },
        {
          name: 'topics',
          type: 'array',
          of: [
            { name: 'name', type: 'string' },
            {
              name: 'partitions',
              type: 'array',
              of: [
                { name: 'partitionIndex', type: 'int32' },
                { name: 'partitionSize', type: 'int64' },
                { name: 'offsetLag', type: 'int64' },
                { name: 'isFutureKey', type: 'bool' },
              ],
            },
          ],
        },
        { name: 'totalBytes', type: 'int64', since: 4, default: -1 },
        { name: 'usableBytes', type: 'int64', since: 4, default: -1 },
        { name: 'isCordoned', type: 'bool', since: 5, default: false },
      ],
    },
  ],
});
