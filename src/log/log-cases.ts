/** What tests of the log share: a process with a simulated disk, and a log on it. */
import { SimDisk } from '../testing/sim/disk.ts';
import { type ManualIo, manualIo } from '../testing/sim/manual-io.ts';
import { logThreads } from './threads.ts';
import { Log, type LogSettings } from './log.ts';

export const DIRECTORY = '/data';

export function simIo(disk = new SimDisk(), seed = 1): ManualIo {
  return manualIo(logThreads, disk, seed);
}

export function openLog(io: ManualIo, settings: Partial<LogSettings> = {}): Promise<Log> {
  return Log.open(io, { directory: DIRECTORY, reserveBytes: 0, ...settings });
}
