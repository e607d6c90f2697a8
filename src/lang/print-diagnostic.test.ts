/** The printed form of diagnostics, byte by byte, and the same as JSON. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Diagnostic } from '../base/index.ts';
import { diagnosticToJson, printDiagnostic } from './print-diagnostic.ts';
import { SourceText } from './source.ts';

function at(text: string, place: string, from = 0): { readonly start: number; readonly end: number } {
  const start = text.indexOf(place, from);
  assert.ok(start >= 0, place);
  return { start, end: start + place.length };
}

function printed(text: string, place: string, more: Partial<Diagnostic> = {}): string {
  const source = new SourceText('dir/a.tql', text);
  return printDiagnostic({ code: 'MR0', severity: 'error', message: 'm', span: at(text, place), ...more }, source);
}

const lines = (...parts: readonly string[]): string => parts.join('\n');

test('a warning stands over its place, with notes and hints below', () => {
  assert.equal(
    printed('from x\nread\nwhere count > 2\n', 'count > 2', {
      severity: 'warning',
      message: 'why',
      notes: ['n1', 'n2'],
      hints: ['h'],
    }),
    lines(
      'warning: why',
      ' --> dir/a.tql:3:7',
      '  |',
      '3 | where count > 2',
      '  |       ~~~~~~~~~',
      '  |',
      '  = note: n1',
      '  = note: n2',
      '  = hint: h',
    ),
  );
});

test('the gutter is as wide as the largest line number', () => {
  const text = `${'\n'.repeat(8)}first\nsecond\n`;
  assert.equal(
    printed(text, 'first', { secondary: [{ span: at(text, 'second'), text: 'here' }], hints: ['h'] }),
    lines(
      'error: m',
      '  --> dir/a.tql:9:1',
      '   |',
      ' 9 | first',
      '   | ^^^^^',
      '10 | second',
      '   | ------ here',
      '   |',
      '   = hint: h',
    ),
  );
});

test('lines between two places are a gap, and a place before the main one stands first', () => {
  const text = 'a\nb\nc\nd\n';
  assert.equal(
    printed(text, 'd', {
      secondary: [
        { span: at(text, 'a'), text: 'begins here' },
        { span: at(text, 'b'), text: '' },
      ],
    }),
    lines(
      'error: m',
      ' --> dir/a.tql:4:1',
      '  |',
      '1 | a',
      '  | - begins here',
      '2 | b',
      '  | -',
      ' ⋮',
      '4 | d',
      '  | ^',
      '  |',
    ),
  );
});

test('a place of several lines is underlined on its first line, with the length of the whole place', () => {
  assert.equal(
    printed('x = [1,\n  2]', '[1,\n  2]'),
    lines('error: m', ' --> dir/a.tql:1:5', '  |', '1 | x = [1,', '  |     ^^^^^^^^', '  |'),
  );
});

test('a place behind the last line is one mark', () => {
  const source = new SourceText('a', 'x {\n');
  const diagnostic: Diagnostic = { code: 'MR0', severity: 'error', message: 'm', span: { start: 4, end: 5 } };
  assert.equal(printDiagnostic(diagnostic, source), lines('error: m', ' --> a:2:1', '  |', '2 | ', '  | ^', '  |'));
});

test('columns count characters, marks count cells: wide characters take two of them', () => {
  assert.equal(
    printed('"é😀" + xyz', 'xyz'),
    lines('error: m', ' --> dir/a.tql:1:8', '  |', '1 | "é😀" + xyz', '  |         ^^^', '  |'),
  );
  assert.equal(
    printed('a "😀😀"', '"😀😀"'),
    lines('error: m', ' --> dir/a.tql:1:3', '  |', '1 | a "😀😀"', '  |   ^^^^^^', '  |'),
  );
});

test('tabs stand under tabs, and the end of a line with a carriage return is not shown', () => {
  assert.equal(
    printed('\tif\tx\r\n', 'x'),
    lines('error: m', ' --> dir/a.tql:1:5', '  |', '1 | \tif\tx', '  | \t  \t^', '  |'),
  );
});

test('of a very long line a part around the place is shown', () => {
  const [, , , shown, under] = printed(`${'a'.repeat(1_000)}!${'b'.repeat(1_000)}`, '!').split('\n');
  assert.equal(shown, `1 | …${'a'.repeat(60)}!${'b'.repeat(339)}…`);
  assert.equal(under, `  | ${' '.repeat(61)}^`);
});

test('a diagnostic without a place is its message', () => {
  assert.equal(
    printDiagnostic({ code: 'MR0', severity: 'warning', message: 'm', hints: ['h'] }, undefined),
    'warning: m\n  = hint: h',
  );
});

test('as JSON it has the same line and column, and where the place ends', () => {
  const text = 'é\n "😀" xy';
  const source = new SourceText('a.tql', text);
  const diagnostic: Diagnostic = {
    code: 'MR2001',
    severity: 'error',
    message: 'm',
    span: at(text, 'xy'),
    secondary: [{ span: at(text, 'é'), text: 'there' }],
    hints: ['h'],
  };
  assert.deepEqual(diagnosticToJson(diagnostic, source), {
    file: 'a.tql',
    line: 2,
    column: 6,
    endLine: 2,
    endColumn: 8,
    severity: 'error',
    code: 'MR2001',
    message: 'm',
    places: [{ line: 1, column: 1, message: 'there' }],
    notes: [],
    hints: ['h'],
  });
});
