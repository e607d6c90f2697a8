/** `random`. */
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'random',
  category: 'number',
  summary: 'A random number from 0 up to 1.',
  parameters: [],
  returns: 'float',
  isPure: false,
  examples: [{ tql: 'random() < 1', out: 'true' }],
  evaluate: (_args, { random }) => random(),
});
