/** `join`. */
import { typeOf, type Value } from '../../../data/index.ts';
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'join',
  category: 'text',
  summary: 'One text from a list of texts; nulls are left out.',
  parameters: [
    { name: 'xs', type: 'list' },
    { name: 'sep', type: 'string', isOptional: true },
  ],
  returns: 'string',
  isPure: true,
  examples: [{ tql: '["a", "b"].join("-")', out: '"a-b"' }],
  evaluate: ([xs, sep], { warn }) => {
    const texts = (xs as readonly Value[]).filter(x => x !== null);
    const other = texts.find(x => typeof x !== 'string');
    if (other === undefined) return texts.join((sep as string | undefined) ?? '');
    warn(`\`join\` expected a list of \`string\`, got \`${typeOf(other)}\` in it`);
    return null;
  },
});
