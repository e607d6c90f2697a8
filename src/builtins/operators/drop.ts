/** `drop`: removes fields. */
import { defineOperator, s } from '../../sdk/index.ts';

export default defineOperator({
  name: 'drop',
  summary: 'Removes fields; the last field of a record leaves an empty record.',
  input: ['events'],
  output: 'events',
  args: { fields: s.field('Fields to remove.').variadic() },
  examples: [{ tql: 'from {a: 1, b: {c: 2}}\ndrop a, b.c', out: ['{"b":{}}'] }],
  lower: ({ fields }) => ({ kind: 'remove', fields }),
});
