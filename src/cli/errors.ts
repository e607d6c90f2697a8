/** Errors of the command line: MR102x. */
import { defineErrors } from '../base/index.ts';
import { EXIT } from './exit-codes.ts';

export const cliErrors = defineErrors({
  usage: {
    code: 'MR1020',
    text: '{problem}',
    exit: EXIT.usage,
    help: '{remedy}',
  },
  badValue: {
    code: 'MR1021',
    text: '{flag} {value}: {reason}',
    exit: EXIT.usage,
    help: 'See the help of the command for what it takes.',
  },
  notConfirmed: {
    code: 'MR1022',
    text: '{act} and cannot be undone',
    exit: EXIT.usage,
    help: 'Say --yes if that is meant.',
  },
  noSuchFile: {
    code: 'MR1023',
    text: '{file} cannot be read: {reason}',
    exit: EXIT.notFound,
    help: 'Paths are relative to the working directory.',
  },
  noProcess: {
    code: 'MR1024',
    text: 'no process answers in {directory}',
    exit: EXIT.noConnection,
    help: 'Start `millrace up`, or name the data directory of the running process with --data.',
  },
  noSuchGroup: {
    code: 'MR1025',
    text: 'there is no group {group}',
    exit: EXIT.notFound,
    help: '`millrace groups list` shows those that there are.',
  },
  noSuchCode: {
    code: 'MR1026',
    text: 'no message has the code {code}',
    exit: EXIT.notFound,
    help: '`millrace explain` without a code lists all of them.',
  },
  bytesUnfiltered: {
    code: 'MR1027',
    text: 'bytes pass behind {stage}, not events: --where has nothing to look at',
    exit: EXIT.failed,
    help: 'Tap a stage behind a reader such as read_json.',
  },
  groupActive: {
    code: 'MR1029',
    text: 'group {group} is {state}, with {members} members: its offsets are theirs',
    exit: EXIT.failed,
    help: 'Stop its consumers first; who is killed stays a member until its session is over.',
  },
  somethingFailed: {
    code: 'MR1028',
    text: '{failed} of {all} {what} failed: {reason}',
    exit: EXIT.failed,
    help: 'Those that were not acknowledged may have to be sent again.',
  },
});
