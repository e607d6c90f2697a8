/** `pass`: nothing happens. */
import { defineOperator, type Transform } from '../../sdk/index.ts';

export default defineOperator({
  name: 'pass',
  summary: 'Passes everything on as it is.',
  input: ['events', 'bytes'],
  output: 'input',
  args: {},
  traits: { isRowwise: true },
  examples: [{ tql: 'from {a: 1}\npass', out: ['{"a":1}'] }],
  create: (): Transform => ({ process: (batch, out) => out.emit(batch) }),
});
