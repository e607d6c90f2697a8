/** `to_lower`. */
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'to_lower',
  category: 'text',
  summary: 'Letters in lower case.',
  parameters: [{ name: 'x', type: 'string' }],
  returns: 'string',
  isPure: true,
  examples: [{ tql: '"AbC".to_lower()', out: '"abc"' }],
  evaluate: ([x]) => (x as string).toLowerCase(),
});
