/** `length_chars`. */
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'length_chars',
  category: 'text',
  summary: 'Number of characters.',
  parameters: [{ name: 'x', type: 'string' }],
  returns: 'int',
  isPure: true,
  examples: [{ tql: '"äb".length_chars()', out: '2' }],
  evaluate: ([x]) => BigInt([...(x as string)].length),
});
