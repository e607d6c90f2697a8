/** Errors in the arguments of operators: MR206x. */
import { defineNotices } from '../../base/index.ts';

export const operatorNotices = defineNotices({
  noRecord: {
    code: 'MR2060',
    text: '`from` takes records, or lists of records',
    help: 'Write the events that it gives, as in `from {a: 1}, {a: 2}`.',
  },
});
