/** Files longer than the mark of 500 lines, each with its reason. */
export const LONG_FILES: Readonly<Record<string, string>> = {
  'src/lang/tql/parser.ts': 'one grammar, read top to bottom',
  'src/lang/tql/lower.ts': 'one walk from syntax to plan',
  'src/log/log.ts': 'the door to the log: a method for each thing that is asked of it',
};
