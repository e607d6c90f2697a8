/** `fork`: a copy of each event for another pipeline. */
import { defineOperator, s } from '../../sdk/index.ts';

export default defineOperator({
  name: 'fork',
  summary: 'Sends a copy of each event into a pipeline that ends in a sink; the events go on.',
  input: ['events'],
  output: 'events',
  args: { pipeline: s.pipeline('Where the copies go; ends in a sink.').positional() },
  examples: [{ tql: 'from {a: 1}\nfork { discard }', out: ['{"a":1}'] }],
  lower: ({ pipeline }) => ({ kind: 'fan-out', chain: pipeline }),
});
