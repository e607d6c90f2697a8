/** `length_bytes`. */
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'length_bytes',
  category: 'text',
  summary: 'Number of bytes in UTF-8.',
  parameters: [{ name: 'x', type: 'string' }],
  returns: 'int',
  isPure: true,
  examples: [{ tql: '"äb".length_bytes()', out: '3' }],
  evaluate: ([x]) => BigInt(Buffer.byteLength(x as string)),
});
