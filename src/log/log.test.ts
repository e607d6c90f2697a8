/** The log over real files: what was acknowledged is there after reopening; every rule of the producer table; retention. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { InlineThreads, type Io, MillraceError } from '../base/index.ts';
import { nodeIo } from '../base/io/node.ts';
import { batchOf } from '../testing/sim/records.ts';
import { BatchHeader } from '../wire/records/index.ts';
import { checkLog } from './check.ts';
import { logThreads } from './threads.ts';
import { Log } from './log.ts';

function makeIo(): Io {
  const threads = new InlineThreads(logThreads);
  const io = { ...nodeIo(), threads };
  threads.io = io;
  return io;
}

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'millrace-log-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('batches and topics are there after the log was reopened', async t => {
  const path = directory(t);
  let log = await Log.open(makeIo(), { directory: path });
  const topic = await log.createTopic('', 'events', 3, new Map([['retention.ms', '-1']]));
  const [first, second] = topic.partitions;
  const results = await Promise.all([
    log.append(first!, batchOf(['a', 'b'])),
    log.append(second!, batchOf(['x'])),
    log.append(first!, batchOf(['c'])),
  ]);
  assert.deepEqual(
    results.map(result => result.baseOffset),
    [0, 0, 2],
  );
  const { clusterId } = log;
  await log.close();
  log = await Log.open(makeIo(), { directory: path });
  t.after(() => log.close());
  const again = log.topic('', 'events')!;
  assert.equal(again.id, topic.id);
  assert.equal(again.configs.get('retention.ms'), '-1');
  assert.equal(log.clusterId, clusterId);
  assert.deepEqual(
    again.partitions.map(partition => partition.syncedEnd),
    [3, 1, 0],
  );
  const bytes = Buffer.concat(log.read(again.partitions[0]!, 1, 1_000_000));
  const header = new BatchHeader(bytes);
  assert.equal(header.baseOffset, 0, 'the whole batch that contains the offset');
  assert.equal(header.at(header.sizeBytes).baseOffset, 2);
});

test('a repeated batch of an idempotent producer gives the first offsets, also after reopening', async t => {
  const path = directory(t);
  let log = await Log.open(makeIo(), { directory: path });
  let [partition] = (await log.createTopic('', 't', 1)).partitions;
  const first = log.append(partition!, batchOf(['a', 'b'], { id: 7, sequence: 0 }));
  const repeated = log.append(partition!, batchOf(['a', 'b'], { id: 7, sequence: 0 }));
  assert.equal((await first).baseOffset, 0);
  assert.equal((await repeated).baseOffset, 0);
  await log.append(partition!, batchOf(['c'], { id: 7, sequence: 2 }));
  await log.close();
  log = await Log.open(makeIo(), { directory: path });
  t.after(() => log.close());
  [partition] = log.topic('', 't')!.partitions;
  assert.equal((await log.append(partition!, batchOf(['c'], { id: 7, sequence: 2 }))).baseOffset, 2);
  assert.equal(partition!.syncedEnd, 3);
  await assert.rejects(log.append(partition!, batchOf(['e'], { id: 7, sequence: 4 })), { code: 'MR5005' });
  await log.append(partition!, batchOf(['d'], { id: 7, epoch: 1, sequence: 0 }));
  await assert.rejects(log.append(partition!, batchOf(['d'], { id: 7, epoch: 0, sequence: 3 })), { code: 'MR5006' });
});

test('files are sealed at their size, and fetches cross them', async t => {
  const path = directory(t);
  let log = await Log.open(makeIo(), { directory: path, fileBytesMax: 4_000 });
  let [partition] = (await log.createTopic('', 't', 1)).partitions;
  for (let i = 0; i < 30; i++) await log.append(partition!, batchOf([`${i}`.repeat(500)]));
  assert.ok(readdirSync(path).length > 3);
  await log.close();
  log = await Log.open(makeIo(), { directory: path, fileBytesMax: 4_000 });
  t.after(() => log.close());
  [partition] = log.topic('', 't')!.partitions;
  assert.equal(partition!.syncedEnd, 30);
  const header = new BatchHeader(Buffer.concat(log.read(partition!, 3, 10_000_000)));
  let at = 0;
  for (let offset = 3; offset < 30; offset++) {
    assert.equal(header.at(at).baseOffset, offset);
    at += header.sizeBytes;
  }
});

test('retention by size moves the start and unlinks files', async t => {
  const path = directory(t);
  const log = await Log.open(makeIo(), { directory: path, fileBytesMax: 4_000, unlinkDelayMs: 0 });
  t.after(() => log.close());
  const [partition] = (
    await log.createTopic(
      '',
      't',
      1,
      new Map([
        ['retention.bytes', '6000'],
        ['retention.ms', '-1'],
      ]),
    )
  ).partitions;
  for (let i = 0; i < 40; i++) await log.append(partition!, batchOf(['y'.repeat(500)]));
  const before = readdirSync(path).length;
  await log.applyRetention();
  assert.ok(partition!.startOffset > 10);
  while (readdirSync(path).length >= before) await new Promise(resolve => setTimeout(resolve, 5));
  assert.equal(new BatchHeader(log.read(partition!, partition!.startOffset, 1)[0]!).lastOffset, partition!.startOffset);
});

test('a torn tail is cut off silently, whatever byte it ends at', async t => {
  const path = directory(t);
  const log = await Log.open(makeIo(), { directory: path });
  const [partition] = (await log.createTopic('', 't', 1)).partitions;
  await log.append(partition!, batchOf(['kept']));
  const name = '0000000001.mrj';
  const kept = readFileSync(join(path, name)).length;
  const mark = readFileSync(join(path, 'synced'));
  await log.append(partition!, batchOf(['torn away']));
  // What a kill within the last sync leaves behind; nobody was told of it.
  const left = new Map(readdirSync(path).map(file => [file, readFileSync(join(path, file))]));
  left.set('synced', mark);
  await log.close();
  for (let length = kept; length < left.get(name)!.length; length += 7) {
    restore(path, left, [name, left.get(name)!.subarray(0, length)]);
    const again = await Log.open(makeIo(), { directory: path });
    const [reopened] = again.topic('', 't')!.partitions;
    assert.equal(reopened!.syncedEnd, 1);
    assert.equal(again.tornBytes, length - kept);
    await again.append(reopened!, batchOf(['next']));
    assert.equal(reopened!.syncedEnd, 2);
    await again.close();
  }
});

test('a tail that was acknowledged is never taken for a torn one, even when the log was killed', async t => {
  const path = directory(t);
  const log = await Log.open(makeIo(), { directory: path });
  const [partition] = (await log.createTopic('', 't', 1)).partitions;
  await log.append(partition!, batchOf(['kept']));
  const name = '0000000001.mrj';
  const kept = readFileSync(join(path, name)).length;
  await log.append(partition!, batchOf(['acknowledged']));
  const left = new Map(readdirSync(path).map(file => [file, readFileSync(join(path, file))]));
  await log.close();
  const whole = left.get(name)!;
  for (let at = kept; at < whole.length; at += 5) {
    const flipped = Uint8Array.from(whole);
    flipped[at]! ^= 1 << (at % 8);
    for (const bytes of [whole.subarray(0, at), flipped]) {
      restore(path, left, [name, bytes]);
      await assert.rejects(Log.open(makeIo(), { directory: path }), error => {
        assert.ok(error instanceof MillraceError && error.code === 'MR5003');
        assert.equal(error.details['file'], join(path, name));
        assert.equal(error.details['position'], kept);
        assert.match(error.message, new RegExp(`from there to byte ${whole.length}$`));
        return true;
      });
    }
  }
});

/** The files as they were, one of them with another content. */
function restore(path: string, files: ReadonlyMap<string, Uint8Array>, [name, bytes]: [string, Uint8Array]): void {
  for (const file of readdirSync(path)) rmSync(join(path, file));
  for (const [file, content] of files) writeFileSync(join(path, file), file === name ? bytes : content);
}

