/** A log of its own in memory, for tests of what stands on one. `disk` opens it again as it was. */
import { InlineThreads, type Io } from '../base/index.ts';
import { nodeIo } from '../base/io/node.ts';
import { logThreads } from '../log/threads.ts';
import { Log } from '../log/index.ts';
import { SimDisk } from './sim/disk.ts';

export interface MemoryLog {
  readonly io: Io;
  readonly log: Log;
  readonly disk: SimDisk;
}

export async function openMemoryLog(disk: SimDisk = new SimDisk()): Promise<MemoryLog> {
  const threads = new InlineThreads(logThreads);
  const io: Io = { ...nodeIo(), files: disk, threads };
  threads.io = io;
  return { io, log: await Log.open(io, { directory: '/log' }), disk };
}
