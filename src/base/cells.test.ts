/** Cells of characters, of each kind one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellsOf } from './cells.ts';

test('wide characters take two cells, marks none, all others one', () => {
  const cells = (text: string): number => [...text].reduce((sum, character) => sum + cellsOf(character), 0);
  assert.equal(cells('where x'), 7);
  assert.equal(cells('é́ñ'), 2 + 0);
  assert.equal(cells('漢字'), 4);
  assert.equal(cells('かなカナ한글'), 12);
  assert.equal(cells('ｶﾅ'), 2);
  assert.equal(cells('，。ＡＢ'), 8);
  assert.equal(cells('😀'), 2);
  assert.equal(cells('\u200B\u200D\uFE0F'), 0);
  assert.equal(cells('äöüЖ→'), 5);
});
