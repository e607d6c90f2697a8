/**
 * What goes wrong in a run: of all kinds of faults the seed takes some (all of one run would hide what few of them show), and
 * one after the other happens until it is quiet.
 */
import type { Collectors } from './collector.ts';
import type { Actor, Run } from './run.ts';
import type { Server } from './server.ts';
import type { WallClock } from '../../src/testing/sim/world.ts';

const HOUR_MS = 3_600_000;
/** No clock is further off: retention would take what it is to keep. */
const WALL_MS_MAX = 60 * HOUR_MS;
const JUMPS_MS = [1_500, 10 * 60_000, 5 * HOUR_MS, 30 * HOUR_MS];
/** Some runs have little time between two faults. */
const PACES = [0.15, 0.5, 1, 1];
/** Longer than a session. */
const STOP_MS = 12_000;

export class Faults {
  private readonly run: Run;
  private readonly server: Server;
  private readonly actors: readonly Actor[];
  private readonly kinds: readonly (readonly [string, () => void])[];
  private readonly pace: number;

  constructor(run: Run, server: Server, actors: readonly Actor[], collectors: Collectors) {
    this.run = run;
    this.server = server;
    this.actors = actors;
    const { network, world } = run;
    const { random } = world;
    const { disk } = server;
    const within = (ms: number, call: () => void): void => void world.after(random.float() * ms, call);
    const all: Readonly<Record<string, () => void>> = {
      kill: () => server.crash('kill', false),
      'power lost': () => server.crash('power lost', true),
      'crash at a call': () => {
        disk.crashAt = disk.calls + 1 + random.below(30);
      },
      'failed sync': () => {
        disk.failSyncAt = disk.syncs + 1 + random.below(5);
      },
      'disk full': () => {
        disk.capacity = disk.usedBytes + random.below(3_000);
        within(3_000, () => {
          disk.capacity = Number.POSITIVE_INFINITY;
        });
      },
      'wrong bit': () => server.spoil(),
      cut: () => network.breakOne('cut'),
      mute: () => network.breakOne('mute'),
      deafen: () => network.breakOne('deafen'),
      stall: () => network.breakOne('stall'),
      'all stalled': () => network.breakAll('stall'),
      'network down': () => {
        network.isDown = true;
        within(2_000, () => {
          network.isDown = false;
        });
      },
      'connections lost and late': () => {
        network.isLossy = true;
        within(8_000, () => {
          network.isLossy = false;
        });
      },
      'clock jumped': () => this.jump(),
      'broker stopped': () => server.machine?.stop(random.float() * STOP_MS),
      'client stopped': () => this.anyActor().machine.stop(random.float() * STOP_MS),
      'client killed': () => this.anyActor().again(random.float() * 5_000),
      'collector anew': () => collectors.restart(),
    };
    const chosen = Object.entries(all).filter(() => random.float() < 0.5);
    this.pace = PACES[random.below(PACES.length)]!;
    this.kinds = chosen.length > 0 ? chosen : Object.entries(all);
  }

  schedule(): void {
    const { world } = this.run;
    world.after((200 + world.random.float() * 2_500) * this.pace, () => {
      if (this.run.isQuiet) return;
      const [kind, happen] = this.kinds[world.random.below(this.kinds.length)]!;
      if (!COUNTED_BY_THE_SERVER.has(kind)) this.run.note(kind);
      happen();
      this.schedule();
    });
  }

  private anyActor(): Actor {
    return this.actors[this.run.world.random.below(this.actors.length)]!;
  }

  private jump(): void {
    const { random } = this.run.world;
    const wall: WallClock = random.float() < 0.6 ? this.server.wall : this.anyActor().wall;
    const by = random.float() * JUMPS_MS[random.below(JUMPS_MS.length)]!;
    const offset = wall.offsetMs + (random.float() < 0.5 ? by : -by);
    wall.offsetMs = Math.max(-WALL_MS_MAX, Math.min(WALL_MS_MAX, offset));
  }
}

const COUNTED_BY_THE_SERVER = new Set(['kill', 'power lost', 'crash at a call']);
