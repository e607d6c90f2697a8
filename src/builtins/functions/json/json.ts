/** `parse_json`, `print_json`, `print_ndjson`. */
import { MillraceError } from '../../../base/index.ts';
import { Blob, parseJson, parseJsonText, printJson, type Value } from '../../../data/index.ts';
import { defineFunction, type FunctionDefinition } from '../../../sdk/index.ts';

const parse = defineFunction({
  name: 'parse_json',
  category: 'json',
  summary: 'The value of a JSON text; null and a warning when it is malformed.',
  parameters: [
    { name: 'x', type: ['string', 'blob'] },
    { name: 'raw', type: 'bool', isOptional: true, isNamed: true },
  ],
  returns: 'any',
  isPure: true,
  examples: [{ tql: 'parse_json("[1, 2]")', out: '[1, 2]' }],
  evaluate: ([x, raw], { warn }) => {
    const reading = { infers: raw !== true };
    try {
      return x instanceof Blob ? parseJson(x.bytes, 0, x.bytes.length, reading) : parseJsonText(x as string, reading);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      warn('malformed JSON', { notes: [error.message] });
      return null;
    }
  },
});

const STRIPS = [
  'strip',
  'strip_null_fields',
  'strip_nulls_in_lists',
  'strip_empty_records',
  'strip_empty_lists',
] as const;

function printer(name: string, indent: number, out: string): FunctionDefinition {
  return defineFunction({
    name,
    category: 'json',
    summary: indent > 0 ? 'The value as indented JSON text.' : 'The value as JSON text on one line.',
    parameters: [
      { name: 'x', type: 'any' },
      ...STRIPS.map(flag => ({ name: flag, type: 'bool', isOptional: true, isNamed: true }) as const),
      // An older spelling: `include_nulls=false` is `strip_null_fields=true`.
      { name: 'include_nulls', type: 'bool', isOptional: true, isNamed: true },
    ],
    returns: 'string',
    isPure: true,
    takesNulls: true,
    examples: [
      { tql: `${name}({a: [1, null]})`, out },
      { tql: `${name}({a: null, b: {}}, strip=true)`, out: '"{}"' },
    ],
    evaluate: ([x, strip, nullFields, nullsInLists, emptyRecords, emptyLists, includeNulls]) =>
      printJson(x as Value, {
        indent,
        stripNullFields: strip === true || nullFields === true || includeNulls === false,
        stripNullsInLists: strip === true || nullsInLists === true,
        stripEmptyRecords: strip === true || emptyRecords === true,
        stripEmptyLists: strip === true || emptyLists === true,
      }),
  });
}

export const jsonFunctions: readonly FunctionDefinition[] = [
  parse,
  printer('print_json', 2, '"{\\n  \\"a\\": [\\n    1,\\n    null\\n  ]\\n}"'),
  printer('print_ndjson', 0, '"{\\"a\\":[1,null]}"'),
];
