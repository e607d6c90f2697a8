/** Errors of configuration and start: MR10xx. */
import { defineErrors } from '../base/index.ts';

export const appErrors = defineErrors({
  inUse: {
    code: 'MR1001',
    text: 'the data directory {directory} is in use by another process',
    exit: 1,
    help: 'Stop the other process, or give this one a directory of its own with --data.',
  },
  addressTaken: {
    code: 'MR1002',
    text: 'cannot listen on {address}: {reason}',
    exit: 1,
    help: 'Choose another port with --kafka or --http, or stop what listens there.',
  },
  badConfig: {
    code: 'MR1003',
    text: 'the configuration {file} has errors',
    exit: 78,
    help: 'See the places above; `millrace check` shows them without starting.',
  },
  badPipeline: {
    code: 'MR1004',
    text: 'pipeline {id} has errors',
    exit: 78,
    help: 'See the places above; nothing was started.',
  },
  exposedPlaintext: {
    code: 'MR1005',
    text: 'refusing to listen on {host} without TLS',
    exit: 78,
    help: 'Listen on 127.0.0.1, or set `kafka.allow_plaintext: true` to expose a plaintext listener on purpose.',
  },
});
