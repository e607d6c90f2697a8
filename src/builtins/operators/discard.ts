/** `discard`: a sink that takes everything and keeps nothing. */
import { defineOperator, type Sink } from '../../sdk/index.ts';

export default defineOperator({
  name: 'discard',
  summary: 'Takes everything and keeps nothing; what it takes counts as delivered.',
  input: ['events', 'bytes'],
  output: 'void',
  args: {},
  create: (): Sink => ({
    write: (batch, delivery) => delivery.delivered(batch.count),
    flush: () => undefined,
    close: () => Promise.resolve(),
  }),
});
