/** `millrace log check`: reads a data directory and reports what does not fit. Exit 3 when there is damage. */
import { existsSync } from 'node:fs';
import { defineCommand } from '../command.ts';
import { cliErrors } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { data, listText, note } from '../output.ts';

const check = defineCommand<{ readonly output: 'text' | 'json' | 'ndjson' }>({
  name: 'check',
  summary: 'read every frame and batch; report damage with file and position',
  description: 'Writes nothing. A process may go on writing into the directory meanwhile.',
  arguments: [['<dir>', 'data directory']],
  flags: [
    {
      flags: '-o, --output <format>',
      text: 'form of the findings',
      choices: ['text', 'json', 'ndjson'],
      default: 'text',
    },
  ],
  examples: ['millrace log check .millrace/demo'],
  run: async ([directory]: readonly [string], { output }) => {
    const [{ nodeIo }, { checkLog }] = await Promise.all([
      import('../../base/io/node.ts'),
      import('../../log/index.ts'),
    ]);
    const path = existsSync(`${directory}/log`) ? `${directory}/log` : directory;
    if (!existsSync(path))
      throw cliErrors.noSuchFile({ file: directory, reason: 'there is no such file or directory' });
    const { bytes, files, findings, frames } = checkLog(nodeIo().files, path);
    const rows = findings.map(({ kind, path: file, position, reason }) => ({ kind, file, position, reason }));
    if (output === 'text')
      for (const { file, kind, position, reason } of rows) data(`${kind}: ${file} at byte ${position}: ${reason}\n`);
    else data(listText(output, [], rows));
    note(`${files} files, ${frames} frames, ${bytes} bytes read, ${findings.length} findings`);
    if (files === 0) throw cliErrors.noSuchFile({ file: directory, reason: 'it holds no journal file' });
    if (findings.some(({ kind }) => kind === 'damage')) process.exitCode = EXIT.found;
  },
});

export default defineCommand<object>({ name: 'log', summary: 'tools for the stored log', commands: [check] });
