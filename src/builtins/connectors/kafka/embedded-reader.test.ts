/** The embedded log's files, read by the pipeline itself: damaged bytes are refused, never delivered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arena, makeArenaMemory } from '../../../base/index.ts';
import type { EmbeddedLog, StageContext } from '../../../sdk/index.ts';
import { SimDisk } from '../../../testing/sim/disk.ts';
import { manualIo } from '../../../testing/sim/manual-io.ts';
import { batchOf } from '../../../testing/sim/records.ts';
import { BatchHeader } from '../../../wire/records/index.ts';
import { EmbeddedReader } from './embedded-reader.ts';

const ARENA = new Arena(makeArenaMemory(1 << 20), { slabBytes: 1 << 16, reservedBytes: 0 });
const PATH = '/data/0000000001.mrj';

function stored(): { disk: SimDisk; length: number } {
  const disk = new SimDisk();
  const batches = [batchOf(['a', 'b']), batchOf(['c'])];
  new BatchHeader(batches[1]!).baseOffset = 2;
  disk.open(PATH, 'create').write(batches, 0);
  return { disk, length: batches.reduce((sum, batch) => sum + batch.length, 0) };
}

function readerOf(disk: SimDisk, length: number): EmbeddedReader {
  const extent = { path: PATH, position: 0, length, baseOffset: 0, lastOffset: 2 };
  const log: Partial<EmbeddedLog> = {
    partitions: () => Promise.resolve(1),
    committed: () => Promise.resolve(new Map()),
    commit: () => Promise.resolve(),
    locate: (_at, bytesMax) =>
      Promise.resolve([{ extents: bytesMax > 0 ? [extent] : [], startOffset: 0, endOffset: 3 }]),
  };
  const context: Partial<StageContext> = { io: manualIo({}, disk), arena: ARENA };
  return new EmbeddedReader(context as StageContext, log as EmbeddedLog, {
    topic: 't',
    group: 'g',
    start: { kind: 'beginning' },
    reset: 'earliest',
    readsCommitted: true,
  });
}

test('whole batches are read as they were written', async () => {
  const { disk, length } = stored();
  const reader = readerOf(disk, length);
  await reader.open(new Map());
  const batches = await reader.poll(0);
  assert.deepEqual(
    batches.map(({ batch }) => new BatchHeader(batch).baseOffset),
    [0, 2],
  );
});

test('a bit flipped anywhere, or a file that ends early, is refused with its place', async () => {
  const { length } = stored();
  const second = batchOf(['a', 'b']).length;
  // The leader epoch, which no crc covers and no pipeline reads.
  const isEpoch = (at: number): boolean => [0, second].some(start => at >= start + 12 && at < start + 16);
  for (let at = 0; at < length; at++) {
    if (isEpoch(at)) continue;
    const { disk } = stored();
    disk.flipBit(PATH, at, at % 8);
    const reader = readerOf(disk, length);
    await reader.open(new Map());
    const { freeSlabs } = ARENA;
    await assert.rejects(reader.poll(0), error => {
      assert.match(String(error), /corrupt record batch: .*\/data\/0000000001\.mrj/, `byte ${at}`);
      return true;
    });
    assert.equal(ARENA.freeSlabs, freeSlabs, 'its slab is given back');
  }
  const { disk } = stored();
  disk.shorten(PATH, length - 3);
  const reader = readerOf(disk, length);
  await reader.open(new Map());
  await assert.rejects(reader.poll(0), { code: 'MR4003' });
});
