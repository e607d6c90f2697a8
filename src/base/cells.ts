/**
 * How many cells of a terminal a text takes: East Asian wide characters and emoji two, marks that sit on another character
 * none. Tabs count as one; who prints them knows better.
 */

const NONE = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const HALFWIDTH = /^[\uFF61-\uFFDC]$/u;
const WIDE =
  /^[\u1100-\u115F\u3000-\u303E\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}]$/u;

/** Of one character. */
export function cellsOf(character: string): number {
  if (character <= '\u007E') return 1;
  if (NONE.test(character)) return 0;
  return WIDE.test(character) && !HALFWIDTH.test(character) ? 2 : 1;
}
