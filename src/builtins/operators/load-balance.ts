/**
 * `load_balance`: batches to whoever is ready. The body is made once for each element of the list, with the variable
 * bound to that element; each asks for the next batch when it can take one, so a stuck target delays nobody, and what a
 * failed target gives back goes to another.
 */
import { defineOperator, s } from '../../sdk/index.ts';

export default defineOperator({
  name: 'load_balance',
  summary: 'Distributes batches over one pipeline for each element of a list; each takes what it is ready for.',
  input: ['events'],
  output: 'void',
  args: {
    over: s.variable('A `$` variable bound to a list.').positional(),
    pipeline: s.pipeline('Where the events go; ends in a sink.').positional(),
  },
  lower: ({ over, pipeline }) => ({ kind: 'balance', list: over.expr, variable: over.name, chain: pipeline }),
});
