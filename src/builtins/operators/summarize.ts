/** `summarize`: groups and aggregates. */
import { defineOperator, s } from '../../sdk/index.ts';

export default defineOperator({
  name: 'summarize',
  summary: 'One event for each group when the input ends, with aggregates over its events.',
  input: ['events'],
  output: 'events',
  args: { summary: s.groupsAndAggregates('Group fields and aggregation functions.').positional() },
  traits: { isStateful: true, isBlocking: true },
  examples: [
    {
      tql: 'from {g: "a", x: 1}, {g: "b", x: 2}, {g: "a", x: 5}\nsummarize g, n=count(), s=sum(x)',
      out: ['{"g":"a","n":2,"s":6}', '{"g":"b","n":1,"s":2}'],
    },
  ],
  lower: ({ summary }) => ({ kind: 'aggregate', ...summary }),
});
