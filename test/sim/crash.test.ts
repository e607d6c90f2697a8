/** Every call of every workload, once by a kill or by a loss of power; `crash.long.ts` does all of them, and all recoveries. */
import { test } from 'node:test';
import { courseOf, crashAt } from './crash.ts';
import { WORKLOADS } from './crash-workloads.ts';

for (const workload of WORKLOADS) {
  test(`${workload.name}: whatever call is the last one, what is there is as before or behind its step`, async () => {
    const course = await courseOf(workload);
    for (let call = 1; call <= course.calls; call++) {
      const kind = call % 2 === 0 ? 'kill' : 'power lost';
      await crashAt(workload, course, { call, kind, recoveryCall: 1 + (call % 8), recoveryKind: kind, seed: call });
    }
  });
}
