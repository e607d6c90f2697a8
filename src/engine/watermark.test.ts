/** Watermarks on their way: merges wait for every side, a balance for everything that came before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventBatch, RecordValue } from '../data/index.ts';
import { BalanceReceiver } from './balance.ts';
import { makeLine } from './ledger.ts';
import { BranchReceiver, MergeReceiver, type Receiver } from './receiver.ts';

function recorder(seen: string[], name: string, onBatch: () => Promise<void> | undefined = () => undefined): Receiver {
  return {
    isDone: false,
    batch: batch => {
      seen.push(`${name} ${batch.count} events`);
      return onBatch();
    },
    marker: () => undefined,
    watermark: timeMs => void seen.push(`${name} watermark ${timeMs}`),
    end: () => undefined,
    tick: () => undefined,
    flush: () => undefined,
  };
}

const events = (count: number): EventBatch =>
  EventBatch.fromRecords(
    Array.from({ length: count }, () => new RecordValue([])),
    'x',
  );

test('a branch gives a watermark to both sides, and the merge passes it on once, behind what both sent', async () => {
  const seen: string[] = [];
  const merge = new MergeReceiver(2, recorder(seen, 'end'));
  const branch = new BranchReceiver(
    makeLine('1', 'if', 'transform'),
    batch => ({ then: batch, otherwise: batch.select(new Uint32Array(0)) }),
    merge,
    merge,
  );
  await branch.batch(events(2));
  await branch.watermark(100);
  await branch.batch(events(1));
  await branch.watermark(200);
  assert.deepEqual(seen, ['end 2 events', 'end watermark 100', 'end 1 events', 'end watermark 200']);
});

test('a balance holds a watermark until every batch before it is settled, and then tells each arm before its next batch', async () => {
  const seen: string[] = [];
  const confirmed: number[] = [];
  const balance = new BalanceReceiver(makeLine('1', 'load_balance', 'transform'), {
    confirm: epoch => confirmed.push(epoch),
    failed: error => assert.ifError(error),
  });
  for (const name of ['a', 'b']) {
    balance.addArm();
    balance.attach(recorder(seen, name));
  }
  await balance.batch(events(1));
  await balance.batch(events(2));
  await balance.watermark(100);
  await Promise.resolve();
  balance.confirmArm(0, 0);
  await balance.marker(7);
  await new Promise(resolve => setImmediate(resolve));
  await balance.batch(events(3));
  assert.deepEqual(seen, ['a 1 events', 'b 2 events', 'a 3 events']);
  assert.deepEqual(confirmed, []);
  balance.confirmArm(1, 0);
  assert.deepEqual(confirmed, [7]);
  await new Promise(resolve => setImmediate(resolve));
  await balance.batch(events(4));
  await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual(seen.slice(3), ['b watermark 100', 'b 4 events']);
});
