/**
 * Programs changed and made at random, through lexer, parser and lowering: nothing throws, everything ends, diagnostics lie
 * within the text, and the time is linear in its length.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Random } from '../../base/index.ts';
import { builtins } from '../../builtins/index.ts';
import { fuzz } from '../../testing/index.ts';
import { SourceText } from '../source.ts';
import { compileTql } from './lower.ts';
import { parse } from './parser.ts';

const corpus = join(import.meta.dirname, '../../../test/corpus');
const accepted = readFileSync(join(corpus, 'tql-syntax/accepted.txt'), 'utf8').split(/^=====\n/m);
const programs = globSync('tql/*.tql', { cwd: corpus })
  .sort()
  .map(file => readFileSync(join(corpus, file), 'utf8'));
const seeds = [...accepted, ...programs];

const PIECES =
  '{ } ( ) [ ] " \' | \n , = == => .. ... . ? : :: $ $x @ @name if else match let not move in and or this _ null ' +
  '0x 1d 1.5e 10.0.0.0/8 ::1 2024-01-01 f" r#" b" /* // \\ \\u{ -9223372036854775808 18446744073709551616 1e999 ' +
  '--- \u0000 \ud800 \u{1f600} é from where set select summarize count() load_balance fork write_json';
const pieces = [...PIECES.split(' '), ' '];

function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random.float() * list.length)]!;
}

function below(random: Random, limit: number): number {
  return Math.floor(random.float() * limit);
}

function changed(random: Random): string {
  let text = pick(random, seeds);
  for (let i = below(random, 5); i >= 0; i--) {
    const at = below(random, text.length + 1);
    const other = pick(random, seeds);
    const from = below(random, other.length + 1);
    const piece = random.float() < 0.3 ? other.slice(from, from + below(random, 40)) : pick(random, pieces);
    text = text.slice(0, at) + piece + text.slice(at + below(random, 6));
  }
  return text;
}

function made(random: Random): string {
  return Array.from({ length: below(random, 60) }, () => pick(random, pieces)).join(pick(random, ['', ' ']));
}

function check(text: string): void {
  const { diagnostics } = compileTql(new SourceText('x', text), builtins, { id: 'x', hasImplicitEnds: true });
  for (const { message, span } of diagnostics) {
    const isInside = span && span.start >= 0 && span.end >= span.start && span.end <= text.length + 1;
    if (!isInside) assert.fail(JSON.stringify({ text, message, span }));
  }
}

test('programs changed at random give diagnostics within their text', () => {
  fuzz(1, random => check(changed(random)));
});

test('texts of random pieces give diagnostics within their text', () => {
  fuzz(2, random => check(made(random)));
});

test('every beginning of a program gives diagnostics within its text', () => {
  fuzz(3, random => {
    const text = pick(random, seeds);
    check(text.slice(0, below(random, text.length + 1)));
  });
  for (const text of ['x = "\\', 'x = f"\\', 'x = f"{', 'x = b"', '/*', '@', '$', '---\n', '#!']) check(text);
});

test('what the specification writes is accepted', () => {
  for (const text of accepted) {
    const errors = parse(new SourceText('x', text)).diagnostics.filter(({ severity }) => severity === 'error');
    assert.deepEqual(errors, [], text);
  }
});

const REPEATED: readonly (readonly [name: string, unit: string, before?: string])[] = [
  ['open brackets', '['],
  ['open parentheses', '(', 'x = '],
  ['minus signs', '-', 'x = '],
  ['nots', 'not ', 'x = '],
  ['nested ifs', 'if a { '],
  ['else ifs', '{ } else if a ', 'if a '],
  ['records', '{a: ', 'x = '],
  ['format strings', 'f"{', 'x = '],
  ['sums', '1 + ', 'x = '],
  ['members', '.a', 'x = a'],
  ['indices', '[a]', 'x = a'],
  ['question marks', '?', 'x = a'],
  ['calls', '.f()', 'x = a'],
  ['fallbacks', 'a else ', 'x = '],
  ['choices', 'a if b else ', 'x = '],
  ['lambdas', 'a => ', 'x = '],
  ['alternatives', '1 | ', 'match a { '],
  ['chains of or', 'a == 1 or ', 'where '],
  ['chains in groups', '(1 + 1 + 1 + ', 'x = '],
  ['unclosed calls', 'a (\n'],
  ['unclosed strings', '"a\n'],
  ['unclosed raw strings', 'r#"a\n'],
  ['comments', '/* */ '],
  ['newlines', '\n', 'x'],
  ['separators', '| '],
  ['closing braces', '}'],
  ['statements', 'x = 1\n'],
  ['colons', ':', 'x = '],
  ['digits', '1', 'x = '],
  ['format string parts', '{a}', 'x = f"'],
];

for (const [name, unit, before = ''] of REPEATED) {
  test(`many ${name} are neither a crash nor a long wait`, () => {
    check(before + unit.repeat(Math.ceil(50_000 / unit.length)));
    check(`${before + unit.repeat(3_000)}1${' }'.repeat(3_000)}`);
  });
}
