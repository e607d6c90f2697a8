/** `head`: the first events. */
import { defineOperator, s } from '../../sdk/index.ts';

export default defineOperator({
  name: 'head',
  summary: 'Passes the first events and then ends the pipeline.',
  input: ['events', 'bytes'],
  output: 'input',
  args: { count: s.uint('How many.').positional().default(10) },
  examples: [{ tql: 'from {a: 1}, {a: 2}, {a: 3}\nhead 2', out: ['{"a":1}', '{"a":2}'] }],
  lower: ({ count }) => ({ kind: 'limit', count }),
});
