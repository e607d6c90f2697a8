/**
 * The terminal while the process runs: lines that stay, and below them a part that is drawn over each second. Whatever is
 * printed meanwhile goes between the two. Without a terminal the part is printed as plain lines now and then.
 */
import { note, say } from './output.ts';
import { fitLine } from './terminal.ts';

const REFRESH_MS = 1_000;
const PLAIN_MS = 10_000;

export class Screen {
  private readonly draw: (width: number, height: number) => readonly string[];
  private readonly isLive: boolean;
  private timer: NodeJS.Timeout | undefined;
  /** Lines of the drawn part that stand above the cursor. */
  private drawn = 0;

  constructor(draw: (width: number, height: number) => readonly string[]) {
    this.draw = draw;
    this.isLive = process.stderr.isTTY === true && process.env['TERM'] !== 'dumb';
  }

  start(): void {
    this.redraw();
    this.timer = setInterval(() => this.redraw(), this.isLive ? REFRESH_MS : PLAIN_MS);
    // What was drawn for another width has wrapped: nobody knows into how many lines.
    process.stderr.on('resize', this.resized);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    process.stderr.removeListener('resize', this.resized);
    this.erase();
  }

  note(text: string): void {
    this.erase();
    note(text);
    if (this.timer && this.isLive) this.redraw();
  }

  private readonly resized = (): void => {
    this.drawn = 0;
    say('\x1b[2J\x1b[H');
    this.redraw();
  };

  private redraw(): void {
    const width = this.isLive ? process.stderr.columns || 80 : Number.POSITIVE_INFINITY;
    const height = this.isLive ? (process.stderr.rows ?? 24) : Number.POSITIVE_INFINITY;
    const lines = this.draw(width, height - 1).map(line => fitLine(line, width));
    const up = this.drawn > 0 ? `\x1b[${this.drawn}A\r\x1b[J` : '';
    say(`${up}${lines.join('\n')}\n`);
    this.drawn = this.isLive ? lines.length : 0;
  }

  private erase(): void {
    if (this.drawn > 0) say(`\x1b[${this.drawn}A\r\x1b[J`);
    this.drawn = 0;
  }
}
