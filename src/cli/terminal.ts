/** What the terminal can show: colour, characters, width. Pure functions of the environment, so that tests can hold them fixed. */

type Environment = Readonly<Record<string, string | undefined>>;

export type ColourChoice = 'auto' | 'always' | 'never';

/** A flag wins over `NO_COLOR`, that over `FORCE_COLOR` and `CLICOLOR_FORCE`, those over what the stream is. */
export function wantsColour(choice: ColourChoice, environment: Environment, isTerminal: boolean): boolean {
  const isSet = (name: string): boolean => (environment[name] ?? '') !== '';
  if (choice !== 'auto') return choice === 'always';
  if (isSet('NO_COLOR')) return false;
  const isForced = (name: string): boolean => isSet(name) && environment[name] !== '0';
  if (isForced('FORCE_COLOR') || isForced('CLICOLOR_FORCE')) return true;
  return isTerminal && environment['TERM'] !== 'dumb';
}

/** Whether the locale's character set is UTF-8: the first variable that is set decides, as in POSIX. */
export function isUtf8(environment: Environment): boolean {
  const locale = ['LC_ALL', 'LC_CTYPE', 'LANG'].map(name => environment[name]).find(value => (value ?? '') !== '');
  return /utf-?8/i.test(locale ?? '');
}

/** Characters outside ASCII that the command line prints, and what stands for them elsewhere. */
const ASCII: Readonly<Record<string, string>> = {
  '✓': '+',
  '✗': 'x',
  '●': '*',
  '◌': 'o',
  '·': '.',
  '…': '~',
  '→': '->',
  '⋮': ':',
  '’': "'",
  '–': '-',
};
const BARS = '▁▂▃▄▅▆▇█';
const ASCII_BARS = '_.-:=+*#';

export function asciiText(text: string): string {
  return text.replace(/[^\x00-\x7f]/g, char => {
    const bar = BARS.indexOf(char);
    return bar >= 0 ? ASCII_BARS[bar]! : (ASCII[char] ?? '?');
  });
}

/** The latest values as bars, the highest being full. */
export function sparkline(values: readonly number[]): string {
  const most = Math.max(1, ...values);
  return values.map(value => BARS[Math.round((value / most) * (BARS.length - 1))]).join('');
}

const ESCAPE = /\x1b\[[0-9;]*m/g;

/** Cut to the width of the terminal: a line that wraps would be two, and a redrawing would begin at the wrong place. */
export function fitLine(line: string, width: number): string {
  if (line.replace(ESCAPE, '').length <= width) return line;
  let shown = 0;
  let cut = '';
  for (const part of line.split(/(\x1b\[[0-9;]*m)/)) {
    if (part.startsWith('\x1b')) cut += part;
    else {
      cut += part.slice(0, Math.max(0, width - 1 - shown));
      shown += part.length;
    }
  }
  return `${cut}…`;
}
