/**
 * Transcripts of the command line, `test/corpus/cli/*.txt`:
 *
 *     $ millrace check typo.yaml        (`< text` at the end is standard input; VARIABLE=value may stand before it)
 *     what it prints on stdout
 *     2> what it prints on stderr
 *     [exit 3]
 *
 * Commands run in a copy of `test/corpus/cli/files`. `UPDATE=1` writes them anew.
 */
import assert from 'node:assert/strict';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import type { Command, Outcome } from './cli-host.ts';
import { startSession } from './cli-session.ts';

const root = join(import.meta.dirname, '../..');
const corpus = join(root, 'test/corpus/cli');

interface Step {
  readonly line: string;
  readonly expected: string;
}

function stepsOf(text: string): Step[] {
  return text
    .split(/^(?=\$ )/m)
    .filter(part => part.startsWith('$ '))
    .map(part => {
      const end = part.indexOf('\n');
      return { line: part.slice(2, end), expected: part.slice(end + 1) };
    });
}

/** Words as a shell cuts them: blanks, single and double quotes. */
function words(line: string): string[] {
  return [...line.matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)].map(([word]) =>
    word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'),
  );
}

function commandOf(line: string, cwd: string): Command {
  const [text = '', input = ''] = line.split(/ < (?=')/);
  const all = words(text);
  const first = all.indexOf('millrace');
  const variables = Object.fromEntries(all.slice(0, first).map(word => word.split(/=(.*)/s).slice(0, 2)));
  return {
    args: all.slice(first + 1),
    cwd,
    environment: { LC_ALL: 'C.UTF-8', HOME: cwd, ...variables },
    input: input.replace(/^'|'$/g, '').replaceAll('\\n', '\n'),
  };
}

function printed({ code, stderr, stdout }: Outcome, cwd: string): string {
  const marked = stderr.replace(/(.*)(\n|$)/g, (whole, text: string, end: string) =>
    whole === '' ? '' : `2>${text === '' ? '' : ' '}${text}${end}`,
  );
  const lines = [stdout, marked].map(text => (text === '' || text.endsWith('\n') ? text : `${text}\\\n`));
  return `${lines.join('').replaceAll(cwd, '<dir>')}[exit ${code}]\n`;
}

test('the command line prints what the transcripts have', async t => {
  const session = startSession(t);
  for (const path of globSync('*.txt', { cwd: corpus }).sort()) {
    await t.test(basename(path, '.txt'), async inner => {
      const cwd = mkdtempSync(join(tmpdir(), 'millrace-cli-'));
      inner.after(() => rmSync(cwd, { recursive: true, force: true }));
      cpSync(join(corpus, 'files'), cwd, { recursive: true });
      const text = readFileSync(join(corpus, path), 'utf8');
      let written = text.slice(0, text.search(/^\$ /m));
      for (const { expected, line } of stepsOf(text)) {
        const got = printed(await session(commandOf(line, cwd)), cwd);
        written += `$ ${line}\n${got}\n`;
        if (!process.env['UPDATE']) assert.equal(got, `${expected.trimEnd()}\n`, line);
      }
      if (process.env['UPDATE']) writeFileSync(join(corpus, path), `${written.trimEnd()}\n`);
    });
  }
});
