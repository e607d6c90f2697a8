/** Errors of running pipelines: MR62xx. */
import { defineErrors, defineNotices } from '../base/index.ts';

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

/** Warnings of running pipelines: the event goes on, with null where no value could be had. */
export const engineNotices = defineNotices({
  evaluation: {
    code: 'MR6210',
    text: 'an expression could not be evaluated for an event: its value is null',
    help: 'The place is underlined. A `?` behind a field says that it may be missing; `else` gives a value in place of null.',
  },
  noCondition: {
    code: 'MR6211',
    text: 'a condition gave neither true, false nor null: it counts as false',
    help: 'Compare the value with something, or convert it, so that the condition is a bool.',
  },
  wrongTarget: {
    code: 'MR6212',
    text: 'an assignment to `this` or `@name` got a value of the wrong type and was left out',
    help: '`this` takes records, `@name` text.',
  },
  aggregate: {
    code: 'MR6214',
    text: 'an aggregation function left out a value',
    help: 'The message says what it does not take; convert the values before, or filter them out.',
  },
  limit: {
    code: 'MR6213',
    text: '`summarize` keeps as many groups or events as its limit allows: an event that would need another one is a dead letter',
    help: 'Group by fields with fewer values, use `options={emit: …, mode: "reset"}`, or raise `options={limit: …}`.',
  },
  wrongKey: {
    code: 'MR6215',
    text: 'the key of an assignment was no text: nothing was assigned',
    help: 'Convert the key with string(), as in m[string(key)] = value.',
  },
});
