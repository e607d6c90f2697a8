/** `set`: assigns fields. */
import { defineOperator, s } from '../../sdk/index.ts';

export default defineOperator({
  name: 'set',
  summary: 'Assigns fields; all values are computed on the original event first.',
  input: ['events'],
  output: 'events',
  args: { assignments: s.assignments('Fields and their values.').positional() },
  examples: [{ tql: 'from {a: 1, b: 2}\nset a=b, b=a', out: ['{"a":2,"b":1}'] }],
  lower: ({ assignments }) => ({ kind: 'project', mode: 'set', assignments }),
});
