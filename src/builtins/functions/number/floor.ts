/** `floor`. */
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'floor',
  category: 'number',
  summary: 'The next integer downwards.',
  parameters: [{ name: 'x', type: 'number' }],
  returns: 'int',
  isPure: true,
  examples: [{ tql: 'floor(2.6)', out: '2' }],
  evaluate: ([x], { warn }) => {
    if (typeof x === 'bigint') return x;
    const whole = Math.floor(x as number);
    if (Number.isFinite(whole)) return BigInt(whole);
    warn('no integer is near');
    return null;
  },
});
