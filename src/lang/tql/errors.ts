/** Texts of TQL's diagnostics: MR20xx, one catalogue. `{name}` places are filled by whoever reports. */
import { defineNotices, type Diagnostic, type Label, type NoticeRow, type Span } from '../../base/index.ts';

export const TEXTS = {
  unexpectedCharacter: ['MR2001', 'unexpected character `{char}`'],
  badName: [
    'MR2051',
    'the name `{name}` has characters beyond `A-Z a-z 0-9 _`: write it as a string, `this["{name}"]`',
  ],
  unterminatedString: ['MR2002', 'unterminated string'],
  badEscape: ['MR2003', 'unknown escape `{escape}`'],
  badNumber: ['MR2004', 'invalid number `{text}`'],
  badTime: ['MR2006', 'invalid time `{text}`'],
  badAddress: ['MR2007', 'invalid address `{text}`'],
  unterminatedComment: ['MR2005', 'unterminated comment'],
  invalidUtf8: ['MR2008', 'the text is not valid UTF-8'],
  tooLong: ['MR2009', 'the text is longer than {limit} characters'],
  expected: ['MR2010', 'expected {what}, got {got}'],
  tooDeep: ['MR2011', 'nested more than {limit} levels deep'],
  methodStatement: ['MR2012', 'a method call cannot stand as a statement'],
  badTarget: ['MR2013', 'left side of `=` must be a field path or metadata reference'],
  unknownOperator: ['MR2020', 'unknown operator `{name}`'],
  plannedOperator: ['MR2021', 'operator `{name}` is not implemented in this version'],
  unknownFunction: ['MR2022', 'unknown function `{name}`'],
  plannedFunction: ['MR2052', 'function `{name}` is not implemented in this version'],
  noLambda: ['MR2053', 'function `{name}` takes no lambda here'],
  unknownVariable: ['MR2023', 'variable `${name}` is not defined'],
  unknownArgument: ['MR2024', 'operator `{operator}` has no argument `{name}`'],
  missingArgument: ['MR2025', 'operator `{operator}` needs the argument `{name}`'],
  extraArgument: ['MR2026', 'operator `{operator}` takes no further positional argument'],
  repeatedArgument: ['MR2027', 'argument `{name}` is given twice'],
  wrongType: ['MR2028', 'argument `{name}` of `{operator}` must be {expected}, got {actual}'],
  wrongKind: ['MR2029', 'argument `{name}` of `{operator}` must be {expected}'],
  wrongInput: ['MR2030', 'operator `{operator}` takes {accepts}, but gets {gets}'],
  expectedVariable: ['MR2031', 'expected a `$`-variable'],
  expectedList: ['MR2032', 'expected `${name}` to be a list'],
  emptyList: ['MR2033', 'expected list to not be empty'],
  mustEndWithSink: ['MR2034', 'pipeline must currently end with a sink'],
  moveOutside: ['MR2035', '`move` is allowed inside assignments only'],
  eventInConstant: ['MR2036', 'argument `{name}` of `{operator}` must be a constant: it cannot read fields of events'],
  notYet: ['MR2037', '{what} is not implemented in this version'],
  argumentCount: ['MR2038', 'function `{name}` takes {expected}, got {actual}'],
  functionArgument: ['MR2049', 'function `{name}` has no argument `{argument}`'],
  sinkNotLast: ['MR2039', 'operator `{operator}` ends the pipeline; nothing can follow it'],
  arrayTarget: ['MR2041', 'the key of an assignment must be text, got {actual}'],
  openMatch: ['MR2042', '`match` must end with an arm `_ => { … }` without a condition'],
  impureSubject: ['MR2043', 'what is matched must give the same value every time: assign it to a field first'],
  patternNotConstant: ['MR2044', 'a pattern must be a constant: it cannot read fields of events'],
  rangeOrder: ['MR2045', 'bounds of a range must have an order, got `{low}` and `{high}`'],
  unknownMeta: ['MR2046', 'events have no metadata `@{name}`'],
  bodyLet: ['MR2047', '`let` cannot stand inside the body of `{operator}`: bind the variable before it'],
  directive: ['MR2048', '`{directive}`: {problem}'],
  reservedWord: ['MR2050', '`{name}` is reserved for later versions of the language'],
  unknownScheme: ['MR2056', '`{form} "{scheme}://…"` is not implemented in this version'],
  noUri: ['MR2057', '`to` takes a URI, such as `to "kafka://topic"`'],
  frontMatter: ['MR2040', 'the front matter has no end: expected a line `---`'],
} as const satisfies Record<string, readonly [NoticeRow['code'], string]>;

const help = 'An error in the text of a pipeline; its place is printed with it.';
defineNotices(Object.fromEntries(Object.entries(TEXTS).map(([name, [code, text]]) => [name, { code, text, help }])));

export type TextName = keyof typeof TEXTS;

export function diagnose(
  name: TextName,
  span: Span,
  details: Readonly<Record<string, string | number>> = {},
  more: {
    readonly hints?: readonly string[];
    readonly notes?: readonly string[];
    readonly secondary?: readonly Label[];
  } = {},
): Diagnostic {
  const [code, text] = TEXTS[name];
  const message = text.replace(/\{(\w+)\}/g, (place, key: string) => (key in details ? String(details[key]) : place));
  return { code, severity: 'error', message, span, ...more };
}
