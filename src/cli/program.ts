/** Commands, flags and help as commander has them, built from the definitions; usage errors in our form. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { VERSION } from '../app/version.ts';
import { BadValue, type CommandDefinition, type Flag } from './command.ts';
import { commands } from './commands/index.ts';
import { cliErrors } from './errors.ts';
import { EXIT, EXIT_MEANINGS } from './exit-codes.ts';
import { reportError, setColour } from './output.ts';
import type { ColourChoice } from './terminal.ts';

const WIDTH = 100;

/** Runs one command line and resolves with the exit code. */
export async function runCli(args: readonly string[]): Promise<number> {
  const program = makeProgram();
  try {
    await program.parseAsync([...args], { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportError(error);
    if (error.exitCode === 0) return EXIT.ok;
    // Without a command there is nothing to correct: help was printed.
    return error.code === 'commander.help' ? EXIT.usage : reportError(usageError(error, program, args));
  }
}

export function makeProgram(): Command {
  const program = new Command('millrace')
    .description('Moves events into, through and out of Kafka.')
    .version(`millrace ${VERSION}`, '-V, --version', 'print the version')
    .addOption(
      optionOf({
        flags: '--color <when>',
        text: 'colour on stderr',
        choices: ['auto', 'always', 'never'],
        default: 'auto',
      }),
    )
    .addHelpText('after', () => footer())
    .hook('preAction', command => setColour(command.opts()['color'] as ColourChoice));
  prepare(program);
  for (const definition of commands) add(program, definition);
  return program;
}

function footer(): string {
  const codes = EXIT_MEANINGS.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`);
  return `
Every flag can be given in the environment: --kafka as MILLRACE_KAFKA.

Exit codes:
${codes.join('\n')}`;
}

/** Behaviour that commander does not hand down to subcommands. */
function prepare(command: Command): void {
  command
    .exitOverride()
    .showSuggestionAfterError(true)
    .helpCommand(false)
    .helpOption('-h, --help', 'print help')
    .configureOutput({ getOutHelpWidth: () => WIDTH, getErrHelpWidth: () => WIDTH, outputError: () => undefined })
    .configureHelp({
      optionDescription: describe,
      subcommandTerm: sub =>
        [
          sub.name(),
          ...sub.registeredArguments.map(argument =>
            argument.required
              ? `<${argument.name()}${argument.variadic ? '...' : ''}>`
              : `[${argument.name()}${argument.variadic ? '...' : ''}]`,
          ),
        ].join(' '),
    });
}

/** As commander's own, without the variable's name: the footer tells the rule. */
function describe(option: Option): string {
  const choices = option.argChoices ? [option.argChoices.join(', ')] : [];
  const preset =
    option.defaultValue === undefined
      ? []
      : [`default: ${option.defaultValueDescription ?? String(option.defaultValue)}`];
  const extra = [...choices, ...preset].join('; ');
  return extra === '' ? option.description : `${option.description} (${extra})`;
}

function add(parent: Command, definition: CommandDefinition): void {
  const {
    arguments: args = [],
    commands: subcommands = [],
    description,
    examples = [],
    flags = [],
    name,
    run,
    summary,
  } = definition;
  const command = parent
    .command(name)
    .summary(summary)
    .description(description === undefined ? summary : `${summary}\n\n${description}`);
  prepare(command);
  for (const [form, text] of args) command.argument(form, text);
  for (const flag of flags) command.addOption(optionOf(flag));
  for (const subcommand of subcommands) add(command, subcommand);
  if (examples.length > 0) command.addHelpText('after', `\nExamples:\n${examples.map(line => `  ${line}`).join('\n')}`);
  if (run) {
    command.action(async (...given: unknown[]) => {
      const values = given.slice(0, args.length) as (string | undefined)[];
      await run(values, command.opts() as never);
    });
  }
}

function optionOf({ choices, default: preset, flags, isList, parse, text }: Flag): Option {
  const option = new Option(flags, text);
  option.env(`MILLRACE_${option.name().toUpperCase().replaceAll('-', '_')}`);
  if (choices) option.choices([...choices]);
  if (preset !== undefined) option.default(preset);
  if (parse || isList) {
    option.argParser((value: string, before: unknown) => {
      const parsed = parse ? valueOf(parse, value) : value;
      return isList ? [...((before as unknown[] | undefined) ?? []), parsed] : parsed;
    });
  }
  return option;
}

function valueOf(parse: (text: string) => unknown, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof BadValue) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

const BAD_VALUE =
  /^option '(?:-\w, )?(--[\w-]+).*?' (?:argument|value) '(.*?)'(?: from env '(\w+)')? is invalid\. (.*)$/s;

/** Commander's texts are `error: … (Did you mean x?)`; ours name apart what helps. */
function usageError(error: CommanderError, program: Command, args: readonly string[]): Error {
  const text = error.message.replace(/^error: /, '');
  const command = ['millrace', ...commandPath(program, args)].join(' ');
  const [, flag, value, variable, reason] = BAD_VALUE.exec(text) ?? [];
  if (flag !== undefined) {
    const allowed = reason!.replace(/^Allowed choices are (.*)\.$/, 'must be one of $1');
    return cliErrors.badValue({ flag: variable ?? flag, value, reason: allowed });
  }
  const [problem = ''] = text.split('\n');
  const meant = /\(Did you mean (?:one of )?(.*)\?\)/.exec(text)?.[1];
  return cliErrors.usage({
    problem,
    remedy: meant ? `did you mean ${meant}?` : `\`${command} --help\` shows what there is`,
  });
}

/** Names of the commands that the arguments begin with. */
function commandPath(program: Command, args: readonly string[]): string[] {
  const path: string[] = [];
  let at = program;
  for (const arg of args.filter(word => !word.startsWith('-'))) {
    const next = at.commands.find(command => command.name() === arg);
    if (!next) break;
    path.push(arg);
    at = next;
  }
  return path;
}
