/**
 * What the documents say is true: programs and configurations in them are checked, commands in them run, links and file names in
 * them lead somewhere.
 *
 *   ```tql, ```yaml   must have no errors
 *   ```console        `$ command`, then what it prints
 *   ```               lines that begin with ./millrace, or pipe into it, run beside the demo and must succeed
 */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { demoPipelines } from '../src/app/demo/index.ts';
import { checkPipelines, readConfig } from '../src/app/index.ts';
import { directoryOf, millrace, root, start } from './e2e/command.ts';

const documents = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md', { cwd: root })].sort();
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Fence {
  readonly document: string;
  readonly language: string;
  readonly text: string;
}

const fences: readonly Fence[] = documents.flatMap(document =>
  [...read(document).matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
    document,
    language,
    text,
  })),
);
const fencesOf = (language: string): Fence[] => fences.filter(fence => fence.language === language);

/** Words as a shell cuts them. */
function words(line: string): string[] {
  return [...line.matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)].map(([word]) =>
    word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'),
  );
}

/** `echo 'x' | ./millrace …` as input and arguments; undefined where it is another program's line. */
function commandOf(line: string): { readonly input: string; readonly args: readonly string[] } | undefined {
  const [, echoed, command] = /^(?:echo '([^']*)' \| )?\.\/millrace (.*)$/.exec(line.replace(/\s+#.*$/, '')) ?? [];
  return command === undefined ? undefined : { input: echoed === undefined ? '' : `${echoed}\n`, args: words(command) };
}

test('programs in the documents have no errors', async () => {
  assert.ok(fencesOf('tql').length > 0);
  for (const { document, text } of fencesOf('tql')) {
    const findings = await checkPipelines([{ id: 'x', file: document, text }], { hasImplicitEnds: true });
    assert.deepEqual(
      findings.map(({ diagnostic }) => diagnostic.message),
      [],
      text,
    );
  }
});

test('configurations in the documents are valid, and so are their pipelines', async () => {
  assert.ok(fencesOf('yaml').length > 0);
  for (const { document, text } of fencesOf('yaml')) {
    const environment = Object.fromEntries([...text.matchAll(/\$\{env:(\w+)/g)].map(([, name = '']) => [name, 'x']));
    const { diagnostics, pipelines } = readConfig([{ file: document, text }], environment);
    assert.deepEqual(
      diagnostics.map(({ message }) => message),
      [],
      text,
    );
    const findings = await checkPipelines(pipelines, { hasImplicitEnds: false });
    assert.deepEqual(
      findings.map(({ diagnostic }) => diagnostic.message),
      [],
      text,
    );
  }
});

test('`millrace explain` knows every code that there is', async t => {
  const { stdout } = await millrace(t, ['explain']);
  const rows = globSync('src/**/errors.ts', { cwd: root }).flatMap(path => [...read(path).matchAll(/'(MR\d{4})'/g)]);
  const codes = rows.map(([, code]) => code);
  assert.ok(codes.length > 200);
  assert.deepEqual(
    codes.filter(code => !stdout.includes(`${code}  `)),
    [],
  );
});

test('the pipeline in the README is the demo’s', () => {
  const [demo] = demoPipelines(['http://127.0.0.1:8088', 'http://127.0.0.1:8089']);
  assert.ok(fencesOf('tql').some(({ document, text }) => document === 'README.md' && text === demo!.text));
});

test('commands in the documents print what stands below them', async t => {
  const cwd = directoryOf(t);
  let count = 0;
  for (const { text } of fencesOf('console')) {
    for (const step of text.split(/^(?=\$ )/m)) {
      const end = step.indexOf('\n');
      const command = commandOf(step.slice(2, end))!;
      const { code, stderr, stdout } = await millrace(t, command.args, { cwd, input: command.input });
      assert.deepEqual([code, `${stdout}${stderr}`], [0, step.slice(end + 1)], step);
      count++;
    }
  }
  assert.ok(count > 0);
});

test('commands to try beside the demo succeed', async t => {
  const cwd = directoryOf(t);
  const demo = start(t, ['up', '--demo', '--kafka', '127.0.0.1:0', '--http', '127.0.0.1:0'], { cwd });
  await demo.until(/acknowledged/);
  const lines = fencesOf('')
    .filter(({ document }) => document === 'README.md')
    .flatMap(({ text }) => text.split('\n'));
  const commands = lines.flatMap(line => commandOf(line) ?? []);
  assert.ok(commands.length >= 4);
  for (const { args, input } of commands) {
    const { code, stderr } = await millrace(t, args, { cwd, input });
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
  }
  demo.child.kill('SIGTERM');
  assert.equal(await demo.ended, 0);
});

test('links between the documents lead somewhere', () => {
  const broken = documents.flatMap(document =>
    [...read(document).matchAll(/\]\((?!https?:)([^)#]+)(#[^)]*)?\)/g)]
      .map(([, target = '']) => target)
      .filter(target => !existsSync(join(root, dirname(document), target)))
      .map(target => `${document}: ${target}`),
  );
  assert.deepEqual(broken, []);
});

test('files that the documents name are there', () => {
  const named = /`((?:src|test|tools|bench|docs)\/[\w./<>*-]+|[\w-]+\/[\w./-]+\.(?:ts|mjs|md))`/g;
  const missing = documents.flatMap(document =>
    [...read(document).matchAll(named)]
      .map(([, name = '']) => name)
      .filter(name => !/[<>*]|NN-/.test(name))
      .filter(name => !existsSync(join(root, name)) && !existsSync(join(root, 'src', name)))
      .map(name => `${document}: ${name}`),
  );
  assert.deepEqual(missing, []);
});

test('the architecture fits on few pages', () => {
  assert.ok(read('docs/architecture.md').split('\n').length < 200);
});
