/** `secret("env:NAME")`: an environment variable. */
import { defineSecretStore } from '../../sdk/index.ts';

export default defineSecretStore({
  name: 'env',
  summary: 'A variable of the environment, as it was when the process started.',
  get: (key, { environment }) => environment[key],
});
