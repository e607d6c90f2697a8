/**
 * `npm test`: types, lint, then unit tests in three processes beside end-to-end tests in processes of their own. Prints each
 * phase with its time, failures with their place, and as its last line the counts.
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const bin = (name: string): string => join(root, 'node_modules/.bin', name);
let passed = 0;
let failed = 0;

function run(command: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise(resolve => {
    const child = spawn(command, args, { cwd: root, env: { ...process.env, NODE_OPTIONS: '' } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (output += String(chunk)));
    child.on('error', error => resolve({ code: 1, output: error.message }));
    child.on('close', code => resolve({ code: code ?? 1, output }));
  });
}

function report(name: string, isGood: boolean, started: number, detail: string): void {
  process.stdout.write(
    `  ${isGood ? '✓' : '✗'} ${name.padEnd(12)} ${detail.padEnd(28)} ${((performance.now() - started) / 1_000).toFixed(1)} s\n`,
  );
}

/** A tool that passes or fails as a whole. */
async function check(name: string, command: string, args: readonly string[]): Promise<void> {
  const started = performance.now();
  const { code, output } = await run(command, args);
  if (code === 0) passed++;
  else failed++;
  report(name, code === 0, started, '');
  if (code !== 0) process.stdout.write(`${output}\n`);
}

/** Test files, dealt out to so many runners that run side by side. */
async function tests(
  name: string,
  patterns: readonly string[],
  runners: number,
  options: readonly string[],
): Promise<void> {
  const started = performance.now();
  const files = patterns.flatMap(pattern => globSync(pattern, { cwd: root })).sort();
  const runs = await Promise.all(
    Array.from({ length: runners }, (_, runner) =>
      run(process.execPath, [
        '--test',
        '--test-reporter=tap',
        '--test-timeout=180000',
        ...options,
        ...files.filter((_file, i) => i % runners === runner),
      ]),
    ),
  );
  const output = runs.map(each => each.output).join('\n');
  const hasFailed = runs.some(each => each.code !== 0);
  const count = (word: string): number =>
    [...output.matchAll(new RegExp(`^# ${word} (\\d+)`, 'gm'))].reduce((sum, [, n]) => sum + Number(n), 0);
  const bad = count('fail') + count('cancelled');
  passed += count('pass');
  failed += bad > 0 ? bad : hasFailed ? 1 : 0;
  report(name, !hasFailed, started, `${count('pass')} passed, ${bad} failed`);
  if (hasFailed) process.stdout.write(`${failures(output)}\n`);
}

/** What failed, with place and reason; the rest of the report is noise then. */
function failures(tap: string): string {
  const lines = tap.split('\n');
  const shown = lines.filter((line, i) => {
    const isFailure = /^\s*not ok /.test(line);
    const isReason = /^\s*(error|location|expected|actual|code|stack|failureType):/.test(line) || /^\s+at /.test(line);
    return isFailure || (isReason && lines.slice(Math.max(0, i - 40), i).some(before => /^\s*not ok /.test(before)));
  });
  return (shown.length > 0 ? shown : lines.slice(-40)).slice(0, 200).join('\n');
}

const started = performance.now();
await Promise.all([
  check('types', bin('tsc'), ['-p', '.']),
  check('format, lint', bin('biome'), ['check', '.']),
  check('promises', bin('oxlint'), ['src', 'test', 'tools']),
]);
// End-to-end tests wait for processes, timers and disks more than they compute: unit tests run beside them.
await Promise.all([
  tests(
    'unit',
    [
      'src/**/*.test.ts',
      'src/**/*.fuzz.ts',
      'test/*.test.ts',
      'test/runners/**/*.test.ts',
      'test/runners/**/*.fuzz.ts',
    ],
    3,
    ['--test-isolation=none'],
  ),
  tests('end to end', ['test/e2e/**/*.test.ts', 'test/sim/**/*.test.ts'], 1, ['--test-concurrency=3']),
]);
process.stdout.write(
  `  in ${((performance.now() - started) / 1_000).toFixed(1)} s\n\n${passed} passed, ${failed} failed\n`,
);
process.exitCode = failed === 0 ? 0 : 1;
