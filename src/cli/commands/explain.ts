/** `millrace explain`: what a code of an error or diagnostic means and what to do, from the definitions themselves. */
import { defineCommand } from '../command.ts';
import { cliErrors } from '../errors.ts';
import { data } from '../output.ts';

interface Explanation {
  readonly code: string;
  readonly text: string;
  readonly more: readonly string[];
}

export default defineCommand<object>({
  name: 'explain',
  summary: 'what a code such as MR1002 means, and what to do',
  arguments: [['[code]', 'the code; without one, all of them']],
  examples: ['millrace explain MR1002', 'millrace explain | grep disk'],
  run: async ([code]: readonly [string | undefined]) => {
    const all = await explanations();
    if (code === undefined) {
      data(all.map(entry => `${entry.code}  ${entry.text}\n`).join(''));
      return;
    }
    const wanted = code.toUpperCase();
    const found = all.find(entry => entry.code === wanted);
    if (!found) throw cliErrors.noSuchCode({ code });
    data(`${[`${found.code}: ${found.text}`, ...found.more].join('\n\n')}\n`);
  },
});

/** Importing the parts defines their codes. */
async function explanations(): Promise<Explanation[]> {
  const [{ definedCodes }] = await Promise.all([
    import('../../base/index.ts'),
    import('../../lang/index.ts'),
    import('../../app/index.ts'),
    import('../../builtins/index.ts'),
    import('../../engine/index.ts'),
  ]);
  return definedCodes().map(
    ({ code, exit, help, retry, text }): Explanation => ({
      code,
      text,
      more: [
        help,
        ...(retry === undefined || retry === 'no' ? [] : [`It may pass: it is tried again (${retry}).`]),
        ...(exit === undefined ? [] : [`A command that ends with it has exit code ${exit}.`]),
      ],
    }),
  );
}
