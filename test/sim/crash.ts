/**
 * Crash points: small workloads over log and coordination that stop at every changing I/O call, by a kill or by a loss of
 * power, or that end because a sync fails; come back, and may stop again at every call of coming back.
 *
 * A workload is a list of steps, each of which changes one thing durably or nothing. A first run without a crash keeps what
 * is there before and behind each step. A run that stops within step i must come back as before it or as behind it, and as
 * nothing else; then it goes on to the end, which is the same as without a crash.
 *
 *   … step i-1 ─► step i ──✗ crash at call c ─► recovery ──✗ crash at call r ─► recovery ─► compare ─► step i or i+1 … end
 *
 * Invariants
 * I1 what a step has acknowledged is there after any crash; what was interrupted is there whole or not at all.
 * I2 coming back needs no second attempt, and finds no damage, however often it was interrupted itself.
 */
import assert from 'node:assert/strict';
import { SeededRandom } from '../../src/base/index.ts';
import { Coordination } from '../../src/coordination/index.ts';
import { checkLog } from '../../src/log/check.ts';
import { DIRECTORY, openLog, simIo } from '../../src/log/log-cases.ts';
import type { Log, LogSettings, Partition, Topic } from '../../src/log/index.ts';
import { SimDisk } from '../../src/testing/sim/disk.ts';
import { type ManualIo, settle } from '../../src/testing/sim/manual-io.ts';
import { batchOf, recordsOf } from '../../src/testing/sim/records.ts';

/** After that a log has seen that there is space again. */
const SPACE_SEEN_MS = 5_000;
/** From one look at what retention may take to the next. */
const RETENTION_MS = 30_000;

export interface Step {
  readonly name: string;
  run(rig: Rig): Promise<unknown>;
}

export interface Workload {
  readonly name: string;
  readonly settings: Partial<LogSettings>;
  readonly steps: readonly Step[];
}

export type Kind = 'kill' | 'power lost';

export interface CrashPoint {
  /** Changing call at which it stops; of a failed sync, the number of that. */
  readonly call: number;
  readonly kind: Kind | 'failed sync';
  /** Call of the recovery at which it stops again; beyond its calls it does not. */
  readonly recoveryCall?: number;
  readonly recoveryKind?: Kind;
  readonly seed: number;
}

/** A process over a disk. */
export class Rig {
  readonly io: ManualIo;
  readonly log: Log;
  readonly coordination: Coordination;

  private constructor(io: ManualIo, log: Log) {
    this.io = io;
    this.log = log;
    this.coordination = new Coordination(io, log);
  }

  static async open(disk: SimDisk, workload: Workload, seed: number, time?: number): Promise<Rig> {
    const io = simIo(disk, seed);
    if (time !== undefined) io.clock.time = time;
    return new Rig(io, await openLog(io, workload.settings));
  }

  topic(name: string): Topic {
    const topic = this.log.topic('', name);
    assert.ok(topic, `topic ${name}`);
    return topic;
  }

  partition(name: string, index: number): Partition {
    return this.topic(name).partitions[index]!;
  }

  append(name: string, index: number, ...values: string[]): Promise<unknown> {
    return this.log.append(this.partition(name, index), batchOf(values));
  }

  produce(name: string, index: number, id: number, sequence: number, value: string): Promise<unknown> {
    return this.log.append(this.partition(name, index), batchOf([value], { id, sequence }));
  }

