/**
 * Crash points without exception: every workload stops at every changing call, by a kill and by losses of power under several
 * seeds, and ends at every sync that fails; and every recovery from there stops at every call of its own, by either.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { courseOf, crashAt, type CrashPoint, fillAt, type Kind } from './crash.ts';
import { type CheckpointPlant, crashPipelineAt, pipelineCalls } from './crash-pipeline.ts';
import { WORKLOADS } from './crash-workloads.ts';

const KINDS: readonly Kind[] = ['kill', 'power lost'];
const SEEDS = 4;

for (const workload of WORKLOADS) {
  test(`${workload.name}: every call, and every call of coming back`, async t => {
    const course = await courseOf(workload);
    let points = 0;
    const crash = (point: CrashPoint): Promise<number> => {
      points++;
      return crashAt(workload, course, point);
    };
    const crashes = async (call: number, kind: CrashPoint['kind'], seed: number): Promise<void> => {
      const calls = await crash({ call, kind, seed });
      for (let recoveryCall = 1; recoveryCall <= calls; recoveryCall++)
        for (const recoveryKind of KINDS) await crash({ call, kind, recoveryCall, recoveryKind, seed });
    };
    for (let call = 1; call <= course.calls; call++) {
      await crashes(call, 'kill', call);
      for (let seed = 0; seed < SEEDS; seed++) await crashes(call, 'power lost', call * 100 + seed);
    }
    for (let call = 1; call <= course.syncs; call++) await crashes(call, 'failed sync', call);
    t.diagnostic(`${points} crash points over ${course.calls} calls`);
    assert.ok(points > 10 * course.calls);
  });
}

for (const workload of WORKLOADS) {
  test(`${workload.name}: space that goes at any call refuses a step, changes nothing, and all goes on when it is back`, async () => {
    const course = await courseOf(workload);
    let refused = 0;
    for (let call = 1; call <= course.calls; call++) if (await fillAt(workload, course, call)) refused++;
    assert.ok(refused > course.calls / 4, `${refused} of ${course.calls}`);
  });
}

test('a pipeline with a state gives its exact result, whatever call its host stops at', async () => {
  const calls = await pipelineCalls();
  assert.ok(calls > 100);
  for (let call = 1; call <= calls; call++) {
    await crashPipelineAt(call, 'kill', call);
    for (let seed = 0; seed < SEEDS; seed++) await crashPipelineAt(call, 'power lost', call * 100 + seed);
  }
});

test('planted: positions that are kept without the state that belongs to them are found', async () => {
  const withoutStates: CheckpointPlant = store => {
    let before = {};
    return {
      load: id => store.load(id),
      save: (id, checkpoint) => {
        const { states } = checkpoint;
        const kept = { ...checkpoint, states: before };
        before = states;
        return store.save(id, kept);
      },
    };
  };
  let found = 0;
  const calls = await pipelineCalls();
  for (let call = 1; call <= calls; call++)
    await crashPipelineAt(call, 'kill', call, withoutStates).catch((error: unknown) => {
      if (!(error instanceof assert.AssertionError)) throw error;
      found++;
    });
  assert.ok(found > 10, `${found}`);
});
