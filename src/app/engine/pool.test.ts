/** The pool against threads that end: pipelines fail once and can be started again over the same range. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arena, ARENA_DEFAULTS, Calls, type Io, makeArenaMemory, type Port, portPair } from '../../base/index.ts';
import { nodeIo } from '../../base/io/node.ts';
import { EnginePool } from './pool.ts';
import type { WorkerData } from './worker.ts';

const RANGE = 64 * 1024 * 1024;

interface FakeThread {
  readonly data: WorkerData;
  readonly inside: Port;
  end(error: Error | undefined): void;
}

function poolOf(workers: number): { pool: EnginePool; threads: FakeThread[]; started: string[] } {
  const threads: FakeThread[] = [];
  const started: string[] = [];
  const io: Io = {
    ...nodeIo(),
    threads: {
      cores: 4,
      start: (_module, data) => {
        const [outside, inside] = portPair();
        const exits: ((error: Error | undefined) => void)[] = [];
        const end = (error: Error | undefined): void => {
          for (const exit of exits) exit(error);
        };
        threads.push({ data: data as WorkerData, inside, end });
        new Calls(inside).serve('tasks', {
          start: (_task: number, id: string) => {
            started.push(id);
          },
        });
        return { ...outside, onExit: handler => exits.push(handler), stop: () => Promise.resolve() };
      },
    },
  };
  const nothing = {} as never;
  const arena = new Arena(makeArenaMemory(3 * RANGE), { ...ARENA_DEFAULTS, end: RANGE });
  const pool = new EnginePool({
    io,
    arena,
    workers,
    ranges: { start: RANGE, bytes: RANGE },
    log: nothing,
    letters: nothing,
    checkpoints: nothing,
    secrets: { environment: {}, configured: {} },
    warn: () => undefined,
  });
  return { pool, threads, started };
}

test('pipelines spread over the workers, each with a range of its own behind the process’s', async () => {
  const { pool, started, threads } = poolOf(2);
  for (const id of ['a', 'b', 'c']) await pool.task(id, 'f', '').start();
  assert.deepEqual(started, ['a', 'b', 'c']);
  assert.deepEqual(
    threads.map(({ data }) => [data.start, data.end]),
    [
      [RANGE, 2 * RANGE],
      [2 * RANGE, 3 * RANGE],
    ],
  );
});

test('a worker that ends fails its pipelines, and the next start gets a new thread over its range', async () => {
  const { pool, threads } = poolOf(1);
  const first = pool.task('a', 'f', '');
  await first.start();
  threads[0]!.end(new Error('out of memory'));
  await assert.rejects(first.finished, /out of memory/);
  assert.equal(first.report().state, 'failed');
  assert.equal(first.report().reason, 'out of memory');
  await pool.task('a', 'f', '').start();
  assert.equal(threads.length, 2);
  assert.deepEqual(threads[1]!.data.start, threads[0]!.data.start);
});
