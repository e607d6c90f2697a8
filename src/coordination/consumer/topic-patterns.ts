/**
 * Subscriptions by regular expression, in RE2's syntax: matching takes time linear in the name, whatever a client writes.
 * The library is loaded when the first expression comes.
 */
type Re2 = typeof import('re2js');

/** Whether a whole name matches. */
export type TopicPattern = (name: string) => boolean;

const REGEX_CHARS_MAX = 1_000;

let re2: Re2 | undefined;

/** Done before the first expression is read. */
export async function loadPatterns(): Promise<void> {
  re2 ??= await import('re2js');
}

export function arePatternsLoaded(): boolean {
  return re2 !== undefined;
}

/** What is wrong with the expression, in place of a pattern. */
export function topicPattern(regex: string): TopicPattern | { readonly defect: string } {
  if (!re2) throw new Error('patterns are not loaded');
  if (regex.length > REGEX_CHARS_MAX)
    return { defect: `it has ${regex.length} characters, ${REGEX_CHARS_MAX} are allowed` };
  try {
    const pattern = re2.RE2JS.compile(regex);
    return name => pattern.matches(name);
  } catch (error) {
    if (!(error instanceof re2.RE2JSException)) throw error;
    return { defect: error.message };
  }
}
