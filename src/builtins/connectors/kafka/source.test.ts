/** The Kafka source over a scripted reader, in simulated time: counting, commits, giving back, the end, and what cannot be read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GroupOffset } from '../../../client/index.ts';
import { type CheckpointStore, defineOperator } from '../../../sdk/index.ts';
import { assertBalanced, memoryCheckpoints, type Stand, standOf } from '../../../testing/index.ts';
import { BatchHeader, RecordBatchBuilder } from '../../../wire/records/index.ts';
import { readRange } from './arguments.ts';
import type { ReadBatch } from './batch.ts';
import type { OnRevoke, SavedPosition, TopicReader } from './reader.ts';
import { KafkaSource, type SourceSettings } from './source.ts';

/** A record batch of values from `offset` on; each value's time is its offset plus 1,000 unless given. */
function batchOf(offset: number, values: readonly (string | null)[], times?: readonly number[]): Uint8Array {
  const builder = new RecordBatchBuilder();
  values.forEach((value, i) =>
    builder.append(
      times?.[i] ?? 1_000 + offset + i,
      Buffer.from(`k${offset + i}`),
      value === null ? null : Buffer.from(value),
      [['h', Buffer.from('v')]],
    ),
  );
  const batch = builder.finish();
  new BatchHeader(batch).baseOffset = offset;
  return batch;
}

class ScriptedReader implements TopicReader {
  readonly commits: GroupOffset[][] = [];
  readonly waits: number[] = [];
  readonly finished: string[] = [];
  saved: ReadonlyMap<string, SavedPosition> | undefined;
  isAtEnd = false;
  isOurs = true;
  /** The group does not answer. */
  isStuck = false;
  released = 0;
  revoke!: OnRevoke;
  private readonly rounds: ReadBatch[][] = [];
  private wake: () => void = () => undefined;
  private readonly after: (ms: number, callback: () => void) => void;

  constructor(after: (ms: number, callback: () => void) => void) {
    this.after = after;
  }

  give(...batches: readonly (readonly [partition: number, batch: Uint8Array, from?: number])[]): void {
    this.rounds.push(
      batches.map(([partition, batch, from]) => ({
        topic: 't',
        partition,
        batch,
        fromOffset: from ?? new BatchHeader(batch).baseOffset,
        owner: { hold: () => undefined, release: () => this.released++ },
      })),
    );
    this.wake();
  }

  open(saved: ReadonlyMap<string, SavedPosition>): Promise<void> {
    this.saved = saved;
    return this.isStuck ? new Promise(() => undefined) : Promise.resolve();
  }

  async poll(waitMs: number): Promise<readonly ReadBatch[]> {
    if (this.rounds.length === 0) {
      this.waits.push(waitMs);
      await new Promise<void>(resolve => {
        this.wake = resolve;
        this.after(waitMs, resolve);
      });
    }
    return this.rounds.shift() ?? [];
  }

  finish(topic: string, partition: number): void {
    this.finished.push(`${topic}/${partition}`);
  }

  commit(offsets: readonly GroupOffset[]): Promise<boolean> {
    this.commits.push([...offsets]);
    return Promise.resolve(this.isOurs);
  }

  lag(): { topic: string; partition: number; records: number }[] {
    return [{ topic: 't', partition: 0, records: 3 }];
  }

