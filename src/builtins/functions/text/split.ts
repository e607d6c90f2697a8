/** `split`. */
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'split',
  category: 'text',
  summary: 'Parts between separators; the characters when the separator is empty.',
  parameters: [
    { name: 'x', type: 'string' },
    { name: 'separator', type: 'string' },
  ],
  returns: 'list',
  isPure: true,
  examples: [{ tql: '"a,b".split(",")', out: '["a", "b"]' }],
  evaluate: ([x, separator]) => (separator === '' ? [...(x as string)] : (x as string).split(separator as string)),
});
