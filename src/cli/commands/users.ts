/** `millrace users`: SCRAM users of a cluster: list, set a password, delete. */
import type { ScramMechanism } from '../../client/index.ts';
import { confirm, defineCommand, type Flag, outputFlag, wholeNumber, yesFlag } from '../command.ts';
import { cliErrors } from '../errors.ts';
import { readInput, readText } from '../files.ts';
import { kafkaFlags, type KafkaOptions, withCluster } from '../kafka.ts';
import { data, type Format, listText, note } from '../output.ts';

const MECHANISMS: readonly ScramMechanism[] = ['SCRAM-SHA-256', 'SCRAM-SHA-512'];
const ITERATIONS = 8_192;

const mechanismFlag: Flag = {
  flags: '--mechanism <name>',
  text: 'one mechanism; without it both',
  choices: MECHANISMS,
};

const list = defineCommand<KafkaOptions & { readonly output: Format }>({
  name: 'list',
  summary: 'users with their mechanisms',
  flags: [...kafkaFlags, outputFlag],
  examples: ['millrace users list', 'millrace users list -o json'],
  run: (_args: never, options) =>
    withCluster(options, async (cluster, io) => {
      const { SecurityAdmin } = await import('../../client/index.ts');
      const rows = (await new SecurityAdmin(cluster, io.random).scramUsers()).map(info => ({ ...info }));
      data(listText(options.output, ['user', 'mechanism', 'iterations'], rows));
    }),
});

interface SetOptions extends KafkaOptions {
  readonly mechanism?: ScramMechanism;
  readonly passwordFile?: string;
  readonly iterations: number;
}

const set = defineCommand<SetOptions>({
  name: 'set',
  summary: 'make a user, or give one a new password',
  description:
    'The password comes from --password-file, or from the variable MILLRACE_PASSWORD. It does not leave this machine.',
  arguments: [['<user>', 'its name']],
  flags: [
    ...kafkaFlags,
    mechanismFlag,
    { flags: '--password-file <file>', text: 'first line is the password; - for standard input' },
    { flags: '--iterations <n>', text: 'how often it is hashed', parse: wholeNumber(4_096), default: ITERATIONS },
  ],
  examples: ['millrace users set alice --password-file - < secret', 'MILLRACE_PASSWORD=… millrace users set alice'],
  run: ([user]: readonly [string], options) =>
    withCluster(options, async (cluster, io) => {
      const { SecurityAdmin } = await import('../../client/index.ts');
      const admin = new SecurityAdmin(cluster, io.random);
      const password = await passwordOf(options, file => readText(io.files, file));
      for (const mechanism of chosen(options)) await admin.setPassword(user, mechanism, password, options.iterations);
      note(`${user} has a new password`);
    }),
});

const remove = defineCommand<KafkaOptions & { readonly mechanism?: ScramMechanism; readonly yes?: boolean }>({
  name: 'delete',
  summary: 'take a user’s passwords away',
  arguments: [['<user>', 'its name']],
  flags: [...kafkaFlags, mechanismFlag, yesFlag],
  examples: ['millrace users delete alice --yes'],
  run: async ([user]: readonly [string], options) => {
    confirm(options.yes, `deleting ${user} locks it out`);
    await withCluster(options, async (cluster, io) => {
      const { SecurityAdmin } = await import('../../client/index.ts');
      const admin = new SecurityAdmin(cluster, io.random);
      const has = new Set((await admin.scramUsers([user])).map(({ mechanism }) => mechanism));
      for (const mechanism of chosen(options)) {
        if (options.mechanism !== undefined || has.has(mechanism)) await admin.deletePassword(user, mechanism);
      }
      note(`deleted ${user}`);
    });
  },
});

function chosen({ mechanism }: { readonly mechanism?: ScramMechanism }): readonly ScramMechanism[] {
  return mechanism === undefined ? MECHANISMS : [mechanism];
}

async function passwordOf({ passwordFile: file }: SetOptions, read: (file: string) => string): Promise<string> {
  const text = file === '-' ? await readInput() : file === undefined ? undefined : read(file);
  const password = (text ?? process.env['MILLRACE_PASSWORD'] ?? '').split(/\r?\n/, 1)[0]!;
  if (password === '')
    throw cliErrors.usage({
      problem: 'there is no password',
      remedy: 'name a file with --password-file (- for standard input), or set MILLRACE_PASSWORD',
    });
  return password;
}

export default defineCommand<object>({
  name: 'users',
  summary: 'SCRAM users of a cluster',
  commands: [list, set, remove],
});
