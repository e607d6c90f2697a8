/** Many partitions in many files: a start opens two files, and what is known of the others stays in its bound. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/index.ts';
import type { SimDisk } from '../testing/sim/disk.ts';
import { batchOf, recordsOf } from '../testing/sim/records.ts';
import { openLog, simIo } from './log-cases.ts';

const PARTITIONS = 200;
const ROUNDS = 30;
const SETTINGS = { fileBytesMax: 16_000, indexBytesMax: 100_000 };
/** Rows of a file's directory. */
const DIRECTORY_BYTES = 80 * PARTITIONS;

/** Files opened so far, and handles that are open. */
function watch(disk: SimDisk): { readonly opened: Set<string>; open: number; most: number } {
  const seen = { opened: new Set<string>(), open: 0, most: 0 };
  const open = disk.open.bind(disk);
  disk.open = (path, mode) => {
    const file = open(path, mode);
    if (mode === 'read') seen.opened.add(path);
    seen.most = Math.max(seen.most, ++seen.open);
    const close = file.close.bind(file);
    return Object.assign(file, {
      close: () => {
        seen.open--;
        close();
      },
    });
  };
  return seen;
}

test('a start opens the two newest files, and reading everything stays within the bounds', async () => {
  const io = simIo();
  let log = await openLog(io, SETTINGS);
  const { partitions } = await log.createTopic('', 't', PARTITIONS, new Map([['retention.ms', '-1']]));
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(partitions.map((partition, i) => log.append(partition, batchOf([`${round}/${i}`], {}, round))));
  }
  assert.ok(log.stats.files > 12, `${log.stats.files} files`);
  assert.ok(log.stats.indexBytes <= SETTINGS.indexBytesMax + DIRECTORY_BYTES);
  await log.close();

  const seen = watch(io.files);
  log = await openLog(simIo(io.files), SETTINGS);
  assert.equal(seen.opened.size, 2, [...seen.opened].join(' '));
  const random = new SeededRandom(1);
  const again = log.topic('', 't')!.partitions;
  for (let i = 0; i < 1_000; i++) {
    const partition = again[random.below(PARTITIONS)]!;
    const offset = random.below(ROUNDS);
    const [record] = recordsOf(log, partition, offset).slice(0, 1);
    assert.equal(record!.value, `${offset}/${partition.index}`);
    assert.deepEqual(log.offsetForTime(partition, offset), { offset, timestamp: offset });
    const { indexBytes } = log.stats;
    assert.ok(indexBytes <= SETTINGS.indexBytesMax + DIRECTORY_BYTES, `${indexBytes} bytes of index`);
  }
  assert.ok(seen.most <= 64 + 4, `${seen.most} open files`);
  await log.close();
  assert.equal(seen.open, 0, 'all are closed');
});
