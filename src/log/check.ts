/**
 * `millrace log check`: reads every frame and every batch of a data directory and reports what does not fit, with file and
 * position. Changes nothing; may run beside nobody (the process's lock sees to it).
 */
import type { FileSystem } from '../base/index.ts';
import { journalFiles, nextIntactFrame, walkFrames, bodyDefect } from './recovery.ts';

export interface LogFinding {
  readonly path: string;
  readonly position: number;
  readonly kind: 'damage' | 'torn tail';
  readonly reason: string;
}

export function checkLog(
  files: FileSystem,
  directory: string,
): {
  readonly files: number;
  readonly frames: number;
  readonly bytes: number;
  readonly findings: readonly LogFinding[];
} {
  const findings: LogFinding[] = [];
  let frames = 0;
  let bytes = 0;
  const journal = journalFiles(files, directory);
  for (const { path, sequence } of journal) {
    const file = files.open(path, 'read');
    const walk = walkFrames(file, sequence);
    frames += walk.frames.length;
    bytes += file.size();
    for (const frame of walk.frames) {
      const reason = bodyDefect(file, frame);
      if (reason !== undefined) findings.push({ path, position: frame.position, kind: 'damage', reason });
    }
    if (walk.defect !== undefined) {
      const isDamage = walk.hasFooter || nextIntactFrame(file, sequence, walk.end + 1) !== undefined;
      findings.push({ path, position: walk.end, kind: isDamage ? 'damage' : 'torn tail', reason: walk.defect });
    }
    file.close();
  }
  return { files: journal.length, frames, bytes, findings };
}
