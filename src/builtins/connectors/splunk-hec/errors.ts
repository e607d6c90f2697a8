/** Codes of the Splunk connector: MR74xx, in diagnostics and dead letters. */
import { defineNotices } from '../../../base/index.ts';

export const hecNotices = defineNotices({
  refused: {
    code: 'MR7401',
    text: 'the collector refused the event',
    help: 'The message is its answer. Mend the event or the index it names; the dead letter keeps it.',
  },
  tooLarge: {
    code: 'MR7402',
    text: 'the event is larger than `max_content_length`',
    help: 'Make events smaller before they are sent, or raise the limit here and in the collector.',
  },
  badArgument: {
    code: 'MR7403',
    text: 'an argument of to_splunk that it cannot take',
    help: 'The message says what it takes.',
  },
  badValue: {
    code: 'MR7404',
    text: 'an expression of to_splunk gave a value of the wrong type',
    help: 'The argument is left out for this event; where it is `raw`, the event is a dead letter.',
  },
  unknownAnswer: {
    code: 'MR7405',
    text: 'the collector gave an answer that is none of its own, until the attempts were used up',
    help: 'Something else may answer at the address: a proxy, another service. `max_attempts` is how often it is tried.',
  },
});
