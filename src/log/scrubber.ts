/**
 * Reads sealed files through from time to time, so that damage to what nobody reads is found while a copy may still exist.
 * The reading is done in a thread of its own, which lives as long as a pass.
 *
 * A start looks at the two newest files itself; all others wait for the first pass.
 */
import type { Io, Thread } from '../base/index.ts';
import type { Background } from './background.ts';
import type { DamageReports } from './damage.ts';
import { logErrors } from './errors.ts';
import type { FileIndex } from './file-index.ts';
import { isActive } from './places.ts';
import type { ScrubMessage, ScrubPass } from './scrub-thread.ts';

const FIRST_MS = 300_000;

export interface ScrubberSettings {
  /** From pass to pass; 0 never. */
  readonly intervalMs: number;
  readonly bytesPerSecond: number;
}

export class Scrubber {
  private readonly io: Io;
  private readonly settings: ScrubberSettings;
  private readonly files: () => readonly FileIndex[];
  private readonly damage: DamageReports;
  private thread: Thread | undefined;
  /** Passes that were finished. */
  passes = 0;

  constructor(io: Io, settings: ScrubberSettings, files: () => readonly FileIndex[], damage: DamageReports) {
    this.io = io;
    this.settings = settings;
    this.files = files;
    this.damage = damage;
  }

  start(background: Background): void {
    const { intervalMs } = this.settings;
    if (intervalMs === 0) return;
    background.later(Math.min(FIRST_MS, intervalMs), () => {
      this.pass();
      background.every(intervalMs, () => this.pass());
    });
  }

  async stop(): Promise<void> {
    const { thread } = this;
    this.thread = undefined;
    await thread?.stop();
  }

  private pass(): void {
    const sealed = this.files().filter(file => !isActive(file));
    // The one before goes on for longer than the interval.
    if (this.thread || sealed.length === 0) return;
    const thread = this.io.threads.start(new URL('./scrub-thread.ts', import.meta.url), undefined, 'millrace-scrub');
    this.thread = thread;
    thread.onMessage(message => this.told(message as ScrubMessage));
    thread.onExit(() => {
      if (this.thread === thread) this.thread = undefined;
    });
    const pass: ScrubPass = {
      files: sealed.map(({ endPosition: end, path, sequence }) => ({ path, sequence, end })),
      bytesPerSecond: this.settings.bytesPerSecond,
    };
    thread.post(pass);
  }

  private told(message: ScrubMessage): void {
    if (message.kind === 'over') {
      this.passes++;
      void this.stop();
      return;
    }
    const { path: file, position, reason } = message;
    // Unlinked in the meantime.
    if (!this.files().some(({ path }) => path === file)) return;
    this.damage.tell(logErrors.damaged({ file, position, reason, lost: 'what it holds cannot be served' }));
  }
}
