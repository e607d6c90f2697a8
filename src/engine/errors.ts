/** Errors of running pipelines: MR62xx. */
import { defineErrors } from '../base/index.ts';

export const engineErrors = defineErrors({
  stageFailed: {
    code: 'MR6201',
    text: 'stage {stage} of pipeline {pipeline} failed: {reason}',
    exit: 1,
    help: 'The cause names what to mend; the pipeline goes on from its last committed epoch when it is started again.',
  },
  notAList: {
    code: 'MR6202',
    text: 'expected ${name} to be a list, it is {type}',
    exit: 1,
    help: 'Bind the variable to a list: let ${name} = ["https://a:8088", "https://b:8088"].',
  },
  emptyList: {
    code: 'MR6203',
    text: 'expected list to not be empty',
    exit: 1,
    help: 'Give load_balance at least one element.',
  },
  notConstant: {
    code: 'MR6204',
    text: 'argument `{argument}` of {operator} must be a constant',
    exit: 1,
    help: 'Only expressions without event fields can stand here; they are evaluated once at the start.',
  },
  wrongArgumentType: {
    code: 'MR6205',
    text: 'argument `{argument}` of {operator} must be {expected}, it is {actual}',
    exit: 1,
    help: 'Change the value, or convert it with a function such as string() or int().',
  },
  openEnd: {
    code: 'MR6206',
    text: 'pipeline {pipeline} must end with a sink',
    exit: 1,
    help: 'Add a sink such as save_kafka, to_splunk or discard.',
  },
  openStart: {
    code: 'MR6207',
    text: 'pipeline {pipeline} must begin with a source',
    exit: 1,
    help: 'Begin with a source such as load_kafka or from.',
  },
  deadLettersFailed: {
    code: 'MR6208',
    text: 'dead letters of pipeline {pipeline} cannot be written: {reason}',
    retry: 'backoff',
    exit: 1,
    help: 'The epoch stays open until they can be written, so nothing is lost. Mend the log that takes them.',
  },
  unknownTap: {
    code: 'MR6209',
    text: 'pipeline {pipeline} has no stage {stage}; it has {stages}',
    exit: 4,
    help: 'Name a stage by its id or by its operator name.',
  },
  ambiguousTap: {
    code: 'MR6216',
    text: 'pipeline {pipeline} has several stages {stage}: {stages}',
    exit: 4,
    help: 'Name one of them by its id.',
  },
  invalidArgument: {
    code: 'MR6217',
    text: '{operator}: {message}',
    exit: 1,
    help: 'The value of the argument was only known when the pipeline started; change what it is computed from.',
  },
  refusedEvent: {
    code: 'MR6218',
    text: 'stage {stage} refused an event ({code}): {message}',
    exit: 1,
    help: '`on_error: stop` ends the pipeline for it; `dead_letter` keeps such events and goes on.',
  },
  stateTooLarge: {
    code: 'MR6219',
    text: 'the state of stage {stage} has {chars} characters, more than the {max} that a checkpoint takes',
    exit: 1,
    help: 'Group by fewer values, or give results in between with the option `emit`.',
  },
  armFailed: {
    code: 'MR6220',
    text: 'body {arm} of load_balance failed: {reason}',
    exit: 1,
    help: 'Its events go to the others meanwhile; it is tried again by itself.',
  },
});
