/** `length`. */
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'length',
  category: 'list',
  summary: 'Number of elements.',
  parameters: [{ name: 'xs', type: 'list' }],
  returns: 'int',
  isPure: true,
  examples: [{ tql: '[1, 2].length()', out: '2' }],
  evaluate: ([xs]) => BigInt((xs as readonly unknown[]).length),
});
