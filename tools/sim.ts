/**
 * Simulated runs of broker, clients and pipelines under faults, each with a seed of its own.
 *
 *     npm run sim -- [--seed N] [--runs N | --seconds N | --hours N] [--faults MS]
 *
 * With `--seed` alone that one run; otherwise seeds from there on, or fresh ones, until the time is over. Prints of each run
 * its seed and the hash of all that happened, which is the same whenever a seed is run again; and what was violated. Ends with
 * 1 when anything was.
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { runScenario } from '../test/sim/scenario.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    runs: { type: 'string', default: '1' },
    seconds: { type: 'string' },
    hours: { type: 'string' },
    faults: { type: 'string', default: '20000' },
  },
});
const faultMs = Number(values.faults);
const seconds = values.hours === undefined ? Number(values.seconds ?? 0) : Number(values.hours) * 3_600;
const leastRuns = Number(values.runs);
let seed = values.seed === undefined ? randomBytes(4).readUInt32BE() : Number(values.seed);
if (![faultMs, seconds, leastRuns, seed].every(Number.isFinite))
  throw new Error('--seed, --runs, --seconds, --hours and --faults are numbers');
const end = performance.now() + seconds * 1_000;
const faults: Record<string, number> = {};
let runs = 0;
let failed = 0;
let acknowledged = 0;
const { gc } = globalThis as { gc?: () => void };

for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (error: unknown) => {
    process.stdout.write(`seed ${seed} ended with an error that nobody caught (--faults ${faultMs})\n`);
    process.stdout.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  });
}
process.stdout.write(`base seed ${seed}\n`);
do {
  const result = await runScenario({ seed, faultMs });
  runs++;
  acknowledged += result.acknowledged;
  for (const [kind, count] of Object.entries(result.faults)) faults[kind] = (faults[kind] ?? 0) + count;
  const hash = result.trace.toString(16).padStart(8, '0');
  gc?.();
  const heap = gc ? ` heap ${process.memoryUsage().heapUsed}` : '';
  process.stdout.write(`seed ${seed}: ${result.turns} turns, hash ${hash}${heap}\n`);
  if (result.violations.length > 0) {
    failed++;
    process.stdout.write(`seed ${seed} failed; again with: npm run sim -- --seed ${seed} --faults ${faultMs}\n`);
    for (const violation of result.violations) process.stdout.write(`  ${violation}\n`);
  }
  seed = (seed + 1) >>> 0;
} while (runs < leastRuns || performance.now() < end);
const listed = Object.entries(faults).map(([kind, count]) => `${count} × ${kind}`);
process.stdout.write(`${runs} runs, ${acknowledged} records acknowledged, ${failed} failed\n${listed.join(', ')}\n`);
process.exitCode = failed === 0 ? 0 : 1;
