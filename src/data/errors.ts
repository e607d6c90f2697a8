/** Errors of events and their texts: MR60xx. */
import { defineErrors } from '../base/index.ts';

export const dataErrors = defineErrors({
  malformedJson: {
    code: 'MR6001',
    text: 'malformed JSON at byte {position}: {reason}',
    help: 'Mend the producer, or read the dead letter to see the bytes; `on_error` chooses another fate for such events.',
  },
  tooDeep: {
    code: 'MR6002',
    text: 'JSON nested deeper than {limit} levels at byte {position}',
    help: 'Flatten the event before it is sent; the bound protects the process from hostile input.',
  },
});
