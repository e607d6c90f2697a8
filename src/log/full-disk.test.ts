/**
 * A disk that fills up at any call: what was acknowledged is kept and read, appends are refused with 56, and when there is
 * space again writing goes on without a restart.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError, SeededRandom } from '../base/index.ts';
import { SimDisk } from '../testing/sim/disk.ts';
import { type ManualIo, settle } from '../testing/sim/manual-io.ts';
import { batchOf, recordsOf } from '../testing/sim/records.ts';
import { checkLog } from './check.ts';
import type { Log } from './log.ts';
import { DIRECTORY, openLog, simIo } from './log-cases.ts';

const SETTINGS = { fileBytesMax: 1_200, unlinkDelayMs: 60_000, reserveBytes: 2_000 };
const ROUNDS = 8;
const STORAGE_ERROR = 56;

/** A workload whose refusals are expected, with what was promised. */
class Work {
  /** Offset to value. */
  readonly acknowledged = new Map<number, string>();
  produced = 0;
  refused = 0;
  state = -1;
  private values = 0;
  private readonly io: ManualIo;
  readonly log: Log;

  constructor(io: ManualIo, log: Log) {
    this.io = io;
    this.log = log;
  }

  get partitions() {
    return this.log.topic('', 't')?.partitions;
  }

  async round(): Promise<void> {
    const { log } = this;
    if (!log.topic('', 't')) await this.unlessFull(log.createTopic('', 't', 2, new Map([['retention.ms', '-1']])));
    const [plain, produced] = this.partitions ?? [];
    if (!plain || !produced) return;
    const value = `value ${this.values++} ${'.'.repeat(this.values % 3 === 0 ? 700 : 0)}`;
    const sequence = this.produced;
    const state = this.values;
    await Promise.all([
      this.unlessFull(
        log.append(plain, batchOf([value])).then(({ baseOffset }) => {
          assert.ok(!this.acknowledged.has(baseOffset), 'an offset was given out twice');
          this.acknowledged.set(baseOffset, value);
        }),
      ),
      this.unlessFull(
        log.append(produced, batchOf([`sequence ${sequence}`], { id: 7, sequence })).then(() => {
          this.produced = sequence + 1;
        }),
      ),
      this.unlessFull(
        log.change([{ table: 'test', key: 'state', value: Buffer.from(String(state)) }]).then(() => {
          this.state = state;
        }),
      ),
    ]);
    if (this.values === 4) await this.unlessFull(log.setLogStart(plain, Math.min(1, plain.syncedEnd)));
    await this.unlessFull(log.applyRetention());
    await this.io.clock.pass(300);
  }

  verify(log = this.log): void {
    const [plain, produced] = log.topic('', 't')?.partitions ?? [];
    assert.ok((plain && produced) || this.acknowledged.size === 0, 'the topic is gone');
    if (!plain || !produced) return;
    const found = new Map(recordsOf(log, plain).map(({ offset, value }) => [offset, value]));
    for (const [offset, value] of this.acknowledged) {
      if (offset >= plain.startOffset) assert.equal(found.get(offset), value);
    }
    const kept = [...this.acknowledged.keys()].filter(offset => offset >= plain.startOffset);
    assert.equal(found.size, kept.length, 'a refused record is there');
    const sequences = recordsOf(log, produced).map(({ value }) => value);
    assert.deepEqual(
      sequences,
      Array.from({ length: this.produced }, (_, i) => `sequence ${i}`),
    );
    if (this.state >= 0) assert.equal(Number(Buffer.from(log.states.get('test', 'state')!).toString()), this.state);
  }

  private async unlessFull(done: Promise<unknown>): Promise<void> {
    try {
      await done;
    } catch (error) {
      assert.ok(error instanceof MillraceError && error.code === 'MR5001', String(error));
      assert.equal(error.row.kafka, STORAGE_ERROR);
      this.refused++;
    }
  }
}

async function calls(): Promise<{ readonly opened: number; readonly all: number }> {
  const disk = new SimDisk();
  const io = simIo(disk);
  const log = await openLog(io, SETTINGS);
  const opened = disk.calls;
  const work = new Work(io, log);
  for (let i = 0; i < ROUNDS; i++) await work.round();
  assert.equal(work.refused, 0);
  await log.close();
  return { opened, all: disk.calls };
}

