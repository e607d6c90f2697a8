/**
 * A pipeline with a state, in the broker's process, whose host stops at any I/O call: it counts and adds up what is appended
 * to a topic while it runs, and writes one result. Positions and state are saved together, so the result is exact, however
 * often it had to go on; it may be written twice, but never another one.
 */
import assert from 'node:assert/strict';
import { Arena, makeArenaMemory, SeededRandom } from '../../src/base/index.ts';
import { checkpointsOf, embeddedLogOf } from '../../src/app/services.ts';
import { builtins } from '../../src/builtins/index.ts';
import { Task } from '../../src/engine/index.ts';
import { compileTql, SourceText } from '../../src/lang/index.ts';
import {
  type CheckpointStore,
  type DeadLetterStore,
  deadLetterStore,
  embeddedLog,
  type ServiceToken,
} from '../../src/sdk/index.ts';
import { SimDisk } from '../../src/testing/sim/disk.ts';
import { settle } from '../../src/testing/sim/manual-io.ts';
import { recordsOf } from '../../src/testing/sim/records.ts';
import { type Kind, Rig, type Workload } from './crash.ts';

const COUNT = 40;
const TEXT = `from_kafka "in", count=${COUNT}, commit_timeout=150ms
v = int(message)
summarize n=count(), s=sum(v)
to_kafka "out", message=this.print_json()`;
const RESULT = `{"n":${COUNT},"s":${(COUNT * (COUNT - 1)) / 2}}`;
const WORKLOAD: Workload = {
  name: 'pipeline',
  settings: { fileBytesMax: 4_000, unlinkDelayMs: 60_000, reserveBytes: 2_000 },
  steps: [],
};
const ARENA = new Arena(makeArenaMemory(24 << 20), { slabBytes: 1 << 20, reservedBytes: 16 << 20 });
/** Simulated time from one append to the next. */
const PACE_MS = 70;
const ROUNDS_MAX = 1_000;

/** The changing calls of a run without a crash. */
export async function pipelineCalls(): Promise<number> {
  const disk = new SimDisk();
  await runToEnd(disk, 1);
  return disk.calls;
}

/** What is broken on purpose: how checkpoints are kept. */
export type CheckpointPlant = (store: CheckpointStore) => CheckpointStore;

/** Stops at a call, goes on, and checks the result. */
export async function crashPipelineAt(call: number, kind: Kind, seed: number, plant?: CheckpointPlant): Promise<void> {
  const disk = new SimDisk();
  const random = new SeededRandom(seed);
  disk.crashAt = call;
  await runToEnd(disk, 1, plant);
  assert.ok(disk.isCrashed, 'the call is made');
  disk.restart(kind === 'kill' ? undefined : random);
  await runToEnd(disk, 2, plant);
  assert.ok(!disk.isCrashed);
  const { log } = await Rig.open(disk, WORKLOAD, 3);
  const results = recordsOf(log, log.topic('', 'out')!.partitions[0]!).map(({ value }) =>
    JSON.stringify(JSON.parse(value)),
  );
  assert.ok(results.length > 0, 'a result');
  assert.deepEqual([...new Set(results)], [RESULT], `crash at call ${call}, ${kind}`);
}

/** Appends what is not there yet while the pipeline runs, until it has ended or the machine has stopped. */
async function runToEnd(disk: SimDisk, seed: number, plant: CheckpointPlant = store => store): Promise<void> {
  try {
    const rig = await Rig.open(disk, WORKLOAD, seed);
    for (const name of ['in', 'out'])
      if (!rig.log.topic('', name)) await rig.log.createTopic('', name, 1, new Map([['retention.ms', '-1']]));
    if (recordsOf(rig.log, rig.partition('out', 0)).length > 0) return;
    const task = taskOf(rig, plant);
    let hasEnded = false;
    let failure: unknown;
    task.finished.then(
      () => {
        hasEnded = true;
      },
      (error: unknown) => {
        failure = error;
      },
    );
    await task.start();
    for (let round = 0; !hasEnded && !disk.isCrashed && failure === undefined; round++) {
      assert.ok(round < ROUNDS_MAX, 'it ends');
      const next = rig.partition('in', 0).syncedEnd;
      if (next < COUNT) await rig.append('in', 0, ...[next, next + 1].map(String));
      await rig.io.clock.pass(PACE_MS);
    }
    if (disk.isCrashed) await settle();
    else if (failure !== undefined) throw failure;
    else await rig.log.close();
  } catch (error) {
    if (!disk.isCrashed) throw error;
    await settle();
  }
}

function taskOf({ coordination, io, log }: Rig, plant: CheckpointPlant): Task {
  const { diagnostics, plan } = compileTql(new SourceText('<sim>', TEXT), builtins, { id: 'p', hasImplicitEnds: true });
  assert.deepEqual(
    diagnostics.filter(({ severity }) => severity === 'error'),
    [],
  );
  const creation = { isAllowed: false, partitions: 0 };
  const letters: DeadLetterStore = { write: ([letter]) => Promise.reject(new Error(letter!.message)) };
  const services = new Map<string, unknown>([
    [embeddedLog.name, embeddedLogOf(io, log, coordination, creation)],
    [deadLetterStore.name, letters],
  ]);
  return new Task(plan, {
    io,
    arena: ARENA,
    registry: builtins,
    service: <T>(token: ServiceToken<T>) => services.get(token.name) as T | undefined,
    checkpoints: plant(checkpointsOf(log, () => [])),
    warn: () => undefined,
  });
}
