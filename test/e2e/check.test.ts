/** `millrace check` as a process: what it prints where, and how it ends. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

const main = join(import.meta.dirname, '../../src/cli/main.ts');

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function check(directory: string, args: readonly string[], input: string | Uint8Array = ''): Run {
  const env = { ...process.env, NO_COLOR: '1', LC_ALL: 'C.UTF-8' };
  const { status, stderr, stdout } = spawnSync(process.execPath, [main, 'check', ...args], {
    cwd: directory,
    env,
    input,
  });
  return { code: status, stdout: stdout.toString(), stderr: stderr.toString() };
}

function files(t: TestContext, contents: Readonly<Record<string, string | Uint8Array>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-check-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(contents)) writeFileSync(join(directory, name), content);
  return directory;
}

test('diagnostics of all files are printed as text, with the exit code of what was found', t => {
  const directory = files(t, {
    'good.tql': 'from {a: 1}\nwhere a > 0\n',
    'bad.tql': '---\nname: x\n---\r\nfrom {"é": 1} \r\nwherre a\r\nselect a, [',
  });
  assert.deepEqual(check(directory, ['good.tql']), { code: 0, stdout: '', stderr: '1 file checked, no errors\n' });
  assert.deepEqual(check(directory, ['good.tql', 'bad.tql']), {
    code: 3,
    stdout: '',
    stderr: [
      'error: unknown operator `wherre`',
      ' --> bad.tql:5:1',
      '  |',
      '5 | wherre a',
      '  | ^^^^^^',
      '  |',
      '  = hint: did you mean `where`?',
      '',
      'error: expected an expression, got the end of the text',
      ' --> bad.tql:6:12',
      '  |',
      '6 | select a, [',
      '  |            ^',
      '  |',
      '',
      '2 files checked, 2 errors',
      '',
    ].join('\n'),
  });
});

test('diagnostics as JSON have file, line, column, severity, code and message', t => {
  const directory = files(t, { 'a.tql': 'from {"😀": 1} | where § == 1\n' });
  const { code, stderr, stdout } = check(directory, ['--format', 'json', 'a.tql', 'gone.tql']);
  assert.equal(code, 4);
  assert.equal(stderr, '');
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: Record<string, unknown>[] };
  assert.deepEqual(
    diagnostics.map(({ code: id, column, file, line, message, severity }) => [
      file,
      line,
      column,
      severity,
      id,
      message,
    ]),
    [
      ['a.tql', 1, 23, 'error', 'MR2001', 'unexpected character `§`'],
      ['gone.tql', 1, 1, 'error', 'MR1023', 'cannot read gone.tql: there is no such file or directory'],
    ],
  );
});

test('a warning is no error; a directory, a wrong format and text that is no UTF-8 are', t => {
  const directory = files(t, { 'w.tql': '// parallelism: 4\nfrom {a: 1}\n', 'u.tql': Buffer.from([0x78, 0xff, 0x0a]) });
  const warned = check(directory, ['w.tql']);
  assert.equal(warned.code, 0);
  assert.match(warned.stderr, /^warning: .*\n --> w.tql:1:1\n(.*\n)*1 file checked, 1 warning\n$/);
  assert.equal(check(directory, ['.']).code, 1);
  assert.equal(check(directory, ['--format', 'xml', 'w.tql']).code, 2);
  const invalid = check(directory, ['--parse-only', '--format=json', 'u.tql']);
  assert.equal(invalid.code, 3);
  assert.match(invalid.stdout, /"line": 1,\s+"column": 2,[^}]*"code": "MR2008"/);
});

test('standard input is checked, behind the parser or further', t => {
  const directory = files(t, {});
  const text = 'load_kafka "t" | context::enrich "x" | foo::bar | $x = [1]';
  assert.deepEqual(check(directory, ['--parse-only', '-'], text), {
    code: 0,
    stdout: '',
    stderr: '1 file checked, no errors\n',
  });
  const { code, stdout } = check(directory, ['--format=json', '-'], text);
  assert.equal(code, 3);
  assert.match(stdout, /"file": "<stdin>"/);
});
