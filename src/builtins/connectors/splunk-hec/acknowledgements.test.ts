/** Acknowledgements in simulated time: what a collector that has begun anew, or an answer that was lost, makes of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualIo, settle } from '../../../testing/sim/manual-io.ts';
import { Acknowledgements } from './acknowledgements.ts';

function make() {
  const io = manualIo({});
  const indexed = new Set<number>();
  const asked: (readonly number[])[] = [];
  let held: Promise<void> = Promise.resolve();
  const acknowledgements = new Acknowledgements(io, 60_000, async ids => {
    asked.push(ids);
    const found = new Set(ids.filter(id => indexed.has(id)));
    await held;
    return found;
  });
  const verdicts: string[] = [];
  return {
    acknowledgements,
    asked,
    indexed,
    verdicts,
    pass: () => io.clock.pass(10_000),
    /** A request that is given a number. */
    take: (name: string, id: number) => {
      const request = acknowledgements.sent();
      void acknowledgements.wait(id).then(isConfirmed => verdicts.push(`${name} ${isConfirmed}`));
      acknowledgements.answered(request);
    },
    /** Answers to questions come no more until the result is called. */
    hold: (): (() => void) => {
      let release!: () => void;
      held = new Promise(resolve => {
        release = resolve;
      });
      return release;
    },
  };
}

test('a confirmation waits for the answers of requests that were under way, and is asked for no more', async () => {
  const { acknowledgements, asked, indexed, pass, take, verdicts } = make();
  take('a', 0);
  const other = acknowledgements.sent();
  indexed.add(0);
  await pass();
  assert.deepEqual(verdicts, []);
  assert.deepEqual(asked, [[0]]);
  const later = acknowledgements.sent();
  acknowledgements.answered(other);
  await settle();
  assert.deepEqual(verdicts, ['a true']);
  acknowledgements.answered(later);
});

test('a number that comes again with such an answer unconfirms the older one', async () => {
  const { acknowledgements, indexed, pass, take, verdicts } = make();
  take('a', 0);
  const other = acknowledgements.sent();
  indexed.add(0);
  await pass();
  void acknowledgements.wait(0).then(isConfirmed => verdicts.push(`b ${isConfirmed}`));
  acknowledgements.answered(other);
  await pass();
  assert.deepEqual(verdicts, ['a false', 'b true']);
});

test('an answer that is lost unconfirms everything: it may have had any of the numbers', async () => {
  const { acknowledgements, indexed, pass, take, verdicts } = make();
  take('a', 0);
  take('b', 1);
  const other = acknowledgements.sent();
  indexed.add(1);
  await pass();
  acknowledgements.lost(other);
  await settle();
  assert.deepEqual(verdicts, ['a false', 'b false']);
});

test('a confirmation of the older one does not count for the newer of the same number', async () => {
  const { hold, indexed, pass, take, verdicts } = make();
  take('a', 0);
  indexed.add(0);
  const release = hold();
  await pass();
  indexed.clear();
  take('b', 0);
  release();
  await pass();
  assert.deepEqual(verdicts, ['a false']);
});
