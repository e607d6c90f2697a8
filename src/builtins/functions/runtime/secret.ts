/** `secret`. */
import { Secret } from '../../../data/index.ts';
import { defineFunction } from '../../../sdk/index.ts';
import { secretErrors } from '../../secrets/errors.ts';

export default defineFunction({
  name: 'secret',
  category: 'runtime',
  summary: 'A secret by its name; printed as three asterisks.',
  parameters: [{ name: 'name', type: 'string' }],
  returns: 'secret',
  isPure: true,
  examples: [],
  evaluate: ([name], context) => {
    const text = context.secret(name as string);
    if (text === undefined) throw secretErrors.unknown({ name });
    return new Secret(text);
  },
});
