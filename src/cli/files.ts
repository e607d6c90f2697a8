/** Files that are named on the command line. */
import { type FileSystem, systemReason } from '../base/index.ts';
import { cliErrors } from './errors.ts';

export function readBytes(files: Pick<FileSystem, 'readFile'>, file: string): Uint8Array {
  try {
    return files.readFile(file);
  } catch (error) {
    throw cliErrors.noSuchFile({ file, reason: systemReason(error) }, error);
  }
}

export function readText(files: Pick<FileSystem, 'readFile'>, file: string): string {
  return Buffer.from(readBytes(files, file)).toString('utf8');
}

/** All of standard input. */
export async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}
