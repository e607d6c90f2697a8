/**
 * Bugs planted on purpose, each with the violation that must be found: proof that the checks see what they are for. Every
 * invariant of `checks.ts` has one.
 */
import { SimDisk } from '../../src/testing/sim/disk.ts';
import { BatchHeader } from '../../src/wire/records/index.ts';
import type { Plant } from './run.ts';
import { runScenario } from './scenario.ts';

export interface PlantedBug {
  readonly what: string;
  readonly found: RegExp;
  readonly plant: Plant;
}

/** A disk that says it has synced and has not. */
class LyingDisk extends SimDisk {
  override open(...args: Parameters<SimDisk['open']>): ReturnType<SimDisk['open']> {
    const file = super.open(...args);
    file.sync = () => undefined;
    return file;
  }
}

/** A disk that writes a wrong bit now and then, and nobody knows. */
class RottingDisk extends SimDisk {
  private writes = 0;

  override open(...args: Parameters<SimDisk['open']>): ReturnType<SimDisk['open']> {
    const file = super.open(...args);
    const write = file.write.bind(file);
    file.write = (pieces, position) => {
      write(pieces, position);
      if (++this.writes % 200 === 0) this.flipBit(args[0], position + 30);
    };
    return file;
  }
}

/** Commits of groups go through it. */
const storing = (change: (offset: number) => number): Plant => ({
  broker: ({ coordination }) => {
    const store = coordination.store.bind(coordination);
    coordination.store = (namespace, group, offsets) =>
      store(
        namespace,
        group,
        offsets.map(entry => ({ ...entry, offset: change(entry.offset) })),
      );
  },
});

export const PLANTS: readonly PlantedBug[] = [
  // What is gone then is missed by the log itself.
  { what: 'a disk whose sync does nothing', found: /^I10: .* damage in /, plant: { disk: () => new LyingDisk() } },
  { what: 'a disk that writes wrong bits', found: /^I10: /, plant: { disk: () => new RottingDisk() } },
  {
    what: 'a broker that answers before the sync',
    found: /^I1: .* is lost/,
    plant: {
      broker: ({ log }) => {
        const append = log.append.bind(log);
        log.append = (partition, batch, ...rest) => {
          append(partition, batch, ...rest).catch(() => undefined);
          const { baseOffset } = new BatchHeader(batch);
          return Promise.resolve({ baseOffset, logAppendTimeMs: -1, isDuplicate: false });
        };
      },
    },
  },
  {
    what: 'a producer without sequences',
    found: /^I1: .* is there \d+ times/,
    plant: { producer: { isIdempotent: false } },
  },
  {
    what: 'a broker that does not look at sequences',
    found: /^I2: /,
    plant: {
      broker: ({ log }) => {
        const append = log.append.bind(log);
        log.append = (partition, ...rest) => {
          partition.producers.check = () => undefined;
          return append(partition, ...rest);
        };
      },
    },
  },
  {
    what: 'a broker that gives a batch under another offset',
    found: /^I3: .* was .* and is /,
    plant: {
      broker: ({ io, log }) => {
        const read = log.read.bind(log);
        log.read = (...args) => {
          const found = read(...args).map(bytes => Uint8Array.from(bytes));
          // No crc covers it.
          for (const bytes of found) if (io.random.float() < 0.01) new BatchHeader(bytes).baseOffset += 1;
          return found;
        };
      },
    },
  },
  {
    what: 'a group that forgets what was committed',
    found: /^I4: /,
    plant: storing(offset => offset % 50),
  },
  {
    what: 'a group whose commits run ahead of what was delivered',
    found: /^I5: .* is not in /,
    plant: storing(offset => offset + 3),
  },
  {
    what: 'a group whose commits run ahead of what was processed',
    found: /^I8: /,
    plant: storing(offset => offset + 3),
  },
  {
    what: 'a collector that forgets what it has acknowledged',
    found: /^I5: .* is not in collector/,
    plant: { isKept: random => random.float() > 0.001 },
  },
  {
    what: 'a partition that takes no more writes',
    found: /^I6: /,
    plant: {
      broker: ({ log }) => {
        const append = log.append.bind(log);
        let appends = 0;
        log.append = (partition, ...rest) => {
          if (++appends < 100 || partition.index === 0) return append(partition, ...rest);
          return new Promise(() => undefined);
        };
      },
    },
  },
  {
    what: 'a broker that leaves a batch out of an answer',
    found: /^I7: .* passed over/,
    plant: {
      broker: ({ io, log }) => {
        const read = log.read.bind(log);
        log.read = (...args) => {
          const found = read(...args);
          return found.length > 1 && io.random.float() < 0.01 ? found.slice(1) : found;
        };
      },
    },
  },
  {
    what: 'a slab that is held once too often',
    found: /^I9: \d+ slabs/,
    plant: {
      arena: arena => {
        const room = arena.room.bind(arena);
        let rooms = 0;
        arena.room = bytes => {
          const taken = room(bytes);
          if (++rooms === 50) taken.owner?.hold();
          return taken;
        };
      },
    },
  },
  {
    what: 'a topic that is not quite deleted',
    found: /^I11: /,
    plant: {
      broker: ({ log }) => {
        const create = log.createTopic.bind(log);
        const remove = log.deleteTopic.bind(log);
        const left = new Map<string, Uint8Array>();
        log.deleteTopic = topic => {
          const [partition] = topic.partitions;
          if (partition && partition.syncedEnd > 0)
            left.set(topic.name, Uint8Array.from(log.read(partition, 0, 1)[0]!));
          return remove(topic);
        };
        log.createTopic = async (namespace, name, ...rest) => {
          const topic = await create(namespace, name, ...rest);
          const batch = left.get(name);
          if (batch) await log.append(topic.partitions[0]!, batch);
          return topic;
        };
      },
    },
  },
];

/** The violations of the first run that shows the expected one; of all runs when none does. */
export async function violationsOf({ found: expected, plant }: PlantedBug): Promise<string[]> {
  const found: string[] = [];
  // The rarest shows in one run of five: any change of timing shifts in which.
  for (let seed = 1; seed <= 30 && !found.some(violation => expected.test(violation)); seed++) {
    found.push(...(await runScenario({ seed, faultMs: 20_000, plant })).violations);
  }
  return found;
}
