/** Committed offsets: how long they live, by our time, by the client's, and across a restart. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Clock, InlineThreads, type Io } from '../base/index.ts';
import { nodeIo } from '../base/io/node.ts';
import { logThreads } from '../log/threads.ts';
import { Log } from '../log/index.ts';
import { Coordination } from './coordination.ts';

const MEMBER = { id: '', instanceId: null, generation: -1 };
const RETENTION_MS = 1_000_000;

/** Time that stands still until it is moved; timers of minutes and more run when they are asked to. */
function standingClock(real: Clock): { clock: Clock; passMs(ms: number): void } {
  let nowMs = 1_700_000_000_000;
  const waiting: (() => void)[] = [];
  return {
    clock: {
      now: () => nowMs,
      monotonic: () => real.monotonic(),
      after: (ms, callback, options) => {
        if (ms < 60_000) return real.after(ms, callback, options);
        waiting.push(callback);
        return { cancel: () => undefined };
      },
    },
    passMs: ms => {
      nowMs += ms;
      for (const callback of waiting.splice(0)) callback();
    },
  };
}

test('offsets end with the retention, sooner or later where the client said so, also after a restart', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-offsets-'));
  const threads = new InlineThreads(logThreads);
  const real = nodeIo();
  const { clock, passMs } = standingClock(real.clock);
  const io: Io = { ...real, clock, threads };
  threads.io = io;
  let log = await Log.open(io, { directory });
  t.after(async () => {
    await log.close();
    rmSync(directory, { recursive: true, force: true });
  });
  await log.createTopic('', 't', 4);
  let coordination = new Coordination(io, log, { offsetRetentionMs: RETENTION_MS });
  const start = clock.now();
  const base = { topic: 't', leaderEpoch: -1, metadata: null };
  await coordination.commit('', 'g', MEMBER, [
    { ...base, partition: 0, offset: 10 },
    { ...base, partition: 1, offset: 11, expiresMs: start + 500 },
    { ...base, partition: 2, offset: 12, expiresMs: start + 3 * RETENTION_MS },
    { ...base, partition: 3, offset: 13, timeMs: start - RETENTION_MS + 2_000 },
  ]);
  const left = (): number[] => [0, 1, 2, 3].filter(index => coordination.committed('', 'g', 't', index));
  const pass = async (ms: number): Promise<number[]> => {
    const before = left().length;
    passMs(ms);
    for (let i = 0; i < 500 && left().length === before; i++)
      await new Promise(resolve => real.clock.after(2, () => resolve(0)));
    return left();
  };
  assert.deepEqual(await pass(501), [0, 2, 3]);
  await log.close();
  log = await Log.open(io, { directory });
  coordination = new Coordination(io, log, { offsetRetentionMs: RETENTION_MS });
  assert.deepEqual(left(), [0, 2, 3]);
  assert.deepEqual(await pass(1_500), [0, 2]);
  assert.deepEqual(await pass(RETENTION_MS), [2]);
  assert.equal(coordination.committed('', 'g', 't', 2)?.offset, 12);
  assert.deepEqual(await pass(2 * RETENTION_MS), []);
});
