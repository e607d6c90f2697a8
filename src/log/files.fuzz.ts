/**
 * Files of a log changed at random with checksums that match all the same, as no disk does it but a program may: the start
 * refuses with a named error or opens, and what is read is refused or comes to an end. Nothing else is thrown, nothing hangs,
 * nothing is asked for beyond the files' sizes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError, type SeededRandom } from '../base/index.ts';
import { fuzzAsync } from '../testing/fuzz.ts';
import type { SimDisk } from '../testing/sim/disk.ts';
import { batchOf } from '../testing/sim/records.ts';
import { crc32c } from '../wire/records/index.ts';
import { checkLog } from './check.ts';
import { FILE_HEADER_BYTES } from './frame.ts';
import { DIRECTORY, openLog, simIo } from './log-cases.ts';

const SETTINGS = { fileBytesMax: 1_500, indexBytesMax: 2_000 };
const TRAILER_BYTES = 28;

async function makeDisk(): Promise<SimDisk> {
  const io = simIo();
  const log = await openLog(io, SETTINGS);
  const [first, second] = (await log.createTopic('', 't', 2, new Map([['retention.ms', '-1']]))).partitions;
  for (let i = 0; i < 20; i++) {
    await Promise.all([
      log.append(first!, batchOf([`value ${i}`, 'more'])),
      i % 2 === 0 && log.append(second!, batchOf([`${i}`], { id: 5, sequence: second!.syncedEnd })),
    ]);
  }
  await log.setLogStart(first!, 3);
  if (!io.files.isCrashed) await log.close();
  return io.files;
}

/** Overwrites a file, at rest. */
function put(disk: SimDisk, path: string, bytes: Uint8Array): void {
  disk.lose(path);
  const file = disk.open(path, 'create');
  file.write([bytes], 0);
  file.sync();
  disk.syncDirectory(DIRECTORY);
}

function change(random: SeededRandom, bytes: Buffer, from: number, to: number): void {
  for (let i = random.below(3); i >= 0; i--) {
    const at = from + random.below(Math.max(1, to - from));
    if (random.below(3) === 0 && at + 4 <= to) bytes.writeInt32BE([-1, 0, 0x7fff_ffff, 1_000][random.below(4)]!, at);
    else bytes[at] = random.below(256);
  }
}

/** Changes one part of the file and makes the checksum over it right again. */
function forge(random: SeededRandom, bytes: Buffer): string {
  const frames: number[] = [];
  for (let at = bytes.indexOf('MRFR'); at >= 0; at = bytes.indexOf('MRFR', at + 1)) frames.push(at);
  const what = random.below(10);
  const trailer = bytes.length - TRAILER_BYTES;
  if (what === 0) {
    change(random, bytes, 0, FILE_HEADER_BYTES - 4);
    bytes.writeUInt32BE(crc32c(bytes.subarray(0, FILE_HEADER_BYTES - 4)), FILE_HEADER_BYTES - 4);
    return 'header';
  }
  if (what < 4 && bytes.toString('latin1', bytes.length - 4) === 'MRFT') {
    const directory = Number(bytes.readBigInt64BE(trailer + 8));
    change(random, bytes, directory, bytes.length - 8);
    bytes.writeUInt32BE(crc32c(bytes.subarray(directory, bytes.length - 8)), bytes.length - 8);
    return 'footer';
  }
  const at = frames[random.below(frames.length)]!;
  const headBytes = 40 + bytes.readUInt32BE(at + 12);
  change(random, bytes, at + (random.below(4) === 0 ? 8 : 40), at + headBytes);
  const end = Math.min(bytes.length, at + 40 + bytes.readUInt32BE(at + 12));
  bytes.writeUInt32BE(crc32c(bytes.subarray(at + 8, Math.max(end, at + 8))), at + 4);
  return `frame at ${at}`;
}

function forgeFile(random: SeededRandom, disk: SimDisk): string {
  const names = disk.list(DIRECTORY).filter(name => name !== 'reserve');
  const name = names[random.below(names.length)]!;
  const path = `${DIRECTORY}/${name}`;
  const bytes = Buffer.from(disk.readFile(path));
  let what = name;
  if (name.endsWith('.mrj')) what = `${name}, ${forge(random, bytes)}`;
  else if (name === 'synced') {
    change(random, bytes, 0, 16);
    bytes.writeUInt32BE(crc32c(bytes.subarray(0, 16)), 16);
  } else {
    change(random, bytes, 0, bytes.length - 4);
    bytes.writeUInt32BE(crc32c(bytes.subarray(0, bytes.length - 4)), bytes.length - 4);
  }
  put(disk, path, bytes);
  return what;
}

function named(run: () => void): void {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof MillraceError, error instanceof Error ? error.stack : String(error));
  }
}

test('files whose checksums match and whose contents do not are refused, or read to their end', async () => {
  const image = await makeDisk();
  await fuzzAsync(1, async random => {
    const disk = image.copy();
    const what = forgeFile(random, disk);
    try {
      named(() => checkLog(disk.copy(), DIRECTORY));
      const log = await openLog(simIo(disk), SETTINGS).catch((error: unknown) => {
        named(() => {
          throw error;
        });
        return undefined;
      });
      if (!log) return;
      for (const topic of log.topics()) {
        for (const partition of topic.partitions) {
          named(() => log.segments(partition));
          named(() => log.read(partition, partition.startOffset, 1_000_000));
          named(() => log.offsetForTime(partition, 1_000));
          named(() => log.maxTimestamp(partition));
        }
      }
      await log.applyRetention();
      await log.close();
    } catch (error) {
      throw new Error(what, { cause: error });
    }
  });
});
