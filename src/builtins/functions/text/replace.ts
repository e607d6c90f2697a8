/** `replace`. */
import { defineFunction } from '../../../sdk/index.ts';
import { limitOf, occurrences } from './occurrences.ts';

export default defineFunction({
  name: 'replace',
  category: 'text',
  summary: 'With occurrences of a text replaced, the first `max` or all; the empty text occurs nowhere.',
  parameters: [
    { name: 'x', type: 'string' },
    { name: 'what', type: 'string' },
    { name: 'with', type: 'string' },
    { name: 'max', type: 'int', isOptional: true, isNamed: true },
    { name: 'ignore_case', type: 'bool', isOptional: true, isNamed: true },
  ],
  returns: 'string',
  isPure: true,
  examples: [
    { tql: '"a.b.c".replace(".", "-")', out: '"a-b-c"' },
    { tql: '"a.b.c".replace(".", "-", max=1)', out: '"a-b.c"' },
    { tql: '"aXbx".replace("x", "", ignore_case=true)', out: '"ab"' },
  ],
  evaluate: ([x, what, by, max, ignoreCase], { warn }) => {
    const text = x as string;
    const limit = limitOf(max);
    if (limit === null) {
      warn('`max` must not be negative');
      return null;
    }
    const pieces: string[] = [];
    let from = 0;
    const search = { ignoresCase: ignoreCase === true, isReversed: false, max: limit };
    for (const [start, end] of occurrences(text, what as string, search)) {
      pieces.push(text.slice(from, start), by as string);
      from = end;
    }
    return pieces.join('') + text.slice(from);
  },
});
