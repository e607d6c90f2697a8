/** What can be wrong with the text of a configuration: MR101x, told at its place. */
import { defineNotices } from '../../base/index.ts';

export const configNotices = defineNotices({
  malformed: {
    code: 'MR1010',
    text: 'the file is no YAML',
    help: 'The message names what was expected at the place.',
  },
  unset: {
    code: 'MR1011',
    text: 'a reference has no value',
    help: 'Set the variable, give a default as in ${env:NAME:-default}, or put the file where it is named.',
  },
  wrongValue: {
    code: 'MR1012',
    text: 'a setting has a value that it cannot take',
    help: '`millrace schema` tells what each setting takes.',
  },
  unknownKey: {
    code: 'MR1013',
    text: 'there is no such setting',
    help: 'Unknown keys are refused, because a slip of the pen would otherwise switch nothing. `millrace schema` has all of them.',
  },
  unknownReference: {
    code: 'MR1014',
    text: 'a reference of an unknown kind',
    help: 'There are ${env:NAME} and ${file:PATH}; write $${ for a plain ${.',
  },
  noPipelineFile: {
    code: 'MR1015',
    text: 'the file of a pipeline cannot be read',
    help: 'Paths are relative to the file that names them.',
  },
  setTwice: {
    code: 'MR1016',
    text: 'a setting or name stands in two places',
    help: 'Files of a directory are merged by name; remove or rename one of the two.',
  },
});
