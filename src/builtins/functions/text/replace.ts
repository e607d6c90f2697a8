/** `replace`. */
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'replace',
  category: 'text',
  summary: 'With every occurrence of a text replaced; the empty text occurs nowhere.',
  parameters: [
    { name: 'x', type: 'string' },
    { name: 'what', type: 'string' },
    { name: 'with', type: 'string' },
  ],
  returns: 'string',
  isPure: true,
  examples: [{ tql: '"a.b.c".replace(".", "-")', out: '"a-b-c"' }],
  evaluate: ([x, what, by]) =>
    what === '' ? (x as string) : (x as string).replaceAll(what as string, () => by as string),
});
