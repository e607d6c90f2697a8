/** Every call of every workload, once by a kill or by a loss of power; `crash.long.ts` does all of them, and all recoveries. */
import { test } from 'node:test';
import { courseOf, crashAt } from './crash.ts';
import { WORKLOADS } from './crash-workloads.ts';

for (const workload of WORKLOADS) {
  test(`${workload.name}: whatever call is the last one, what is there is as before or behind its step`, async () => {
    const course = await courseOf(workload);
    for (let call = 1; call <= course.calls; call++) {
      const first = call % 2 === 0 ? 'kill' : 'power lost';
      const second = call % 3 === 0 ? 'kill' : 'power lost';
      await crashAt(workload, course, {
        call,
        kind: first,
        recoveryCall: 1 + (call % 8),
        recoveryKind: second,
        seed: call,
      });
    }
  });
}

test('killed, and without power when it has just begun to come back: what it then does is as safe', async () => {
  for (const workload of WORKLOADS.filter(({ name }) => name === 'topics')) {
    const course = await courseOf(workload);
    for (let call = 1; call <= course.calls; call++)
      await crashAt(workload, course, { call, kind: 'kill', recoveryCall: 1, recoveryKind: 'power lost', seed: call });
  }
});
