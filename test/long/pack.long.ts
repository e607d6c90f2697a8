/** The packed package installs elsewhere and runs: version, check, a pipeline, as a user of the registry would have it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');

test('the packed package installs and runs outside the repository', { timeout: 300_000 }, t => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-pack-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  // npm runs prepack itself; the scripts of dependencies stay off.
  const npm = (args: readonly string[], cwd: string): string =>
    execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  npm(['run', 'build'], root);
  const packed = JSON.parse(npm(['pack', '--ignore-scripts', '--json', '--pack-destination', directory], root)) as {
    filename: string;
  }[];
  writeFileSync(join(directory, 'package.json'), '{"private":true}');
  npm(
    [
      'install',
      '--ignore-scripts',
      '--engine-strict=false',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      packed[0]!.filename,
    ],
    directory,
  );
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };
  const run = (args: readonly string[], input = ''): string =>
    execFileSync(process.execPath, [join(directory, 'node_modules/millrace/dist/cli/main.js'), ...args], {
      cwd: directory,
      env,
      input,
      encoding: 'utf8',
    });
  assert.match(run(['version']), /^millrace \d+\.\d+\.\d+\n$/);
  assert.equal(run(['run', 'where a > 1 | write_ndjson'], '{"a":1}{"a":2}'), '{"a":2}\n');
  const started = performance.now();
  run(['version']);
  process.stdout.write(`version in ${(performance.now() - started).toFixed(0)} ms\n`);
});
