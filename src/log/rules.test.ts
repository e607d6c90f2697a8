/**
 * Rules of the log one by one, on a disk and a clock of the test's own: what the sync decides, group commit, topics and their
 * files, retention by time, producers.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InlineThreads, type Io } from '../base/index.ts';
import { SimDisk } from '../testing/sim/disk.ts';
import { type ManualIo, settle } from '../testing/sim/manual-io.ts';
import { batchOf, recordsOf } from '../testing/sim/records.ts';
import { BatchHeader } from '../wire/records/index.ts';
import { checkLog } from './check.ts';
import { Log } from './log.ts';
import { DIRECTORY, openLog, simIo } from './log-cases.ts';
import { logThreads } from './threads.ts';

const KEEP_ALL = new Map([['retention.ms', '-1']]);

/** Messages between the threads wait until they are let through. */
function heldIo(): { readonly io: Io; letThrough(): Promise<void> } {
  const held: (() => void)[] = [];
  const threads = new InlineThreads(logThreads, call => held.push(call));
  const io: Io = { ...simIo(), threads };
  threads.io = io;
  return {
    io,
    letThrough: async () => {
      await settle();
      while (held.length > 0) {
        held.shift()!();
        await settle();
      }
    },
  };
}

test('nothing is answered, read or seen before the sync, a repeated batch neither', async () => {
  const { io, letThrough } = heldIo();
  const opening = Log.open(io, { directory: DIRECTORY, reserveBytes: 0 });
  await letThrough();
  const log = await opening;
  const creating = log.createTopic('', 't', 1);
  await settle();
  assert.equal(log.topic('', 't'), undefined);
  await letThrough();
  const [partition] = (await creating).partitions;
  const answered: string[] = [];
  let woken = 0;
  partition!.whenBehind(0, () => woken++);
  for (const name of ['first', 'again']) {
    log
      .append(partition!, batchOf(['a'], { id: 3, sequence: 0 }))
      .then(({ baseOffset }) => answered.push(`${name} ${baseOffset}`), assert.fail);
  }
  const change = log.change([{ table: 'x', key: 'k', value: Buffer.from('v') }]).then(() => answered.push('state'));
  await settle();
  assert.deepEqual([answered, woken, partition!.syncedEnd], [[], 0, 0]);
  assert.deepEqual(log.locate(partition!, 0, 1_000), []);
  assert.equal(log.states.get('x', 'k'), undefined);
  await letThrough();
  await change;
  assert.deepEqual([answered, woken, partition!.syncedEnd], [['first 0', 'again 0', 'state'], 1, 1]);
  assert.equal(recordsOf(log, partition!).length, 1);
  const closing = log.close();
  await letThrough();
  await closing;
});

test('what comes while a sync runs shares the next frame, batches of a partition side by side', async () => {
  const { io, letThrough } = heldIo();
  const opening = Log.open(io, { directory: DIRECTORY, reserveBytes: 0 });
  await letThrough();
  const log = await opening;
  const creating = log.createTopic('', 't', 4);
  await letThrough();
  const { partitions } = await creating;
  const { frames } = log.stats;
  const appends = [log.append(partitions[0]!, batchOf(['first']))];
  await settle();
  for (let i = 0; i < 200; i++) appends.push(log.append(partitions[i % 4]!, batchOf([`${i}`])));
  await letThrough();
  await Promise.all(appends);
  assert.equal(log.stats.frames, frames + 2);
  assert.equal(log.locate(partitions[1]!, 0, 1_000_000).length, 1, 'one piece of the file');
  const closing = log.close();
  await letThrough();
  await closing;
});

test('topics of one name in two namespaces have nothing in common', async () => {
  const io = simIo();
  let log = await openLog(io);
  const [mine, yours] = [await log.createTopic('', 't', 1), await log.createTopic('project', 't', 2)];
  await assert.rejects(log.createTopic('project', 't', 1), { code: 'MR5007' });
  assert.notEqual(mine.id, yours.id);
  await log.append(yours.partitions[0]!, batchOf(['yours']));
  await log.deleteTopic(mine);
  await log.close();
  log = await openLog(simIo(io.files));
  assert.equal(log.topic('', 't'), undefined);
  assert.equal(recordsOf(log, log.topic('project', 't')!.partitions[0]!)[0]!.value, 'yours');
  assert.equal(log.topicById(yours.id), log.topic('project', 't'));
  await log.close();
});

