/** `millrace version`. */
import { VERSION } from '../../app/version.ts';
import { defineCommand } from '../command.ts';
import { data } from '../output.ts';

export default defineCommand<{ readonly output: string }>({
  name: 'version',
  summary: 'print the version',
  flags: [{ flags: '-o, --output <format>', text: 'form', choices: ['text', 'json'], default: 'text' }],
  examples: ['millrace version -o json'],
  run: (_args: never, { output }) =>
    data(
      output === 'json' ? `${JSON.stringify({ version: VERSION, node: process.version })}\n` : `millrace ${VERSION}\n`,
    ),
});
