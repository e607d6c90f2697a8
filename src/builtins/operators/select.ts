/** `select`: keeps fields. */
import { defineOperator, s } from '../../sdk/index.ts';

export default defineOperator({
  name: 'select',
  summary: 'Keeps the named fields in their nested shape, in the order given.',
  input: ['events'],
  output: 'events',
  args: { fields: s.selection('Fields, or assignments.').positional() },
  examples: [{ tql: 'from {a: 1, b: {c: 2, d: 3}}\nselect b.c, e=a', out: ['{"b":{"c":2},"e":1}'] }],
  lower: ({ fields }) => ({ kind: 'project', mode: 'select', assignments: fields }),
});
