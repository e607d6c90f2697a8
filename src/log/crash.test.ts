/**
 * Crashes: a small workload that touches everything the log writes is stopped at every changing I/O call, then the machine
 * comes back after a loss of power or a kill, may stop again while it recovers, and what is there is compared with what
 * had been acknowledged.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/index.ts';
import { SimDisk } from '../testing/sim/disk.ts';
import { type ManualIo, settle } from '../testing/sim/manual-io.ts';
import { batchOf, recordsOf } from '../testing/sim/records.ts';
import { checkLog } from './check.ts';
import type { Log } from './log.ts';
import { DIRECTORY, openLog, simIo } from './log-cases.ts';
import type { Partition } from './partition.ts';

const SETTINGS = { fileBytesMax: 1_200, unlinkDelayMs: 60_000, reserveBytes: 2_000 };
const ROUNDS = 16;
const PRODUCER = 7;

/** What was promised, and what was asked for. */
class Promises {
  /** Offset to value. */
  readonly plain = new Map<number, string>();
  readonly asked: string[] = [];
  /** Sequences of the idempotent producer: how many were acknowledged, how many asked for. */
  produced = 0;
  producing = 0;
  state = -1;
  stateAsked = -1;
  start = 0;
  startAsked = 0;
  hasTopic = false;
  clusterId = '';
}

/** Whatever it does stops at the crash; errors after that are expected, before it they are not. */
async function work(io: ManualIo, promises: Promises, rounds: number): Promise<void> {
  const log = await openLog(io, SETTINGS);
  if (promises.clusterId === '') promises.clusterId = log.clusterId;
  assert.equal(log.clusterId, promises.clusterId);
  const topic = log.topic('', 't') ?? (await log.createTopic('', 't', 2, new Map([['retention.ms', '-1']])));
  promises.hasTopic = true;
  const [plain, produced] = topic.partitions as [Partition, Partition];
  for (let i = 0; i < rounds; i++) {
    // Some batches span sectors, so that their middle can be missing.
    const value = `value ${promises.asked.length} ${'.'.repeat(i % 4 === 2 ? 1_500 : 0)}`;
    promises.asked.push(value);
    const sequence = promises.produced;
    promises.producing = Math.max(promises.producing, sequence + 1);
    const state = promises.state + 1;
    promises.stateAsked = Math.max(promises.stateAsked, state);
    await Promise.all([
      log.append(plain, batchOf([value])).then(({ baseOffset }) => {
        assert.ok(!promises.plain.has(baseOffset), 'an acknowledged offset was given out again');
        promises.plain.set(baseOffset, value);
      }),
      log.append(produced, batchOf([`sequence ${sequence}`], { id: PRODUCER, sequence })).then(() => {
        promises.produced = sequence + 1;
      }),
      log.change([{ table: 'test', key: 'state', value: Buffer.from(String(state)) }]).then(() => {
        promises.state = state;
      }),
    ]);
    if (i === 5) await moveStart(log, plain, promises);
    if (i === 3) await log.createTopic('', 'short-lived', 1);
    if (i === 6) await log.deleteTopic(log.topic('', 'short-lived')!);
  }
  await io.clock.pass(SETTINGS.unlinkDelayMs + 1);
  await log.close();
}

async function moveStart(log: Log, partition: Partition, promises: Promises): Promise<void> {
  promises.startAsked = partition.syncedEnd - 2;
  await log.setLogStart(partition, promises.startAsked);
  promises.start = promises.startAsked;
}

function verify(log: Log, promises: Promises): void {
  const topic = log.topic('', 't');
  assert.ok(topic || !promises.hasTopic, 'an acknowledged topic is gone');
  if (!topic) return;
  const [plain, produced] = topic.partitions as [Partition, Partition];
  assert.ok(plain.startOffset >= promises.start && plain.startOffset <= promises.startAsked);
  const found = recordsOf(log, plain).map(({ offset, value }) => [offset, value] as const);
  const byOffset = new Map(found);
  for (const [offset, value] of promises.plain) {
    if (offset >= plain.startOffset) assert.equal(byOffset.get(offset), value, `offset ${offset}`);
  }
  const order = found.map(([, value]) => promises.asked.indexOf(value));
  assert.deepEqual(
    order,
    [...new Set(order)].sort((a, b) => a - b),
    'each value once, in order',
  );
  const sequences = recordsOf(log, produced).map(({ value }) => value);
  assert.ok(sequences.length >= promises.produced && sequences.length <= promises.producing);
  assert.deepEqual(
    sequences,
    sequences.map((_, i) => `sequence ${i}`),
  );
  const state = Number(Buffer.from(log.states.get('test', 'state') ?? Buffer.from('-1')).toString());
  assert.ok(state >= promises.state && state <= promises.stateAsked, `state ${state}, promised ${promises.state}`);
}

