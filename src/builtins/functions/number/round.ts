/** `round`. */
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'round',
  category: 'number',
  summary: 'The nearest integer.',
  parameters: [{ name: 'x', type: 'number' }],
  returns: 'int',
  isPure: true,
  examples: [{ tql: 'round(2.6)', out: '3' }],
  evaluate: ([x], { warn }) => {
    if (typeof x === 'bigint') return x;
    const whole = Math.round(x as number);
    if (Number.isFinite(whole)) return BigInt(whole);
    warn('no integer is near');
    return null;
  },
});
