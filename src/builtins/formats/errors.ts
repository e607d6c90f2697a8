/** Codes of formats: MR70xx, as rows carry them into dead letters. */
import { defineNotices } from '../../base/index.ts';

export const FORMAT_CODES = defineNotices({
  malformedJson: {
    code: 'MR7001',
    text: 'malformed JSON',
    help: 'The position is that of the byte at which it is wrong; mend the producer. `on_error` chooses what becomes of such events.',
  },
  notAnObject: {
    code: 'MR7002',
    text: 'a JSON document that is no object',
    help: 'Events are objects. Wrap the value before it is sent, as in {"value": 1}.',
  },
  topLevelArray: {
    code: 'MR7003',
    text: 'a JSON array in place of an object',
    help: '`read_json arrays_of_objects=true` makes an event of each element.',
  },
  schemas: {
    code: 'MR7004',
    text: 'an option about schemas that has no effect here',
    help: 'There are no schemas yet; leave the option out.',
  },
  tooLong: {
    code: 'MR7005',
    text: 'a line or document that is longer than a reader takes',
    help: 'It may lack its end: look at the bytes in the dead letter.',
  },
  invalidUtf8: {
    code: 'MR7006',
    text: 'text that is no UTF-8',
    help: 'Convert it to UTF-8 before it is sent.',
  },
});
