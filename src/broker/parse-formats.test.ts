/** Marks of how values were meant: where the format changes, durable with the batch, gone with what they were for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log, Partition } from '../log/index.ts';
import { openMemoryLog } from '../testing/memory-log.ts';
import { RecordBatchBuilder } from '../wire/records/index.ts';
import { type ParseFormat, ParseFormats } from './parse-formats.ts';

async function append(log: Log, formats: ParseFormats, partition: Partition, format: ParseFormat): Promise<void> {
  const builder = new RecordBatchBuilder();
  builder.append(1_000, null, Buffer.from('{}'));
  const changes = formats.changesFor(partition, format);
  await log.append(partition, builder.finish(), undefined, -1, changes?.at);
}

const marked = (log: Log): number => [...log.states.entries('parse-formats')].length;

test('a mark is made where the format changes, and is there after the log was reopened', async () => {
  const first = await openMemoryLog();
  const topic = await first.log.createTopic('shop', 'app', 2);
  const [one, two] = topic.partitions as [Partition, Partition];
  const formats = new ParseFormats(first.log);
  for (const format of ['text', 'json', 'json', 'text', 'json'] as const) await append(first.log, formats, one, format);
  await append(first.log, formats, two, 'text');
  assert.equal(marked(first.log), 3);
  await first.log.close();

  const second = await openMemoryLog(first.disk);
  const again = new ParseFormats(second.log);
  const [sameOne, sameTwo] = second.log.topic('shop', 'app')!.partitions as [Partition, Partition];
  const read = (partition: Partition): string[] => [0, 1, 2, 3, 4].map(offset => again.formatAt(partition, offset));
  assert.deepEqual(read(sameOne), ['text', 'json', 'json', 'text', 'json']);
  assert.deepEqual(read(sameTwo), ['text', 'text', 'text', 'text', 'text']);

  await second.log.setLogStart(sameOne, 4);
  await append(second.log, again, sameOne, 'text');
  assert.equal(marked(second.log), 2, 'what lies below the start is gone with the next mark');
  assert.deepEqual([again.formatAt(sameOne, 4), again.formatAt(sameOne, 5)], ['json', 'text']);

  await second.log.deleteTopic(second.log.topic('shop', 'app')!);
  assert.ok(new ParseFormats(second.log));
  await second.log.change([]);
  assert.equal(marked(second.log), 0, 'of a topic that is gone nothing is kept');
  await second.log.close();
});

test('an append that fails leaves no mark behind', async () => {
  const { log } = await openMemoryLog();
  const topic = await log.createTopic('shop', 'app', 1);
  const [partition] = topic.partitions as [Partition];
  const formats = new ParseFormats(log);
  const changes = formats.changesFor(partition, 'json')!;
  changes.at(0);
  assert.equal(formats.formatAt(partition, 0), 'json');
  changes.failed();
  assert.equal(formats.formatAt(partition, 0), 'text');
  await log.close();
});
