/** `join`. */
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'join',
  category: 'text',
  summary: 'One text from a list of texts.',
  parameters: [
    { name: 'xs', type: 'list' },
    { name: 'separator', type: 'string', isOptional: true },
  ],
  returns: 'string',
  isPure: true,
  examples: [{ tql: '["a", "b"].join("-")', out: '"a-b"' }],
  evaluate: ([xs, separator]) =>
    (xs as readonly unknown[]).filter(x => typeof x === 'string').join((separator as string | undefined) ?? ''),
});