test('two who create the same topic at once: one does, the other is told', async () => {
  const log = await openLog(simIo());
  const both = await Promise.allSettled([log.createTopic('', 't', 1), log.createTopic('', 't', 2)]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  assert.equal(log.topic('', 't')!.partitions.length, 1);
  await log.close();
});

test('files of a deleted topic are unlinked after the grace, so that running reads finish', async () => {
  const io = simIo();
  const log = await openLog(io, { fileBytesMax: 2_000, unlinkDelayMs: 60_000 });
  const [gone, kept] = [await log.createTopic('', 'gone', 1, KEEP_ALL), await log.createTopic('', 'kept', 1, KEEP_ALL)];
  for (let i = 0; i < 12; i++) await log.append(gone.partitions[0]!, batchOf(['x'.repeat(400)]));
  const files = journal(io);
  assert.ok(files.length > 2);
  const [extent] = log.locate(gone.partitions[0]!, 0, 1);
  await log.append(kept.partitions[0]!, batchOf(['kept']));
  await log.deleteTopic(gone);
  await assert.rejects(log.append(gone.partitions[0]!, batchOf(['late'])), { code: 'MR5009' });
  await io.clock.pass(59_000);
  assert.ok(io.files.exists(extent!.path), 'within the grace');
  await io.clock.pass(2_000);
  assert.ok(!io.files.exists(extent!.path), 'behind it');
  assert.ok(journal(io).length < files.length);
  assert.equal(recordsOf(log, kept.partitions[0]!)[0]!.value, 'kept');
  await log.close();
});

test('a deletion whose grace a kill cut short is finished by the next start', async () => {
  const io = simIo();
  const log = await openLog(io, { fileBytesMax: 2_000 });
  const gone = await log.createTopic('', 'gone', 1, KEEP_ALL);
  for (let i = 0; i < 12; i++) await log.append(gone.partitions[0]!, batchOf(['x'.repeat(400)]));
  const before = journal(io).length;
  await log.deleteTopic(gone);
  await settle();
  io.files.restart();
  const again = await openLog(simIo(io.files));
  assert.ok(journal(io).length < before);
  await again.close();
});

function journal(io: ManualIo): string[] {
  return io.files.list(DIRECTORY).filter(name => name.endsWith('.mrj'));
}

test('retention by time takes whole old batches, in the active file too, and the file with the last of them', async () => {
  const io = simIo();
  const log = await openLog(io, { retentionCheckMs: 30_000, unlinkDelayMs: 0 });
  const day = 86_400_000;
  const { partitions } = await log.createTopic('', 't', 2, new Map([['retention.ms', String(day)]]));
  const [timed, untimed] = partitions;
  const now = io.clock.now();
  await log.append(timed!, batchOf(['old'], {}, now - 2 * day));
  await log.append(timed!, batchOf(['mixed', 'with a new one'], {}, [now - 2 * day, now]));
  await log.append(timed!, batchOf(['old behind a new one'], {}, now - 2 * day));
  await log.append(untimed!, batchOf(['without a time'], {}, -1));
  await io.clock.pass(31_000);
  assert.deepEqual([timed!.startOffset, untimed!.startOffset], [1, 0]);
  assert.equal(log.offsetForTime(untimed!, 0), undefined, 'no record has a time');
  assert.equal(log.maxTimestamp(untimed!), undefined);
  const [first] = journal(io);
  await io.clock.pass(day);
  assert.deepEqual([timed!.startOffset, untimed!.startOffset], [4, 1], 'the last by when it came');
  await log.append(timed!, batchOf(['next'], {}, io.clock.now()));
  await io.clock.pass(61_000);
  assert.ok(!journal(io).includes(first!), 'nobody needs the file');
  assert.equal(recordsOf(log, timed!)[0]!.offset, 4);
  await log.close();
});

test('a topic that is only compacted keeps what is old', async () => {
  const io = simIo();
  const log = await openLog(io);
  const configs = new Map([
    ['retention.ms', '1000'],
    ['cleanup.policy', 'compact'],
  ]);
  const [partition] = (await log.createTopic('', 't', 1, configs)).partitions;
  await log.append(partition!, batchOf(['old'], {}, 1_000));
  await log.applyRetention();
  assert.equal(partition!.startOffset, 0);
  await log.close();
});

test('a producer is forgotten a day after it was heard of last, and then any sequence is its first', async () => {
  const io = simIo();
  const log = await openLog(io);
  const [partition] = (await log.createTopic('', 't', 1, KEEP_ALL)).partitions;
  await log.append(partition!, batchOf(['a'], { id: 1, sequence: 0 }));
  await io.clock.pass(80_000_000);
  await assert.rejects(log.append(partition!, batchOf(['gap'], { id: 1, sequence: 7 })), { code: 'MR5005' });
  await log.append(partition!, batchOf(['b'], { id: 1, sequence: 1 }));
  await io.clock.pass(80_000_000);
  assert.equal(partition!.producers.size, 1, 'heard of in between');
  await io.clock.pass(7_000_000);
  assert.equal(partition!.producers.size, 0);
  await log.append(partition!, batchOf(['c'], { id: 1, sequence: 7 }));
  await log.close();
});

test('producer ids that a peer makes up fill no memory: the longest unheard goes first', async () => {
  const io = simIo();
  const log = await openLog(io);
  const [partition] = (await log.createTopic('', 't', 1, KEEP_ALL)).partitions;
  const ids = Array.from({ length: 10_050 }, (_, id) => id);
  for (let from = 0; from < ids.length; from += 1_000) {
    const some = ids.slice(from, from + 1_000);
    await Promise.all(some.map(id => log.append(partition!, batchOf(['x'], { id, sequence: 0 }))));
  }
  assert.equal(partition!.producers.size, 10_000);
  const repeated = await log.append(partition!, batchOf(['x'], { id: 10_049, sequence: 0 }));
  assert.equal(repeated.baseOffset, 10_049, 'the newest is known');
  const forgotten = await log.append(partition!, batchOf(['x'], { id: 0, sequence: 0 }));
  assert.equal(forgotten.baseOffset, 10_050, 'the oldest is not');
  await log.close();
});

test('the last five batches of a producer are known across files and starts, by epoch', async () => {
  const io = simIo();
  let log = await openLog(io, { fileBytesMax: 1_000 });
  let [partition] = (await log.createTopic('', 't', 1, KEEP_ALL)).partitions;
  for (let sequence = 0; sequence < 9; sequence++) {
    await log.append(partition!, batchOf([`${sequence}`.padEnd(200, '.')], { id: 4, epoch: 2, sequence }));
  }
  for (let start = 0; start < 3; start++) {
    if (start === 1) await log.close();
    if (start === 2) io.files.restart();
    if (start > 0) log = await openLog(simIo(io.files), { fileBytesMax: 1_000 });
    [partition] = log.topic('', 't')!.partitions;
    for (let sequence = 4; sequence < 9; sequence++) {
      const { baseOffset } = await log.append(partition!, batchOf([`${sequence}`], { id: 4, epoch: 2, sequence }));
      assert.equal(baseOffset, sequence);
    }
    await assert.rejects(log.append(partition!, batchOf(['3'], { id: 4, epoch: 2, sequence: 3 })), { code: 'MR5005' });
    await assert.rejects(log.append(partition!, batchOf(['9'], { id: 4, epoch: 1, sequence: 9 })), { code: 'MR5006' });
  }
  assert.equal(partition!.syncedEnd, 9);
  await log.close();
});

test('producer ids and topic ids are given out once, whatever stops in between', async () => {
  const disk = new SimDisk();
  const ids = new Set<number>();
  const topics = new Set<string>();
  for (let start = 0; start < 5; start++) {
    const log = await openLog(simIo(disk, start + 1));
    for (let i = 0; i < 30; i++) ids.add(await log.newProducerId());
    const topic = await log.createTopic('', 't', 1);
    topics.add(topic.id);
    await log.deleteTopic(topic);
    disk.restart();
  }
  assert.equal(ids.size, 150);
  assert.equal(topics.size, 5);
});

test('every batch carries the leader epoch of its partition, which is read back with it', async () => {
  const io = simIo();
  const log = await openLog(io);
  const [partition] = (await log.createTopic('', 't', 1)).partitions;
  const batch = batchOf(['x']);
  new BatchHeader(batch).partitionLeaderEpoch = 77;
  await log.append(partition!, batch);
  const [bytes] = log.read(partition!, 0, 1);
  assert.equal(new BatchHeader(bytes!).partitionLeaderEpoch, partition!.leaderEpoch);
  const path = `${DIRECTORY}/${journal(io).at(-1)!}`;
  const at = Buffer.from(io.files.readFile(path)).lastIndexOf(Buffer.from(bytes!.subarray(0, 40)));
  io.files.flipBit(path, at + 15, 0);
  assert.throws(() => log.read(partition!, 0, 1), /another leader epoch/);
  await log.close();
});

test('a state that has outgrown a file is not written again with every commit', async () => {
  const io = simIo();
  const log = await openLog(io, { fileBytesMax: 2_000 });
  const value = Buffer.alloc(500, 1);
  await log.change(Array.from({ length: 20 }, (_, i) => ({ table: 'big', key: `${i}`, value })));
  const { writtenBytes } = log.stats;
  for (let i = 0; i < 100; i++) await log.change([{ table: 'small', key: 'k', value: Buffer.alloc(100, i) }]);
  const written = log.stats.writtenBytes - writtenBytes;
  assert.ok(written < 100 * 200 * 3, `${written} bytes for 100 changes of 100`);
  await log.close();
});

test('a check while the log goes on writing and unlinking finds nothing wrong', async () => {
  const io = simIo();
  const log = await openLog(io, { fileBytesMax: 2_000, unlinkDelayMs: 0 });
  const gone = await log.createTopic('', 'gone', 1, KEEP_ALL);
  for (let i = 0; i < 12; i++) await log.append(gone.partitions[0]!, batchOf(['x'.repeat(400)]));
  const before = io.files.copy();
  await log.deleteTopic(gone);
  await settle();
  await io.clock.pass(1_000);
  assert.ok(journal(io).length < 3, 'files are gone');
  await log.change([{ table: 'x', key: 'k', value: Buffer.from('v') }]);
  for (const calls of [1, 2, 3, 5, 8, 13]) {
    // What the check sees of a disk that changes after some of its calls.
    let left = calls;
    const files = new Proxy(before, {
      get: (_target, name) => {
        const now = left-- > 0 ? before : io.files;
        const value: unknown = Reflect.get(now, name, now);
        return typeof value === 'function' ? value.bind(now) : value;
      },
    });
    const findings = checkLog(files, DIRECTORY).findings.filter(({ kind }) => kind !== 'torn tail');
    assert.deepEqual(findings, [], `changed after ${calls} calls`);
  }
  await log.close();
});

test('a commit thread that ends by itself is fatal: what waits is refused, nothing waits for ever', async () => {
  const manual = simIo();
  let end: (error: Error | undefined) => void = () => undefined;
  const threads = {
    cores: 1,
    start: (...args: Parameters<Io['threads']['start']>) => {
      const thread = manual.threads.start(...args);
      return {
        ...thread,
        // Deaf from the moment it is told to be.
        post: (message: unknown) => (isDeaf ? undefined : thread.post(message)),
        onExit: (handler: typeof end) => {
          end = handler;
        },
      };
    },
  };
  let isDeaf = false;
  const log = await Log.open({ ...manual, threads }, { directory: DIRECTORY, reserveBytes: 0 });
  const [partition] = (await log.createTopic('', 't', 1)).partitions;
  const fatal: string[] = [];
  log.onFatal = error => fatal.push(error.message);
  isDeaf = true;
  const waiting = [log.append(partition!, batchOf(['a'])), log.append(partition!, batchOf(['b']))];
  await settle();
  end(new Error('out of memory'));
  for (const append of waiting) await assert.rejects(append, { code: 'MR5002' });
  await assert.rejects(log.append(partition!, batchOf(['c'])), { code: 'MR5010' });
  assert.deepEqual([fatal.length, /out of memory/.test(fatal[0]!)], [1, true]);
  assert.equal(partition!.nextOffset, 0);
  await log.close();
});

test('producers are forgotten when nothing was heard of them for long, by a clock that does not jump', async () => {
  const manual = simIo();
  let jumpMs = 0;
  const clock: Io['clock'] = {
    now: () => manual.clock.now() + jumpMs,
    monotonic: () => manual.clock.monotonic(),
    after: (ms, callback) => manual.clock.after(ms, callback),
  };
  const log = await Log.open({ ...manual, clock }, { directory: DIRECTORY, reserveBytes: 0, producerExpiryMs: 10_000 });
  const [partition] = (await log.createTopic('', 't', 1, KEEP_ALL)).partitions;
  const batch = (): Uint8Array => batchOf(['a'], { id: 7, sequence: 0 });
  await log.append(partition!, batch());
  for (const jump of [1e9, -1e9]) {
    jumpMs = jump;
    await log.applyRetention();
    assert.equal((await log.append(partition!, batch())).baseOffset, 0, 'a repetition is known as one');
  }
  await manual.clock.pass(10_001);
  await log.applyRetention();
  assert.equal((await log.append(partition!, batch())).baseOffset, 1);
  await log.close();
});
