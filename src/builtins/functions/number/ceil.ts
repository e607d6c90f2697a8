/** `ceil`. */
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'ceil',
  category: 'number',
  summary: 'The next integer upwards.',
  parameters: [{ name: 'x', type: 'number' }],
  returns: 'int',
  isPure: true,
  examples: [{ tql: 'ceil(2.6)', out: '3' }],
  evaluate: ([x], { warn }) => {
    if (typeof x === 'bigint') return x;
    const whole = Math.ceil(x as number);
    if (Number.isFinite(whole)) return BigInt(whole);
    warn('no integer is near');
    return null;
  },
});
