/** `to_upper`. */
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'to_upper',
  category: 'text',
  summary: 'Letters in upper case.',
  parameters: [{ name: 'x', type: 'string' }],
  returns: 'string',
  isPure: true,
  examples: [{ tql: '"AbC".to_upper()', out: '"ABC"' }],
  evaluate: ([x]) => (x as string).toUpperCase(),
});
