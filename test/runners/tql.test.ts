/**
 * The language, as data: programs with what they print (`test/corpus/tql/*.tql` beside `*.txt`: diagnostics first, then the
 * output; `*.stdin` is piped in), in every engine mode. `UPDATE=1` writes the expected files anew.
 */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { builtins } from '../../src/builtins/index.ts';
import { TEXTS } from '../../src/lang/tql/errors.ts';
import { runPipeline } from '../../src/testing/index.ts';
import { MODES } from './modes.ts';

const corpus = join(import.meta.dirname, '../corpus/tql');
const programs = globSync('*.tql', { cwd: corpus }).sort();

for (const file of programs) {
  const text = readFileSync(join(corpus, file), 'utf8');
  const stdin = join(corpus, file.replace(/\.tql$/, '.stdin'));
  const input = existsSync(stdin) ? [readFileSync(stdin)] : [];
  for (const [name, mode] of Object.entries(MODES)) {
    // Where a stream of bytes was cut is no position to go on from.
    if (mode.isTopic === true ? !file.startsWith('col-') : mode.restartEvery !== undefined && input.length > 0)
      continue;
    test(`corpus ${file}, ${name}`, async () => {
      const expected = join(corpus, file.replace(/\.tql$/, '.txt'));
      const { diagnostics, failure, output } = await runPipeline(text, builtins, {
        input,
        mode,
        secrets: { S: 'tell nobody' },
      });
      const reported = failure === undefined || failure === 'check' ? '' : `failed: ${failure}\n`;
      const actual = diagnostics.map(diagnostic => `${diagnostic}\n`).join('\n') + reported + output;
      const isFirst = name === Object.keys(MODES)[0];
      if (isFirst && (process.env['UPDATE'] !== undefined || !existsSync(expected))) writeFileSync(expected, actual);
      const wanted = readFileSync(expected, 'utf8');
      if (isFirst) assert.equal(actual, wanted);
      else assert.deepEqual(comparable(actual, text), comparable(wanted, text));
    });
  }
}

/**
 * Warnings come in the order in which rows meet them, and again behind a restart: they are compared as a set. Events keep
 * their order unless the program says `// order: none`.
 */
function comparable(text: string, program: string): { diagnostics: readonly string[]; output: readonly string[] } {
  const lines = text.split('\n');
  const starts = lines.flatMap((line, i) => (/^(?:warning|error): /.test(line) ? [i] : []));
  const diagnostics: string[] = [];
  let next = 0;
  for (const start of starts) {
    let end = start + 1;
    while (/^ *(?:\d+ )?(?:-->|\||=|⋮)/.test(lines[end] ?? '')) end++;
    diagnostics.push(lines.slice(start, end).join('\n'));
    next = lines[end] === '' ? end + 1 : end;
  }
  const output = lines.slice(next);
  if (program.includes('// order: none')) output.sort();
  return { diagnostics: [...new Set(diagnostics)].sort(), output };
}

test('every diagnostic of the language stands in the corpus with its place', () => {
  const expected = programs.map(file => readFileSync(join(corpus, file.replace(/\.tql$/, '.txt')), 'utf8')).join('\n');
  // Programs of the corpus are UTF-8 and short; `parser.test.ts` has those that are not.
  const missing = Object.values(TEXTS).filter(([code, text]) => {
    if (code === TEXTS.invalidUtf8[0] || code === TEXTS.tooLong[0]) return false;
    const pattern = text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\\\{\w+\\\}/g, '.+');
    return !new RegExp(`^(?:error|warning): ${pattern}\n +--> <input>:\\d+:\\d+$`, 'm').test(expected);
  });
  assert.deepEqual(missing, []);
});

test('every operator, function and aggregate that runs without a server stands in the corpus', () => {
  const text = programs.map(file => readFileSync(join(corpus, file), 'utf8')).join('\n');
  const names = [...builtins.operators.values(), ...builtins.functions.values(), ...builtins.aggregates.values()]
    .map(({ name }) => name)
    .filter(name => !/kafka|splunk/.test(name));
  assert.deepEqual(
    names.filter(name => !new RegExp(`\\b${name}\\b`).test(text)),
    [],
  );
});
