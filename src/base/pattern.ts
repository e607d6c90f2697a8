/**
 * Regular expressions of users and clients, in RE2's syntax: matching takes time linear in the text, whatever they write.
 * The library is loaded when the first expression comes.
 */
import { createRequire } from 'node:module';

type Re2 = typeof import('re2js');

/** Whether a whole text matches. */
export type Pattern = (text: string) => boolean;

const CHARS_MAX = 1_000;

let re2: Re2 | undefined;

/** What is wrong with the expression, in place of a pattern. */
export function wholePattern(expression: string): Pattern | { readonly defect: string } {
  if (expression.length > CHARS_MAX)
    return { defect: `it has ${expression.length} characters, ${CHARS_MAX} are allowed` };
  re2 ??= createRequire(import.meta.url)('re2js') as Re2;
  try {
    const pattern = re2.RE2JS.compile(expression);
    return text => pattern.matches(text);
  } catch (error) {
    if (!(error instanceof re2.RE2JSException)) throw error;
    return { defect: error.message };
  }
}
