/**
 * A command: name, arguments, flags, examples and what it does, in one file of `commands/`. Help, environment variables
 * (`MILLRACE_<FLAG>`) and suggestions derive from it. Heavy modules are imported by `run` when it is called.
 */
import { cliErrors } from './errors.ts';

export interface Flag {
  /** As commander has it: `-n, --count <n>`. */
  readonly flags: string;
  readonly text: string;
  readonly choices?: readonly string[];
  readonly default?: unknown;
  /** The value of a text; throws a reason that completes "--flag value: …". */
  readonly parse?: (text: string) => unknown;
  /** May be given several times. */
  readonly isList?: boolean;
}

export interface CommandDefinition {
  readonly name: string;
  readonly summary: string;
  /** What help says beyond the summary. */
  readonly description?: string;
  readonly arguments?: readonly (readonly [form: string, text: string])[];
  readonly flags?: readonly Flag[];
  /** Lines as they would be typed. */
  readonly examples?: readonly string[];
  readonly commands?: readonly CommandDefinition[];
  readonly run?: (args: readonly (string | readonly string[] | undefined)[], options: never) => Promise<void> | void;
}

export function defineCommand<Options>(
  definition: Omit<CommandDefinition, 'run'> & {
    readonly run?: (args: never, options: Options) => Promise<void> | void;
  },
): CommandDefinition {
  return definition as unknown as CommandDefinition;
}

export class BadValue extends Error {}

export function wholeNumber(least: number): (text: string) => number {
  return text => {
    if (!/^\d{1,15}$/.test(text) || Number(text) < least)
      throw new BadValue(`must be a whole number of at least ${least}`);
    return Number(text);
  };
}

/** `key=value`. */
export function keyValue(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new BadValue('must be key=value');
  return [text.slice(0, at), text.slice(at + 1)];
}

export const outputFlag: Flag = {
  flags: '-o, --output <format>',
  text: 'form of the list; json is one document, ndjson a line each',
  choices: ['table', 'json', 'ndjson'],
  default: 'table',
};

export const configFlag: Flag = {
  flags: '-c, --config <path>',
  text: 'configuration, a file or a directory (default: the nearest millrace.yaml)',
};

export const dataFlag: Flag = { flags: '--data <dir>', text: 'data directory of the running process' };

export const yesFlag: Flag = { flags: '--yes', text: 'do it without asking' };

export function confirm(isConfirmed: boolean | undefined, act: string): void {
  if (!isConfirmed) throw cliErrors.notConfirmed({ act });
}
