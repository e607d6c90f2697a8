/** `abs`. */
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'abs',
  category: 'number',
  summary: 'Without its sign.',
  parameters: [{ name: 'x', type: 'number' }],
  returns: 'number',
  isPure: true,
  examples: [{ tql: 'abs(-3)', out: '3' }],
  evaluate: ([x]) => (typeof x === 'bigint' ? (x < 0n ? -x : x) : Math.abs(x as number)),
});