  /** What is there, apart from ids that chance has given, and from epochs, of which a refused try may take one. */
  get snapshot(): string {
    const { log } = this;
    const names = new Map(this.coordination.transactions.list('').map(({ id, producer }) => [producer.producerId, id]));
    const topics = [...log.topics()].map(({ configs, name, partitions }) => ({
      name,
      configs: [...configs],
      partitions: partitions.map(partition => ({
        start: partition.startOffset,
        end: partition.syncedEnd,
        lastStable: partition.lastStableOffset,
        aborted: partition.transactions
          .abortedIn(0, partition.syncedEnd)
          .map(({ firstOffset, lastOffset }) => [firstOffset, lastOffset]),
        records: recordsOf(log, partition).map(({ offset, value }) => `${offset} ${value}`),
        // One whose first batch was refused is remembered for its sequence.
        producers: [...partition.producers.stored()]
          .filter(({ batches }) => batches.length > 0)
          .map(({ batches, epoch, expectedSequence, producerId }) => [
            names.get(producerId) ?? [producerId, epoch],
            expectedSequence,
            batches.map(({ baseOffset, firstSequence, lastSequence }) => [baseOffset, firstSequence, lastSequence]),
          ]),
      })),
    }));
    const texts = (table: string): string[] =>
      [...log.states.entries(table)].map(([key, value]) => `${key} ${Buffer.from(value).toString()}`).sort();
    const offsets = [...log.states.entries('offsets')].map(([key, value]) => {
      const { offset } = JSON.parse(Buffer.from(value).toString()) as { offset: number };
      return `${key} ${offset}`;
    });
    const transactions = [...log.states.entries('transactions')].map(([key, value]) => {
      const row = JSON.parse(Buffer.from(value).toString()) as Readonly<Record<string, unknown>>;
      return [key, row['state'], row['partitions'], row['groups'], row['offsets']];
    });
    topics.sort((a, b) => (a.name < b.name ? -1 : 1));
    return JSON.stringify({ topics, states: texts('test'), offsets: offsets.sort(), transactions }, null, 1);
  }
}

/** What is there before the first step and behind each of them, and the calls that it took. */
export interface Course {
  readonly snapshots: readonly string[];
  readonly calls: number;
  readonly syncs: number;
}

export async function courseOf(workload: Workload): Promise<Course> {
  const disk = new SimDisk();
  const rig = await Rig.open(disk, workload, 1);
  const snapshots = [rig.snapshot];
  for (const step of workload.steps) {
    await step.run(rig);
    snapshots.push(rig.snapshot);
  }
  return { snapshots, calls: disk.calls, syncs: disk.syncs };
}

/** Stops at the point, comes back, compares, and goes on to the end. Tells how many calls coming back took. */
export async function crashAt(workload: Workload, course: Course, point: CrashPoint): Promise<number> {
  try {
    return await stopAndGoOn(workload, course, point);
  } catch (error) {
    throw new Error(`${workload.name}, ${JSON.stringify(point)}`, { cause: error });
  }
}

async function stopAndGoOn(workload: Workload, course: Course, point: CrashPoint): Promise<number> {
  const { call, kind, recoveryCall = Number.POSITIVE_INFINITY, recoveryKind = 'kill', seed } = point;
  const disk = new SimDisk();
  const random = new SeededRandom(seed);
  if (kind === 'failed sync') disk.failSyncAt = call;
  else disk.crashAt = call;
  const { done, time } = await untilCrash(disk, workload);
  assert.ok(hasStopped(disk), 'the call is made');
  await restart(disk, kind, random);
  const before = disk.calls;
  disk.crashAt = before + recoveryCall;
  let rig = await comeBack(disk, workload, time);
  const calls = disk.calls - before;
  if (!rig) {
    await restart(disk, recoveryKind, random);
    rig = await comeBack(disk, workload, time);
  }
  assert.ok(rig, 'it comes back');
  const { snapshot } = rig;
  const candidates = [course.snapshots[done], course.snapshots[done + 1]];
  const found = candidates.lastIndexOf(snapshot);
  if (found < 0) assert.equal(snapshot, candidates[0], `neither before nor behind step ${done}`);
  for (const step of workload.steps.slice(done + found)) await step.run(rig);
  assert.equal(rig.snapshot, course.snapshots.at(-1), 'the end is another one');
  await rig.log.close();
  assert.deepEqual(checkLog(disk, DIRECTORY).findings, []);
  return calls;
}

