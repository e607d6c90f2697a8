/** `ends_with`. */
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'ends_with',
  category: 'text',
  summary: 'Whether the text ends with another.',
  parameters: [
    { name: 'x', type: 'string' },
    { name: 'suffix', type: 'string' },
  ],
  returns: 'bool',
  isPure: true,
  examples: [{ tql: '"abc".ends_with("bc")', out: 'true' }],
  evaluate: ([x, suffix]) => (x as string).endsWith(suffix as string),
});
