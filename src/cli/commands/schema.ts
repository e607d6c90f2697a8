/** `millrace schema`: the JSON Schema of millrace.yaml, for editors. */
import { defineCommand } from '../command.ts';
import { data } from '../output.ts';

export default defineCommand<object>({
  name: 'schema',
  summary: 'JSON Schema of millrace.yaml',
  description:
    'Name it in the first line of millrace.yaml, and editors complete and check: # yaml-language-server: $schema=millrace.schema.json',
  examples: ['millrace schema > millrace.schema.json'],
  run: async () => {
    const { configJsonSchema } = await import('../../app/index.ts');
    data(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
  },
});
