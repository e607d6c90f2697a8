/**
 * Damage at rest, anywhere in any file of a log: it is found at the start, which then tells file, position and what is lost,
 * or by the read that meets it. Never is a wrong byte served, and never is anything acknowledged left out in silence.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError, type SeededRandom } from '../base/index.ts';
import { fuzzAsync } from '../testing/fuzz.ts';
import type { SimDisk } from '../testing/sim/disk.ts';
import { batchOf, recordsOf, type StoredRecord } from '../testing/sim/records.ts';
import { checkLog } from './check.ts';
import type { Log } from './log.ts';
import { DIRECTORY, openLog, simIo } from './log-cases.ts';

const SETTINGS = { fileBytesMax: 1_500, indexBytesMax: 2_000, unlinkDelayMs: 0 };
const CODES = ['MR5003', 'MR5012', 'MR5013', 'MR5014'];

interface Expected {
  readonly id: string;
  readonly start: number;
  readonly records: ReadonlyMap<number, StoredRecord>;
}

interface Image {
  readonly disk: SimDisk;
  readonly partitions: ReadonlyMap<string, Expected>;
  readonly states: string;
}

/** A log of several files on a disk at rest, after a clean close or a kill. */
async function makeImage(isClean: boolean): Promise<Image> {
  const io = simIo();
  const log = await openLog(io, SETTINGS);
  for (const name of ['a', 'b']) await log.createTopic('', name, 2, new Map([['retention.ms', '-1']]));
  for (let i = 0; i < 24; i++) {
    const [first, second] = log.topic('', i % 3 === 0 ? 'b' : 'a')!.partitions;
    await Promise.all([
      log.append(first!, batchOf([`value ${i}`, 'more'], {}, 1_000 + i)),
      i % 2 === 0 && log.append(second!, batchOf([`${i}`.repeat(30)], { id: 5, sequence: second!.syncedEnd })),
      log.change([{ table: 'test', key: `k${i % 4}`, value: Buffer.from(`state ${i}`) }]),
    ]);
  }
  // Within a batch: every batch still has records that are kept.
  await log.setLogStart(log.topic('', 'a')!.partitions[0]!, 1);
  const image = { partitions: partitionsOf(log), states: statesOf(log), disk: io.files };
  if (isClean) await log.close();
  else io.files.restart();
  return image;
}

function partitionsOf(log: Log): Map<string, Expected> {
  const found = new Map<string, Expected>();
  for (const topic of log.topics()) {
    for (const partition of topic.partitions) {
      const records = new Map(recordsOf(log, partition).map(record => [record.offset, record]));
      found.set(`${topic.name}/${partition.index}`, { id: topic.id, start: partition.startOffset, records });
    }
  }
  return found;
}

function statesOf(log: Log): string {
  return JSON.stringify(
    [...log.states.entries('test')].map(([key, value]) => [key, Buffer.from(value).toString()]).sort(),
  );
}

interface Damage {
  readonly what: string;
  readonly path: string;
  readonly position: number;
}

function harm(disk: SimDisk, random: SeededRandom): Damage {
  const names = disk.list(DIRECTORY).filter(name => name !== 'reserve');
  const path = `${DIRECTORY}/${names[random.below(names.length)]!}`;
  const { size } = disk.stat(path);
  const position = random.below(size);
  const kinds: Readonly<Record<string, () => void>> = {
    'a flipped bit': () => disk.flipBit(path, position, random.below(8)),
    'another flipped bit': () => disk.flipBit(path, position, random.below(8)),
    'a cut': () => disk.shorten(path, position),
    'a lost file': () => disk.lose(path),
    'an unreadable sector': () => disk.breakSector(path, position),
    'a foreign sector': () => overwrite(disk, path, position, random),
  };
  const names_ = Object.keys(kinds);
  const what = names_[random.below(names_.length)]!;
  kinds[what]!();
  return { what, path, position };
}

function overwrite(disk: SimDisk, path: string, position: number, random: SeededRandom): void {
  const { size } = disk.stat(path);
  const isZero = random.below(2) === 0;
  for (let at = position; at < Math.min(size, position + 64); at++) {
    for (let bit = 0; bit < 8; bit++) {
      const isSet = ((disk.readFile(path)[at]! >> bit) & 1) === 1;
      if (isZero ? isSet : random.below(2) === 0) disk.flipBit(path, at, bit);
    }
  }
}

async function examine(image: Image, disk: SimDisk, { path, what }: Damage): Promise<void> {
  const findings = checkLog(disk.copy(), DIRECTORY).findings;
  let log: Log;
  try {
    log = await openLog(simIo(disk), SETTINGS);
  } catch (error) {
    assert.ok(error instanceof MillraceError && CODES.includes(error.code), String(error));
    assert.ok(String(error.details['file']).startsWith(DIRECTORY), 'the refusal names a file');
    assert.ok(
      findings.some(({ kind }) => kind !== 'torn tail'),
      `a start is refused, and a check finds nothing: ${error}`,
    );
    return;
  }
  const told: string[] = [];
  let isWhole = true;
  log.onDamage = error => told.push(String(error.details['file']));
  assert.equal(statesOf(log), image.states, 'state is lost in silence');
  for (const [place, expected] of image.partitions) {
    const [name, index] = place.split('/');
    const topic = log.topic('', name!);
    assert.equal(topic?.id, expected.id, `${name} is lost in silence`);
    const partition = topic.partitions[Number(index)]!;
    assert.equal(partition.startOffset, expected.start);
    assert.equal(partition.syncedEnd, Math.max(expected.start, ...expected.records.keys()) + 1, `${place} is shorter`);
    for (let offset = expected.start; offset < partition.syncedEnd; offset++) {
      try {
        const [found] = recordsOf(log, partition, offset).slice(0, 1);
        assert.deepEqual(found, expected.records.get(offset), `${place} at ${offset}`);
      } catch (error) {
        if (!(error instanceof MillraceError)) throw error;
        assert.ok(['MR5003', 'MR5004', 'MR5013'].includes(error.code), String(error));
        assert.ok(told.includes(path), `${error.message}, in ${path}, was not told`);
        isWhole = false;
        break;
      }
    }
  }
  // What the start did not look at, and no read has met, a check finds.
  // But a cut may take the footer and nothing else: the file is then as one that had no space for it.
  const isFooterOnly = what === 'a cut' && isWhole;
  assert.ok(!path.endsWith('.mrj') || isFooterOnly || findings.length > 0, 'a check finds nothing');
  await log.close();
}

for (const isClean of [true, false]) {
  test(`damage anywhere in a log that was ${isClean ? 'closed' : 'killed'} is found`, async () => {
    const image = await makeImage(isClean);
    await fuzzAsync(1, async random => {
      const disk = image.disk.copy();
      const damage = harm(disk, random);
      try {
        await examine(image, disk, damage);
      } catch (error) {
        throw new Error(`${damage.what} in ${damage.path} at ${damage.position}`, { cause: error });
      }
    });
  });
}
