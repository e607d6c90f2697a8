/** `where`: keeps events. */
import { defineOperator, s } from '../../sdk/index.ts';

export default defineOperator({
  name: 'where',
  summary: 'Keeps the events for which the predicate is true; null counts as false.',
  input: ['events'],
  output: 'events',
  args: { predicate: s.expression('What must hold.').positional() },
  examples: [{ tql: 'from {x: 1}, {x: 5}\nwhere x > 2', out: ['{"x":5}'] }],
  lower: ({ predicate }) => ({ kind: 'filter', predicate }),
});