  health(): { isUp: boolean } {
    return { isUp: true };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const DEFAULTS: SourceSettings = {
  count: undefined,
  exits: false,
  range: readRange('stored')!,
  commitBatchSize: 1_000,
  commitTimeoutMs: 10_000,
  batchSize: Number.POSITIVE_INFINITY,
  events: { hasMetadata: false },
};

async function start(
  settings: Partial<SourceSettings>,
  options: {
    readonly checkpoints?: CheckpointStore;
    readonly bytesMax?: number;
    readonly rest?: string;
    readonly isStuck?: boolean;
  } = {},
): Promise<Stand & { readonly reader: ScriptedReader; readonly offsets: () => number[] }> {
  let reader!: ScriptedReader;
  const asEvents = 'events' in settings ? settings.events : DEFAULTS.events;
  const operator = defineOperator({
    name: 'src',
    summary: 'The source.',
    input: ['void'],
    output: asEvents ? 'events' : 'bytes',
    args: {},
    create: (_args, context) =>
      new KafkaSource(context, { ...DEFAULTS, ...settings }, 't', onRevoke => {
        reader = new ScriptedReader((ms, callback) => context.io.clock.after(ms, callback));
        reader.revoke = onRevoke;
        reader.isStuck = options.isStuck === true;
        return reader;
      }),
  });
  const { checkpoints, rest = '' } = options;
  const stand = await standOf(`src${rest}\nhold "a"`, {
    operators: [operator],
    ...(checkpoints && { checkpoints }),
    ...(options.bytesMax !== undefined && { bytesMax: options.bytesMax }),
  });
  const offsets = (): number[] => reader.commits.flat().map(({ offset }) => offset);
  return Object.assign(stand, { reader, offsets });
}

const messages = (stand: Stand): string[] =>
  stand.sink('a').texts.map(text => String((JSON.parse(text) as { message: string | null }).message));

test('commits come behind every so many messages, at exactly that message', async () => {
  const stand = await start({ commitBatchSize: 3 });
  stand.sink('a').isOpen = true;
  stand.reader.give([0, batchOf(0, ['a', 'b', 'c', 'd', 'e', 'f', 'g'])]);
  await stand.pass();
  assert.deepEqual(stand.offsets().at(-1), 6);
  assert.deepEqual(
    stand.sink('a').writes.map(({ texts }) => texts.length),
    [3, 3, 1],
  );
  const every = await start({ commitBatchSize: 1 });
  every.reader.give([0, batchOf(5, ['a', 'b', 'c'])]);
  await every.pass();
  const [first, second] = every.sink('a').writes;
  first!.deliver();
  await every.pass();
  assert.deepEqual(every.offsets(), [6]);
  second!.deliver();
  await every.pass();
  assert.deepEqual(every.offsets(), [6, 7]);
});

test('a commit comes at least every `commit_timeout`, and none without a message', async () => {
  const stand = await start({ commitTimeoutMs: 700 });
  stand.sink('a').isOpen = true;
  await stand.pass(5_000);
  assert.deepEqual(stand.reader.commits, []);
  stand.reader.give([0, batchOf(0, ['a'])]);
  await stand.pass(100);
  assert.deepEqual(stand.offsets(), [1], 'the last commit was long ago');
  stand.sink('a').isOpen = false;
  stand.reader.give([0, batchOf(1, ['b'])]);
  await stand.pass(300);
  assert.equal(stand.report().openEpochs, 1, 'nothing waited for the sink, so it was cut at once');
  stand.reader.give([0, batchOf(2, ['c'])]);
  await stand.pass(300);
  assert.equal(stand.report().openEpochs, 1, 'now something does');
  await stand.pass(400);
  assert.equal(stand.report().openEpochs, 2);
  for (const held of stand.sink('a').writes.slice(-2)) held.deliver();
  await stand.pass();
  assert.equal(stand.offsets().at(-1), 3);
  const commits = stand.reader.commits.length;
  await stand.pass(5_000);
  assert.equal(stand.reader.commits.length, commits);
});

test('while the sinks keep up everything is committed soon, some times a second at most', async () => {
  const stand = await start({});
  stand.sink('a').isOpen = true;
  for (let i = 0; i < 40; i++) {
    stand.reader.give([0, batchOf(i, ['x'])]);
    await stand.pass(50);
  }
  assert.ok(stand.offsets().length >= 7 && stand.offsets().length <= 9, stand.offsets().join());
  await stand.pass(300);
  assert.equal(stand.offsets().at(-1), 40, 'a kill now would repeat nothing');
});

test('nothing is committed before the sink has the data', async () => {
  const stand = await start({ commitBatchSize: 1 });
  stand.reader.give([0, batchOf(0, ['a'])]);
  await stand.pass(60_000);
  assert.deepEqual(stand.reader.commits, []);
  stand.sink('a').writes[0]!.deliver();
  await stand.pass();
  assert.deepEqual(stand.offsets(), [1]);
});

test('`count` never over-reads, commits what it counted, and goes on counting behind a restart', async () => {
  const checkpoints = memoryCheckpoints();
  const first = await start({ count: 5, commitBatchSize: 2 }, { checkpoints });
  first.sink('a').isOpen = true;
  first.reader.give([0, batchOf(0, ['a', 'b', 'c'])]);
  await first.pass();
  assert.deepEqual(first.offsets(), [2]);
  first.task.abort('killed');
  const second = await start({ count: 5, commitBatchSize: 2 }, { checkpoints });
  second.sink('a').isOpen = true;
  assert.deepEqual([...second.reader.saved!], [['t\n0', { offset: 2 }]]);
  second.reader.give([0, batchOf(2, ['c', 'd', 'e', 'f', 'g'])], [1, batchOf(0, ['x'])]);
  await second.pass();
  await second.task.finished;
  assert.deepEqual(messages(second), ['c', 'd', 'e']);
  assert.equal(second.offsets().at(-1), 5);
  assertBalanced(second.report().ledger);
  const none = await start({ count: 0 });
  await none.task.finished;
});

test('it ends when everything assigned is at its end, not before', async () => {
  const stand = await start({ exits: true });
  stand.sink('a').isOpen = true;
  stand.reader.give([0, batchOf(0, ['a'])]);
  await stand.pass(5_000);
  assert.equal(stand.report().state, 'running');
  stand.reader.isAtEnd = true;
  await stand.pass(1_000);
  await stand.task.finished;
  assert.equal(stand.offsets().at(-1), 1);
});

test('an end time stops each partition at its first record of that time, and waits for the others', async () => {
  const stand = await start({ range: readRange('e@1005')! });
  stand.sink('a').isOpen = true;
  stand.reader.give([0, batchOf(3, ['a', 'b', 'c', 'd'])], [0, batchOf(7, ['late'])], [1, batchOf(0, ['x', 'y'])]);
  await stand.pass(3_000);
  assert.deepEqual(messages(stand), ['a', 'b', 'x', 'y']);
  assert.deepEqual(stand.reader.finished, ['t/0']);
  assert.equal(stand.report().state, 'running');
  stand.reader.isAtEnd = true;
  await stand.pass(3_000);
  await stand.task.finished;
  assert.deepEqual(stand.reader.commits.at(-1), [
    { topic: 't', partition: 0, offset: 5 },
    { topic: 't', partition: 1, offset: 2 },
  ]);
});

test('batches have `batch_size` messages at most', async () => {
  const stand = await start({ batchSize: 2 });
  stand.reader.give([0, batchOf(0, ['a', 'b', 'c', 'd', 'e'])]);
  await stand.pass();
  assert.deepEqual(
    stand.sink('a').writes.map(({ texts }) => texts.length),
    [2, 2, 1],
  );
});

test('records before the position in a batch are left out, and a batch without records moves the position', async () => {
  const stand = await start({ commitBatchSize: 1 });
  stand.sink('a').isOpen = true;
  stand.reader.give([0, batchOf(10, ['a', 'b', 'c']), 12]);
  await stand.pass();
  assert.deepEqual(messages(stand), ['c']);
  assert.deepEqual(stand.offsets(), [13]);
});

test('null is not empty; bytes that are no text stay bytes; metadata comes when asked for', async () => {
  const stand = await start({ events: { hasMetadata: true } }, { rest: '\nwrite_tql compact=true' });
  const builder = new RecordBatchBuilder();
  builder.append(1_000, Buffer.from('k'), Buffer.from([0xff, 0xfe]), [
    ['h', Buffer.from('v')],
    ['n', null],
  ]);
  builder.append(-1, null, null);
  builder.append(1_002, Buffer.from(''), Buffer.from(''));
  const batch = builder.finish({ codec: 'gzip' });
  new BatchHeader(batch).baseOffset = 7;
  stand.reader.give([3, batch]);
  await stand.pass();
  assert.deepEqual(stand.sink('a').texts, [
    '{message: b"\\xFF\\xFE", topic: "t", partition: 3, offset: 7, timestamp: 1970-01-01T00:00:01Z, key: "k", headers: {h: "v", n: null}}\n',
    '{message: null, topic: "t", partition: 3, offset: 8, timestamp: null, key: null, headers: {}}\n',
    '{message: "", topic: "t", partition: 3, offset: 9, timestamp: 1970-01-01T00:00:01.002Z, key: "", headers: {}}\n',
  ]);
});

test('what is known of a record can be read as metadata, through whatever was made of it', async () => {
  const stand = await start(
    { events: undefined },
    {
      rest: '\nread_lines\nwhere @partition == 2\nx = {k: @key, o: @offset, t: @topic, h: @headers.h, at: @timestamp}\ndrop line',
    },
  );
  stand.reader.give([2, batchOf(4, ['a', 'b'])], [1, batchOf(0, ['other'])]);
  await stand.pass();
  assert.deepEqual(stand.sink('a').texts, [
    '{"x":{"k":"k4","o":4,"t":"t","h":"v","at":"1970-01-01T00:00:01.004Z"}}',
    '{"x":{"k":"k5","o":5,"t":"t","h":"v","at":"1970-01-01T00:00:01.005Z"}}',
  ]);
});

test('a batch whose records cannot be read is one dead letter, and what is behind it goes on', async () => {
  const stand = await start({ commitBatchSize: 1 });
  stand.sink('a').isOpen = true;
  const bad = batchOf(0, ['a', 'b']);
  bad[61] = 0x01;
  new BatchHeader(bad).seal();
  stand.reader.give([0, bad], [0, batchOf(2, ['c'])]);
  await stand.pass();
  assert.deepEqual(messages(stand), ['c']);
  const [letter] = stand.letters;
  assert.deepEqual([letter!.code, letter!.origin, letter!.value!.length], ['MR7223', 't/0/0', bad.length]);
  assert.deepEqual(stand.offsets(), [3]);
});

test('partitions are given back when what was read of them is delivered and committed, not with an older commit', async () => {
  const stand = await start({ commitBatchSize: 1 });
  stand.reader.give([0, batchOf(0, ['a'])]);
  await stand.pass();
  stand.reader.give([0, batchOf(1, ['b'])], [0, batchOf(2, ['never'])]);
  await stand.pass();
  let isGiven = false;
  void stand.reader.revoke(100_000).then(() => {
    isGiven = true;
  });
  await stand.pass(1_000);
  stand.sink('a').writes[0]!.deliver();
  await stand.pass();
  assert.deepEqual([stand.offsets(), isGiven], [[1], false]);
  for (const held of stand.sink('a').writes.slice(1)) held.deliver();
  await stand.pass(1_000);
  assert.equal(isGiven, true);
  assert.equal(stand.offsets().at(-1), messages(stand).length);
  const before = stand.reader.commits.length;
  stand.reader.give([4, batchOf(0, ['x'])]);
  await stand.pass();
  stand.sink('a').writes.at(-1)!.deliver();
  await stand.pass();
  assert.deepEqual(stand.reader.commits.slice(before), [[{ topic: 't', partition: 4, offset: 1 }]]);
  assert.deepEqual(stand.warnings, []);
});

test('a sink that takes too long gives its partitions back uncommitted, with a warning, and commits nothing of them later', async () => {
  const stand = await start({ commitBatchSize: 1 });
  stand.reader.give([0, batchOf(0, ['a'])]);
  await stand.pass();
  let isGiven = false;
  void stand.reader.revoke(5_000).then(() => {
    isGiven = true;
  });
  await stand.pass(6_000);
  assert.equal(isGiven, true);
  assert.match(stand.warnings.join(), /some events come again/);
  stand.sink('a').writes[0]!.deliver();
  await stand.pass();
  assert.deepEqual(stand.reader.commits, []);
});

test('a commit that the group refuses is told', async () => {
  const stand = await start({ commitBatchSize: 1 });
  stand.reader.isOurs = false;
  stand.sink('a').isOpen = true;
  stand.reader.give([0, batchOf(0, ['a'])]);
  await stand.pass();
  assert.match(stand.warnings.join(), /some events come again/);
});

test('a source that has ended gives its partitions back at once', async () => {
  const stand = await start({ count: 1 });
  stand.reader.give([0, batchOf(0, ['a'])]);
  await stand.pass();
  let isGiven = false;
  void stand.reader.revoke(100_000).then(() => {
    isGiven = true;
  });
  await stand.pass();
  assert.equal(isGiven, false, 'its event is not delivered yet');
  stand.sink('a').writes[0]!.deliver();
  await stand.pass(1_000);
  assert.equal(isGiven, true);
  assert.deepEqual(stand.offsets(), [1]);
});

test('a group that does not answer keeps nobody from draining', async () => {
  const stand = await start({}, { isStuck: true });
  await stand.pass();
  let hasEnded = false;
  void stand.task.finished.then(() => {
    hasEnded = true;
  });
  stand.task.drain();
  await stand.pass();
  assert.ok(hasEnded);
  assert.deepEqual(stand.offsets(), []);
});

test('nothing is read while the pipeline has no credits, and every batch is let go of', async () => {
  const batch = batchOf(0, ['x'.repeat(1_000)]);
  const stand = await start({}, { bytesMax: 2_500 });
  for (let i = 0; i < 10; i++) stand.reader.give([0, batchOf(i, ['x'.repeat(1_000)])]);
  await stand.pass(2_000);
  assert.equal(stand.sink('a').writes.length, 3);
  assert.ok(stand.report().buffers[0]!.bytes <= 3 * batch.length);
  stand.sink('a').isOpen = true;
  for (const held of stand.sink('a').writes) held.deliver();
  await stand.pass(2_000);
  assert.equal(stand.sink('a').writes.length, 10);
  stand.task.drain();
  await stand.pass(2_000);
  await stand.task.finished;
  assert.equal(stand.reader.released, 10);
  assert.equal(stand.report().buffers[0]!.bytes, 0);
});

test('the watermark is the least of the partitions’ newest times, and never goes back', async () => {
  const stand = await start({ commitBatchSize: 1 });
  stand.sink('a').isOpen = true;
  stand.reader.give([0, batchOf(0, ['a'], [5_000])]);
  await stand.pass();
  assert.equal(stand.line('2').watermarkMs, 5_000);
  stand.reader.give([1, batchOf(0, ['b'], [3_000])]);
  await stand.pass();
  assert.equal(stand.line('2').watermarkMs, 5_000);
  stand.reader.give([1, batchOf(1, ['b'], [9_000])], [0, batchOf(1, ['a'], [7_000])]);
  await stand.pass();
  assert.equal(stand.line('2').watermarkMs, 7_000);
  const [lag] = stand.report().lag;
  assert.deepEqual([lag!.records, lag!.seconds > 1_000_000], [3, true]);
});

test('positions of an earlier version, without topics, are understood', async () => {
  const checkpoints = memoryCheckpoints();
  checkpoints.saved.set('stand', {
    epoch: 3,
    positions: '{"assignment":0,"offsets":[[0,7],[1,9]]}',
    states: {},
  });
  const stand = await start({}, { checkpoints });
  assert.deepEqual(
    [...stand.reader.saved!],
    [
      ['t\n0', { offset: 7 }],
      ['t\n1', { offset: 9 }],
    ],
  );
});
