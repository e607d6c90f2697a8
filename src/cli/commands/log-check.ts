/** `millrace log check`: reads a data directory and reports what does not fit. Exit 3 when there is damage. */
import { existsSync } from 'node:fs';
import { nodeIo } from '../../base/io/node.ts';
import { checkLog } from '../../log/index.ts';
import { note } from '../output.ts';

export function logCheck(directory: string): void {
  const path = existsSync(`${directory}/log`) ? `${directory}/log` : directory;
  const { bytes, files, findings, frames } = checkLog(nodeIo().files, path);
  for (const { kind, path: file, position, reason } of findings)
    note(`${kind}: ${file} at byte ${position}: ${reason}`);
  note(`${files} files, ${frames} frames, ${bytes} bytes read, ${findings.length} findings`);
  if (findings.some(({ kind }) => kind === 'damage')) process.exitCode = 3;
}
