/**
 * The scrubber's thread: reads sealed files through, slowly, and tells what is not what was written. It ends with its pass.
 *
 *   in    a pass: files with the ends of their frames, and how many bytes a second
 *   out   each defect; then that the pass is over
 */
import { type Io, MillraceError, messageOf, type Port } from '../base/index.ts';
import { bodyDefect, openJournal, stepFrames, WindowReader } from './journal-reader.ts';

export interface ScrubPass {
  readonly files: readonly { readonly path: string; readonly sequence: number; readonly end: number }[];
  readonly bytesPerSecond: number;
}

export type ScrubMessage =
  | { readonly kind: 'defect'; readonly path: string; readonly position: number; readonly reason: string }
  | { readonly kind: 'over' };

/** Bytes that are read without a pause. */
const PIECE_BYTES = 1 << 20;

export function main(io: Io, port: Port): void {
  port.onMessage(message => {
    const pass = message as ScrubPass;
    const tell = (told: ScrubMessage): void => port.post(told);
    void run(io, pass, tell).then(() => tell({ kind: 'over' }));
  });
}

async function run(io: Io, { bytesPerSecond, files }: ScrubPass, tell: (message: ScrubMessage) => void): Promise<void> {
  const pause = (bytes: number): Promise<void> =>
    new Promise(resolve => io.clock.after((bytes * 1_000) / bytesPerSecond, resolve));
  for (const file of files) {
    const found = (position: number, reason: string): void => {
      tell({ kind: 'defect', path: file.path, position, reason });
    };
    try {
      await scrub(io, file, pause, found);
    } catch (error) {
      // A file that was unlinked since the pass began is told as well: who hears it knows which belong to the log.
      if (!(error instanceof MillraceError)) throw error;
      found(Number(error.details['position'] ?? 0), messageOf(error));
    }
  }
}

async function scrub(
  io: Io,
  { end, path, sequence }: ScrubPass['files'][number],
  pause: (bytes: number) => Promise<void>,
  found: (position: number, reason: string) => void,
): Promise<void> {
  const file = openJournal(io.files, path);
  try {
    const reader = new WindowReader(file);
    const steps = stepFrames(reader, sequence, end);
    let since = 0;
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done) {
        if (step.value.defect !== undefined || step.value.end !== end) {
          found(step.value.end, step.value.defect ?? 'the file is shorter than it was');
        }
        return;
      }
      const frame = step.value;
      const defect = bodyDefect(reader, frame);
      if (defect !== undefined) found(frame.position, defect);
      since += frame.head.totalBytes;
      if (since < PIECE_BYTES) continue;
      await pause(since);
      since = 0;
    }
  } finally {
    file.close();
  }
}
