/** `secret`. */
import { defineErrors } from '../../../base/index.ts';
import { Secret } from '../../../data/index.ts';
import { defineFunction } from '../../../sdk/index.ts';

export const secretErrors = defineErrors({
  unknown: {
    code: 'MR7601',
    text: 'secret {name} is in no store',
    exit: 1,
    help: 'Set MILLRACE_SECRETS__{name} in the environment, or add it under `secrets` in millrace.yaml.',
  },
});

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
