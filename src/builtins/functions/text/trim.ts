/** `trim`. */
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'trim',
  category: 'text',
  summary: 'Without white space at both ends.',
  parameters: [{ name: 'x', type: 'string' }],
  returns: 'string',
  isPure: true,
  examples: [{ tql: '" a ".trim()', out: '"a"' }],
  evaluate: ([x]) => (x as string).trim(),
});
