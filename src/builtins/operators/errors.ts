/** Errors in the arguments of operators: MR206x. */
import { defineNotices } from '../../base/index.ts';

export const operatorNotices = defineNotices({
  noRecord: {
    code: 'MR2060',
    text: '`from` takes records, or lists of records',
    help: 'Write the events that it gives, as in `from {a: 1}, {a: 2}`.',
  },
  unknownOption: {
    code: 'MR2061',
    text: 'an option that the operator does not have',
    help: 'The message names those that there are.',
  },
  wrongEmission: {
    code: 'MR2062',
    text: 'the options of `summarize` say when it gives results in a way that cannot be meant',
    help: 'Results come at the end, with `emit` and `mode` each so many events or each so much time; see the reference of `summarize`.',
  },
});
