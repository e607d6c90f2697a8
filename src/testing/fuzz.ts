/**
 * Runs a step with seeded randomness until its time is over: 100 ms in the suite, `FUZZ_MS` for longer runs. A failure names
 * the seed of its step; `FUZZ_SEED` begins there.
 */
import { SeededRandom } from '../base/index.ts';
import { nodeIo } from '../base/io/node.ts';

/** For steps that wait. */
export async function fuzzAsync(
  seed: number,
  step: (random: SeededRandom, seed: number) => Promise<void>,
): Promise<void> {
  const { clock } = nodeIo();
  const end = clock.monotonic() + Number(process.env['FUZZ_MS'] ?? 100);
  for (let next = Number(process.env['FUZZ_SEED'] ?? seed); ; next++) {
    try {
      await step(new SeededRandom(next), next);
    } catch (error) {
      throw new Error(`FUZZ_SEED=${next}`, { cause: error });
    }
    if (clock.monotonic() >= end) return;
  }
}

export function fuzz(seed: number, step: (random: SeededRandom) => void): void {
  const { clock } = nodeIo();
  const end = clock.monotonic() + Number(process.env['FUZZ_MS'] ?? 100);
  for (let next = Number(process.env['FUZZ_SEED'] ?? seed); ; next++) {
    try {
      step(new SeededRandom(next));
    } catch (error) {
      throw new Error(`FUZZ_SEED=${next}`, { cause: error });
    }
    if (clock.monotonic() >= end) return;
  }
}
