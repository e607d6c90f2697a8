/** What writers make of events: chunks that keep where they came from, and know what of them is only a line end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteStore, type ChunkBatch, EventBatch } from '../../data/index.ts';
import { Writer } from './writer.ts';

const TEXTS = ['{"a":1}', '{"a":2}', '{"a":3}'];

function events(onFree: () => void): EventBatch {
  const bytes = Buffer.from(TEXTS.join(''));
  const spans = Uint32Array.from(TEXTS.flatMap((text, i) => [i * 7, text.length]));
  const origins = {
    describe: (row: number) => `t/0/${10 + row}`,
    key: () => null,
    headers: () => [],
    value: (row: number) => bytes.subarray(row * 7, row * 7 + 7),
  };
  let holders = 1;
  const owner = {
    hold: () => holders++,
    release: () => {
      if (--holders === 0) onFree();
    },
  };
  return EventBatch.fromDocuments(new ByteStore({ bytes, spans, count: 3, origins, owners: [owner] }), 'test');
}

for (const isLater of [false, true])
  test(`the memory of the events stays until their chunks are gone (${isLater ? 'taken later' : 'at once'})`, async () => {
    let isFree = false;
    const batch = events(() => {
      isFree = true;
    });
    let taken: ChunkBatch | undefined;
    const emit = (chunks: unknown): void | Promise<void> => {
      taken = chunks as ChunkBatch;
      taken.hold();
      return isLater ? Promise.resolve() : undefined;
    };
    await new Writer((from, row) => from.jsonOf(row)).process(batch.select(Uint32Array.of(0, 2)), { emit } as never);
    batch.release();
    assert.equal(isFree, false);
    const { origins } = taken!.store;
    const row = taken!.store.originRow(1);
    assert.deepEqual([origins!.describe(row), Buffer.from(origins!.value(row)!).toString()], ['t/0/12', '{"a":3}']);
    assert.deepEqual([taken!.textOf(1), Buffer.from(taken!.bodyOf(1)).toString()], ['{"a":3}\n', '{"a":3}']);
    taken!.release();
    assert.equal(isFree, true);
  });
