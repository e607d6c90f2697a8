/** Errors of configuration and start: MR100x; those about the text of a configuration are diagnostics (`config/document.ts`). */
import { defineErrors, defineNotices } from '../base/index.ts';

export const appErrors = defineErrors({
  inUse: {
    code: 'MR1001',
    text: 'the data directory {directory} is in use by another process',
    exit: 1,
    help: 'Stop the other process, or give this one a directory of its own with --data.',
  },
  cannotListen: {
    code: 'MR1002',
    text: 'cannot listen on {address} for {purpose}: {reason}',
    exit: 1,
    help: 'Choose another port with {flag}, or stop what listens there.',
  },
  badConfig: {
    code: 'MR1003',
    text: 'the configuration has {errors}',
    exit: 78,
    help: 'See above; nothing was started. `millrace check` shows the same without starting.',
  },
  badPipeline: {
    code: 'MR1004',
    text: 'pipelines with errors: {ids}',
    exit: 78,
    help: 'See above; nothing was started. `millrace check` shows the same without starting.',
  },
  exposedPlaintext: {
    code: 'MR1005',
    text: 'refusing to listen on {host} without TLS',
    exit: 78,
    help: 'Listen on 127.0.0.1, use SSL or SASL_SSL, or set {setting} to true to expose a plaintext listener on purpose.',
  },
  badDataDirectory: {
    code: 'MR1006',
    text: 'the data directory {directory} cannot be used: {reason}',
    exit: 1,
    help: 'Name a directory on a local disk that this user may write to, with --data or `data:`.',
  },
  unknownPipeline: {
    code: 'MR1007',
    text: 'there is no pipeline {pipeline}; there are: {known}',
    exit: 4,
    help: 'Pipelines go by the id that the configuration gives them.',
  },
  unknownCommand: {
    code: 'MR1008',
    text: 'the control socket knows no command {command}',
    exit: 1,
    help: 'Command line and process are of different versions; use the one that the process was started with.',
  },
});

export const appNotices = defineNotices({
  ownLetters: {
    code: 'MR1050',
    text: 'a pipeline reads its own dead letters',
    help: 'Give it another `dead_letter_topic`, so that what fails again lies there, or another `on_error`.',
  },
  round: {
    code: 'MR1051',
    text: 'a pipeline reads a topic that it writes',
    help: 'Write to another topic, or make sure that an event leaves the round.',
  },
});
