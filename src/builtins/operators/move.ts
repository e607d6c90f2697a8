/** `move`: gives fields other names. */
import { defineOperator, s } from '../../sdk/index.ts';

export default defineOperator({
  name: 'move',
  summary: 'Moves values to other fields: `move new=old`.',
  input: ['events'],
  output: 'events',
  args: { assignments: s.assignments('New fields and the fields that they come from.').positional() },
  examples: [{ tql: 'from {a: 1, b: 2}\nmove c=a', out: ['{"b":2,"c":1}'] }],
  lower: ({ assignments }) => ({
    kind: 'project',
    mode: 'set',
    assignments: assignments.map(({ target, value }) => ({
      target,
      value: value.kind === 'field' ? { ...value, kind: 'move' as const } : value,
    })),
  }),
});
