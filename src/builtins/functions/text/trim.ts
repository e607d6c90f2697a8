/** `trim`, `trim_start`, `trim_end`: without white space, or without certain characters, at the ends. */
import { defineFunction, type FunctionDefinition } from '../../../sdk/index.ts';

function trimmer(name: string, where: string, out: string, ends: { start: boolean; end: boolean }): FunctionDefinition {
  return defineFunction({
    name,
    category: 'text',
    summary: `Without white space, or without the characters of \`chars\`, ${where}.`,
    parameters: [
      { name: 'x', type: 'string' },
      { name: 'chars', type: 'string', isOptional: true },
    ],
    returns: 'string',
    isPure: true,
    examples: [{ tql: `"xxabyx".${name}("xy")`, out }],
    evaluate: ([x, chars]) => {
      const text = x as string;
      if (chars === undefined) return trimmed(text, ends);
      const unwanted = new Set(chars as string);
      const characters = [...text];
      let start = 0;
      let end = characters.length;
      if (ends.start) while (start < end && unwanted.has(characters[start]!)) start++;
      if (ends.end) while (end > start && unwanted.has(characters[end - 1]!)) end--;
      return characters.slice(start, end).join('');
    },
  });
}

function trimmed(text: string, { end, start }: { start: boolean; end: boolean }): string {
  return start && end ? text.trim() : start ? text.trimStart() : text.trimEnd();
}

export const trimFunctions: readonly FunctionDefinition[] = [
  trimmer('trim', 'at both ends', '"ab"', { start: true, end: true }),
  trimmer('trim_start', 'at the start', '"abyx"', { start: true, end: false }),
  trimmer('trim_end', 'at the end', '"xxab"', { start: false, end: true }),
];