test('damage in the middle refuses the start with file, position and what is lost, and is never cut', async t => {
  const path = directory(t);
  const log = await Log.open(makeIo(), { directory: path });
  const [partition] = (await log.createTopic('', 't', 1)).partitions;
  for (let i = 0; i < 5; i++) await log.append(partition!, batchOf(['z'.repeat(50), 'more']));
  await log.close();
  const file = join(path, '0000000001.mrj');
  const whole = readFileSync(file);
  // Frames: cluster id and topic, then the appends: the third.
  let frame = -1;
  for (let i = 0; i < 5; i++) frame = whole.indexOf('MRFR', frame + 1);
  for (const [what, at, reason] of [
    ['head', frame + 9, 'no frame begins here'],
    ['table', frame + 60, 'the table’s crc does not match'],
    ['batch', frame + 170, /the batch of partition number 1 at offset 4 \(byte \d+\) does not match its crc/],
  ] as const) {
    const bytes = Uint8Array.from(whole);
    bytes[at]! ^= 0x10;
    writeFileSync(file, bytes);
    await assert.rejects(Log.open(makeIo(), { directory: path }), error => {
      assert.ok(error instanceof MillraceError && error.code === 'MR5003', what);
      assert.deepEqual([error.details['file'], error.details['position']], [file, frame]);
      assert.match(String(error.details['reason']), new RegExp(reason));
      assert.match(error.message, /; lost: offsets 4 to 5 of t\/0$/);
      return true;
    });
    assert.equal(readFileSync(file).length, bytes.length);
    const damage = checkLog(nodeIo().files, path).findings.filter(({ kind }) => kind === 'damage');
    assert.ok(
      damage.some(({ reason: text }) => text.startsWith('offsets 4 to 5 of t/0')),
      what,
    );
    assert.ok(damage.every(({ path: where }) => where === file));
  }
});