async function ignoringCrash(disk: SimDisk, run: Promise<void>): Promise<void> {
  try {
    await run;
  } catch (error) {
    if (!disk.isCrashed && disk.failSyncAt === Number.POSITIVE_INFINITY) throw error;
  }
  await settle();
}

/** Comes back, perhaps with crashes on the way, checks, works on, and checks again after a clean close. */
async function comeBack(disk: SimDisk, promises: Promises, random: SeededRandom): Promise<void> {
  for (let tries = 0; tries < 2; tries++) {
    disk.restart(random.float() < 0.7 ? random : undefined);
    assert.deepEqual(
      checkLog(disk, DIRECTORY).findings.filter(({ kind }) => kind === 'damage'),
      [],
    );
    disk.crashAt = disk.calls + 1 + random.below(14);
    await ignoringCrash(
      disk,
      openLog(simIo(disk, random.uint32()), SETTINGS).then(log => verify(log, promises)),
    );
  }
  disk.restart(random);
  const log = await openLog(simIo(disk, random.uint32()), SETTINGS);
  verify(log, promises);
  // Begins a file, so that what comes next is known from its checkpoint.
  await log.change([{ table: 'test', key: 'other', value: Buffer.from('x') }]);
  await log.close();
  await work(simIo(disk, random.uint32()), promises, 3);
  disk.restart(random);
  const again = await openLog(simIo(disk, random.uint32()), SETTINGS);
  verify(again, promises);
  assert.equal(again.tornBytes, 0, 'a clean close leaves no tail');
  await again.close();
  assert.deepEqual(checkLog(disk, DIRECTORY).findings, []);
}

async function countCalls(): Promise<{ readonly calls: number; readonly syncs: number }> {
  const disk = new SimDisk();
  await work(simIo(disk), new Promises(), ROUNDS);
  return disk;
}

test('nothing acknowledged is lost when the machine stops at any I/O call', async () => {
  const { calls } = await countCalls();
  assert.ok(calls > 90, `${calls} calls`);
  for (let call = 1; call <= calls; call++) {
    for (let seed = 1; seed <= 3; seed++) {
      const disk = new SimDisk();
      const promises = new Promises();
      const random = new SeededRandom(call * 1_000 + seed);
      disk.crashAt = call;
      try {
        await ignoringCrash(disk, work(simIo(disk, seed), promises, ROUNDS));
        await comeBack(disk, promises, random);
      } catch (error) {
        throw new Error(`crash at call ${call}, seed ${seed}`, { cause: error });
      }
    }
  }
});

test('nothing acknowledged is lost when any sync fails', async () => {
  const { syncs } = await countCalls();
  for (let sync = 1; sync <= syncs; sync++) {
    const disk = new SimDisk();
    const promises = new Promises();
    const random = new SeededRandom(sync);
    disk.failSyncAt = sync;
    try {
      await ignoringCrash(disk, work(simIo(disk), promises, ROUNDS));
      // The process starts again over pages that the kernel takes for clean; only then the power goes.
      disk.restart();
      const log = await openLog(simIo(disk, 2), SETTINGS);
      verify(log, promises);
      await log.close();
      await comeBack(disk, promises, random);
    } catch (error) {
      throw new Error(`failure of sync ${sync}`, { cause: error });
    }
  }
});

test('a disk that fails in background work ends writing and says so; nothing is thrown at nobody', async () => {
  const disk = new SimDisk();
  const io = simIo(disk);
  const log = await openLog(io, { reserveBytes: 100_000 });
  const topic = await log.createTopic('', 't', 1);
  const fatal: string[] = [];
  log.onFatal = error => fatal.push(error.code);
  disk.capacity = disk.usedBytes;
  await assert.rejects(log.append(topic.partitions[0]!, batchOf(['x'.repeat(200_000)])));
  disk.capacity = Number.POSITIVE_INFINITY;
  const open = disk.open.bind(disk);
  disk.open = (path, mode) => {
    if (path.endsWith('/reserve')) throw Object.assign(new Error('EIO: input/output error'), { code: 'EIO' });
    return open(path, mode);
  };
  await io.clock.pass(5_000);
  assert.deepEqual(fatal, ['MR5010']);
  await assert.rejects(log.append(topic.partitions[0]!, batchOf(['y'])), { code: 'MR5010' });
});
