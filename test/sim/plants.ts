/** Bugs planted on purpose, each with the violation that must be found: proof that the checks see what they are for. */
import { SimDisk } from '../../src/testing/sim/disk.ts';
import { BatchHeader } from '../../src/wire/records/index.ts';
import { type Plant, runScenario } from './scenario.ts';

/** A disk that says it has synced and has not. */
class LyingDisk extends SimDisk {
  override open(...args: Parameters<SimDisk['open']>): ReturnType<SimDisk['open']> {
    const file = super.open(...args);
    file.sync = () => undefined;
    return file;
  }
}

export const PLANTS: readonly (readonly [string, RegExp, Plant])[] = [
  ['a disk whose sync does nothing', /^I[13]: /, { disk: () => new LyingDisk() }],
  [
    'a broker that answers before the sync',
    /^I1: .* is lost/,
    {
      broker: ({ log }) => {
        const append = log.append.bind(log);
        log.append = (partition, batch, ...rest) => {
          append(partition, batch, ...rest).catch(() => undefined);
          const { baseOffset } = new BatchHeader(batch);
          return Promise.resolve({ baseOffset, logAppendTimeMs: -1, isDuplicate: false });
        };
      },
    },
  ],
  ['a producer without sequences', /^I[12]: /, { producer: { isIdempotent: false } }],
  [
    'a group whose commits run ahead of what was delivered',
    /^I5: .* was not copied/,
    {
      broker: ({ coordination }) => {
        const store = coordination.store.bind(coordination);
        coordination.store = (namespace, group, offsets) =>
          store(
            namespace,
            group,
            offsets.map(entry => ({ ...entry, offset: entry.offset + 3 })),
          );
      },
    },
  ],
  [
    'a group that forgets what was committed',
    /^I4: /,
    {
      broker: ({ coordination }) => {
        const store = coordination.store.bind(coordination);
        coordination.store = (namespace, group, offsets) =>
          store(
            namespace,
            group,
            offsets.map(entry => ({ ...entry, offset: entry.offset % 50 })),
          );
      },
    },
  ],
];

/** The violations of the first run that shows the expected one; of all runs when none does. */
export async function violationsOf(expected: RegExp, plant: Plant): Promise<string[]> {
  const found: string[] = [];
  // The rarest shows in one run of five: any change of timing shifts in which.
  for (let seed = 1; seed <= 30 && !found.some(violation => expected.test(violation)); seed++) {
    found.push(...(await runScenario({ seed, faultMs: 20_000, plant })).violations);
  }
  return found;
}