test('a disk that is full from any call on refuses, keeps, serves and resumes', async () => {
  const { all, opened } = await calls();
  assert.ok(all - opened > 40, `${all - opened} calls`);
  let refusals = 0;
  for (let call = opened + 1; call <= all; call++) {
    const disk = new SimDisk();
    const io = simIo(disk, call);
    const log = await openLog(io, SETTINGS);
    log.onFatal = error => assert.fail(error);
    const work = new Work(io, log);
    disk.fullAt = call;
    try {
      for (let i = 0; i < ROUNDS; i++) {
        await work.round();
        work.verify();
      }
      refusals += work.refused;
      if (call % 2 === 0) {
        disk.fullAt = Number.POSITIVE_INFINITY;
        await io.clock.pass(3_000);
        const before = work.refused;
        for (let i = 0; i < 3; i++) await work.round();
        assert.equal(work.refused, before, 'writing has not resumed');
        work.verify();
      }
      // Closed while the disk is full, or after: either way the next start has everything.
      await log.close();
      if (call % 3 === 0) disk.restart(new SeededRandom(call));
      disk.fullAt = Number.POSITIVE_INFINITY;
      const again = await openLog(simIo(disk, call + 1), SETTINGS);
      work.verify(again);
      await again.close();
      assert.deepEqual(checkLog(disk, DIRECTORY).findings, []);
    } catch (error) {
      throw new Error(`full from call ${call} on`, { cause: error });
    }
  }
  assert.ok(refusals > 100);
});

test('a start on a full disk works, or says so and leaves nothing running', async () => {
  const disk = new SimDisk();
  const io = simIo(disk);
  const work = new Work(io, await openLog(io, SETTINGS));
  for (let i = 0; i < 4; i++) await work.round();
  // Killed: the next start has a tail to write again and a file to seal.
  const { calls: before } = disk;
  for (let call = before; call < before + 16; call++) {
    const copy = disk.copy();
    copy.calls = before;
    copy.restart();
    copy.fullAt = call;
    const again = simIo(copy, call);
    const log = await openLog(again, SETTINGS).catch((error: unknown) => {
      assert.ok(error instanceof Error && 'code' in error && /MR5001|ENOSPC/.test(String(error.code)), String(error));
      return undefined;
    });
    if (log) {
      work.verify(log);
      await assert.rejects(log.append(log.topic('', 't')!.partitions[0]!, batchOf(['x'.repeat(5_000)])), {
        code: 'MR5001',
      });
      await log.close();
    }
    copy.fullAt = Number.POSITIVE_INFINITY;
    copy.restart(new SeededRandom(call));
    const later = await openLog(simIo(copy, call), SETTINGS);
    work.verify(later);
    await later.close();
  }
  await settle();
});

test('killed, started on a full disk and killed again: what that leaves is not taken for damage', async () => {
  const { all, opened } = await calls();
  let starts = 0;
  for (let call = opened + 1; call <= all; call++) {
    const disk = new SimDisk();
    const io = simIo(disk, call);
    const work = new Work(io, await openLog(io, SETTINGS));
    disk.crashAt = call;
    let isOver = false;
    const rounds = async (): Promise<void> => {
      for (let i = 0; i < ROUNDS; i++) await work.round();
    };
    void rounds()
      .catch(() => undefined)
      .finally(() => {
        isOver = true;
      });
    while (!isOver && !disk.isCrashed) await settle();
    await settle();
    disk.restart();
    // A name may still be made, but nothing is written behind it.
    disk.capacity = disk.usedBytes;
    const full = await openLog(simIo(disk, 2), SETTINGS).catch(() => undefined);
    const partition = full?.topic('', 't')?.partitions[0];
    if (partition) {
      starts++;
      await assert.rejects(full!.append(partition, batchOf(['x'.repeat(5_000)])), { code: 'MR5001' });
    }
    disk.restart();
    disk.capacity = Number.POSITIVE_INFINITY;
    const later = await openLog(simIo(disk, 3), SETTINGS);
    const kept = later.topic('', 't')?.partitions[0];
    const found = new Map((kept ? recordsOf(later, kept) : []).map(({ offset, value }) => [offset, value]));
    for (const [offset, value] of work.acknowledged)
      if (offset >= kept!.startOffset) assert.equal(found.get(offset), value, `killed at call ${call}`);
    await later.close();
  }
  assert.ok(starts > 10, `${starts}`);
});