test('a full disk refuses appends with 56, keeps what was acknowledged, and resumes', async t => {
  const path = directory(t);
  const io = makeIo();
  let isFull = false;
  const full = (): never => {
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
  };
  const files: Io['files'] = Object.assign(Object.create(io.files) as Io['files'], {
    open: (name: string, mode: 'read' | 'write' | 'create') => {
      const file = io.files.open(name, mode);
      const write = file.write.bind(file);
      return Object.assign(file, {
        write: (pieces: Uint8Array[], at: number) => (isFull ? full() : write(pieces, at)),
      });
    },
    freeBytes: () => (isFull ? 0 : 1e12),
  });
  const threads = new InlineThreads(logThreads);
  const fakeClock = { ...io.clock, now: () => Date.now(), monotonic: () => performance.now() };
  let probe: (() => void) | undefined;
  const clock = Object.assign(fakeClock, {
    after: (ms: number, callback: () => void) => {
      if (ms === 1_000) probe = callback;
      return { cancel: () => undefined };
    },
  });
  const faulty: Io = { ...io, files, threads, clock };
  threads.io = faulty;
  const log = await Log.open(faulty, { directory: path });
  t.after(() => log.close());
  const [partition] = (await log.createTopic('', 't', 1)).partitions;
  await log.append(partition!, batchOf(['kept']));
  isFull = true;
  await assert.rejects(log.append(partition!, batchOf(['lost'])), { code: 'MR5001' });
  await assert.rejects(log.append(partition!, batchOf(['lost'])), { code: 'MR5001' });
  assert.equal(log.read(partition!, 0, 1_000).length, 1);
  isFull = false;
  probe?.();
  assert.equal((await log.append(partition!, batchOf(['next']))).baseOffset, 1);
  await log.close();
  // What was refused must leave no gap in the journal: the next start reads it through.
  const again = await Log.open(makeIo(), { directory: path });
  assert.equal(again.topic('', 't')?.partitions[0]?.syncedEnd, 2);
  await again.close();
});

test('a failed sync is fatal: nothing is written any more', async t => {
  const path = directory(t);
  const io = makeIo();
  let fails = false;
  const files: Io['files'] = Object.assign(Object.create(io.files) as Io['files'], {
    open: (name: string, mode: 'read' | 'write' | 'create') => {
      const file = io.files.open(name, mode);
      const sync = file.sync.bind(file);
      return Object.assign(file, {
        sync: () => {
          if (fails) throw Object.assign(new Error('I/O error'), { code: 'EIO' });
          sync();
        },
      });
    },
  });
  const threads = new InlineThreads(logThreads);
  const faulty: Io = { ...io, files, threads };
  threads.io = faulty;
  const log = await Log.open(faulty, { directory: path });
  t.after(() => log.close());
  const [partition] = (await log.createTopic('', 't', 1)).partitions;
  const fatal: string[] = [];
  log.onFatal = error => fatal.push(error.code);
  fails = true;
  await assert.rejects(log.append(partition!, batchOf(['a'])), { code: 'MR5002' });
  fails = false;
  await assert.rejects(log.append(partition!, batchOf(['b'])), { code: 'MR5010' });
  assert.deepEqual(fatal, ['MR5002']);
});

test('offsets are found by time', async t => {
  const log = await Log.open(makeIo(), { directory: directory(t) });
  t.after(() => log.close());
  const [partition] = (await log.createTopic('', 't', 1)).partitions;
  for (let i = 0; i < 5; i++) await log.append(partition!, batchOf(['v', 'w'], {}, 1_000 + i * 100));
  assert.deepEqual(log.offsetForTime(partition!, 1_150), { offset: 4, timestamp: 1_200 });
  assert.equal(log.offsetForTime(partition!, 2_000), undefined);
  assert.deepEqual(log.maxTimestamp(partition!), { offset: 8, timestamp: 1_400 });
});

test('a deleted topic is gone after reopening and its name gives a new id', async t => {
  const path = directory(t);
  let log = await Log.open(makeIo(), { directory: path });
  const topic = await log.createTopic('', 't', 1);
  await log.append(topic.partitions[0]!, batchOf(['old']));
  await log.deleteTopic(topic);
  await assert.rejects(log.append(topic.partitions[0]!, batchOf(['x'])), { code: 'MR5009' });
  await log.close();
  log = await Log.open(makeIo(), { directory: path });
  t.after(() => log.close());
  assert.equal(log.topic('', 't'), undefined);
  const again = await log.createTopic('', 't', 1);
  assert.notEqual(again.id, topic.id);
  assert.equal(again.partitions[0]!.syncedEnd, 0);
  assert.deepEqual(log.read(again.partitions[0]!, 0, 1_000), []);
});
