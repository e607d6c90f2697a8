/** `starts_with`. */
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'starts_with',
  category: 'text',
  summary: 'Whether the text begins with another.',
  parameters: [
    { name: 'x', type: 'string' },
    { name: 'prefix', type: 'string' },
  ],
  returns: 'bool',
  isPure: true,
  examples: [{ tql: '"abc".starts_with("ab")', out: 'true' }],
  evaluate: ([x, prefix]) => (x as string).startsWith(prefix as string),
});
