/** `split`. */
import { defineFunction } from '../../../sdk/index.ts';
import { limitOf, occurrences } from './occurrences.ts';

export default defineFunction({
  name: 'split',
  category: 'text',
  summary: 'Parts between separators; the characters when the separator is empty.',
  parameters: [
    { name: 'x', type: 'string' },
    { name: 'sep', type: 'string' },
    { name: 'max', type: 'int', isOptional: true, isNamed: true },
    { name: 'reverse', type: 'bool', isOptional: true, isNamed: true },
    { name: 'ignore_case', type: 'bool', isOptional: true, isNamed: true },
  ],
  returns: 'list',
  isPure: true,
  examples: [
    { tql: '"a,b,c".split(",")', out: '["a", "b", "c"]' },
    { tql: '"a,b,c".split(",", max=1)', out: '["a", "b,c"]' },
    { tql: '"a,b,c".split(",", max=1, reverse=true)', out: '["a,b", "c"]' },
    { tql: '"1x2X3".split("X", ignore_case=true)', out: '["1", "2", "3"]' },
  ],
  evaluate: ([x, sep, max, reverse, ignoreCase], { warn }) => {
    const text = x as string;
    const limit = limitOf(max);
    if (limit === null) {
      warn('`max` must not be negative');
      return null;
    }
    if (sep === '') return characters(text, limit, reverse === true);
    const parts: string[] = [];
    let from = 0;
    const search = { ignoresCase: ignoreCase === true, isReversed: reverse === true, max: limit };
    for (const [start, end] of occurrences(text, sep as string, search)) {
      parts.push(text.slice(from, start));
      from = end;
    }
    return [...parts, text.slice(from)];
  },
});

/** An empty separator stands between all characters. */
function characters(text: string, max: number | undefined, isReversed: boolean): readonly string[] {
  const all = [...text];
  if (max === undefined || all.length <= max + 1) return all;
  if (isReversed) return [all.slice(0, all.length - max).join(''), ...all.slice(all.length - max)];
  return [...all.slice(0, max), all.slice(max).join('')];
}