/**
 * From a call on there is no space, until a step is refused for it: that changes nothing, and with space again it is done
 * without a restart. Tells whether any was refused.
 */
export async function fillAt(workload: Workload, course: Course, call: number): Promise<boolean> {
  const disk = new SimDisk();
  disk.fullAt = call;
  let isRefused = false;
  const rig = await Rig.open(disk, workload, 1).catch((error: unknown) => {
    if (disk.calls < call) throw error;
    isRefused = true;
    disk.fullAt = Number.POSITIVE_INFINITY;
    return Rig.open(disk, workload, 1);
  });
  for (const [i, step] of workload.steps.entries()) {
    try {
      await step.run(rig);
    } catch (error) {
      if (disk.calls < call || isRefused) throw error;
      assert.equal(rig.snapshot, course.snapshots[i], `${step.name} was refused, and something has changed`);
      isRefused = true;
      disk.fullAt = Number.POSITIVE_INFINITY;
      await rig.io.clock.pass(SPACE_SEEN_MS);
      await step.run(rig);
    }
    if (rig.snapshot !== course.snapshots[i + 1] && disk.calls >= call && !isRefused) {
      // It was refused to work that nobody waits for, which is done again.
      disk.fullAt = Number.POSITIVE_INFINITY;
      await rig.io.clock.pass(SPACE_SEEN_MS + RETENTION_MS);
    }
    assert.equal(rig.snapshot, course.snapshots[i + 1], `${step.name}, space having gone at call ${call}`);
  }
  disk.fullAt = Number.POSITIVE_INFINITY;
  await rig.log.close();
  assert.deepEqual(checkLog(disk, DIRECTORY).findings, []);
  return isRefused;
}

/** Runs into the crash. Steps that were done before it, of which none is taken back. */
async function untilCrash(disk: SimDisk, workload: Workload): Promise<{ done: number; time: number | undefined }> {
  const rig = await orCrash(disk, Rig.open(disk, workload, 1));
  if (!rig) return { done: 0, time: undefined };
  let done = 0;
  for (const step of workload.steps) {
    const isDone = await orCrash(
      disk,
      step.run(rig).then(() => true),
    );
    // Behind the last call of a step that had been acknowledged before it.
    if (!isDone) break;
    done++;
  }
  return { done, time: rig.io.clock.time };
}

/** Undefined when the machine stopped meanwhile. */
async function orCrash<T>(disk: SimDisk, promise: Promise<T>): Promise<T | undefined> {
  let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
  promise.then(
    value => {
      outcome = { value };
    },
    (error: unknown) => {
      outcome = { error };
    },
  );
  while (!outcome && !hasStopped(disk)) await settle();
  if (hasStopped(disk)) await settle();
  if (outcome && 'value' in outcome) return outcome.value;
  if (!hasStopped(disk)) throw (outcome as { readonly error: unknown }).error;
  return undefined;
}

/** Behind a sync that failed nothing is written any more: the process ends. */
function hasStopped(disk: SimDisk): boolean {
  return disk.isCrashed || disk.syncs >= disk.failSyncAt;
}

async function restart(disk: SimDisk, kind: CrashPoint['kind'], random: SeededRandom): Promise<void> {
  await settle();
  disk.restart(kind === 'power lost' ? random : undefined);
  assert.deepEqual(
    checkLog(disk.copy(), DIRECTORY).findings.filter(finding => finding.kind === 'damage'),
    [],
  );
}

async function comeBack(disk: SimDisk, workload: Workload, time: number | undefined): Promise<Rig | undefined> {
  const rig = await orCrash(disk, Rig.open(disk, workload, 2, time));
  // It may have stopped when it was just back.
  if (disk.isCrashed) return undefined;
  disk.crashAt = Number.POSITIVE_INFINITY;
  return rig;
}
