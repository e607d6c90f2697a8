/** Errors of secret stores: MR76xx. The text of a secret is in none of them. */
import { defineErrors } from '../../base/index.ts';

export const secretErrors = defineErrors({
  unknown: {
    code: 'MR7601',
    text: 'secret {name} is in no store',
    exit: 1,
    help:
      'Set MILLRACE_SECRETS__{name} (upper case) in the environment, add it under `secrets` in millrace.yaml, or name a ' +
      'store: secret("env:NAME"), secret("file:/path").',
  },
  unreadable: {
    code: 'MR7602',
    text: 'secret file {path} cannot be read: {reason}',
    exit: 1,
    help: 'Give the process the right to read the file; it holds the secret alone, at most {limit} bytes.',
  },
});
