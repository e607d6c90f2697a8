/** What a terminal can show, by its environment. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asciiText, fitLine, isUtf8, sparkline, wantsColour } from './terminal.ts';

test('colour: a flag wins over NO_COLOR, that over forcing variables, those over the stream', () => {
  const cases: readonly (readonly [Parameters<typeof wantsColour>, boolean])[] = [
    [['auto', {}, true], true],
    [['auto', {}, false], false],
    [['auto', { TERM: 'dumb' }, true], false],
    [['auto', { NO_COLOR: '1' }, true], false],
    [['auto', { NO_COLOR: '' }, true], true],
    [['auto', { NO_COLOR: '1', FORCE_COLOR: '1' }, false], false],
    [['auto', { FORCE_COLOR: '1' }, false], true],
    [['auto', { FORCE_COLOR: '0' }, false], false],
    [['auto', { CLICOLOR_FORCE: '1', TERM: 'dumb' }, false], true],
    [['always', { NO_COLOR: '1' }, false], true],
    [['never', { FORCE_COLOR: '1' }, true], false],
  ];
  for (const [args, expected] of cases) assert.equal(wantsColour(...args), expected, JSON.stringify(args));
});

test('the first locale variable that is set tells whether text may leave ASCII', () => {
  assert.equal(isUtf8({ LANG: 'de_DE.UTF-8' }), true);
  assert.equal(isUtf8({ LC_ALL: 'C', LANG: 'en_US.utf8' }), false);
  assert.equal(isUtf8({ LC_ALL: '', LC_CTYPE: 'C.utf8', LANG: 'C' }), true);
  assert.equal(isUtf8({}), false);
});

test('every sign that is printed has a form in ASCII', () => {
  assert.equal(asciiText('✓ ✗ ● ◌ · … → ⋮ ’ –'), "+ x * o . ~ -> : ' -");
  assert.equal(asciiText(sparkline([0, 4, 8])), '_=#');
  assert.equal(asciiText('é 日'), '? ?');
});

test('a line is cut to the width of the terminal, colours aside', () => {
  assert.equal(fitLine('12345', 5), '12345');
  assert.equal(fitLine('123456', 5), '1234…');
  assert.equal(fitLine('\x1b[31m12345\x1b[0m', 5), '\x1b[31m12345\x1b[0m');
  assert.equal(fitLine('\x1b[31m123456\x1b[0m', 5), '\x1b[31m1234\x1b[0m…');
  assert.equal(fitLine('123456', Number.POSITIVE_INFINITY), '123456');
});
