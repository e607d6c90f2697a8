/** Record data as leaders may send it: emptied, transactional, damaged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apis } from '../../wire/index.ts';
import { ATTRIBUTE, BatchHeader, RecordBatchBuilder } from '../../wire/records/index.ts';
import { code, readUntil, start } from './reading-cases.ts';

/** A batch with other header fields. */
function altered(
  values: readonly string[],
  baseOffset: number,
  change: (header: BatchHeader, bytes: Buffer) => void,
): Uint8Array {
  const builder = new RecordBatchBuilder();
  for (const value of values) builder.append(0, null, Buffer.from(value));
  const bytes = Buffer.from(builder.finish());
  const header = new BatchHeader(bytes);
  header.baseOffset = baseOffset;
  change(header, bytes);
  return bytes;
}

const seal = (header: BatchHeader): void => header.seal();

test('batches that compaction has emptied, and the beginning of a batch behind the last, move nobody wrongly', async () => {
  const { make, scripted } = start();
  scripted.topic('t', [1]);
  const log = scripted.logs.get('t/0')!;
  log.push(
    altered(['gone'], 0, (header, bytes) => {
      bytes.writeInt32BE(4, 23);
      bytes.writeInt32BE(0, 57);
      seal(header);
    }),
    altered(['a'], 7, seal),
  );
  const cut = altered(['b'], 8, seal);
  log.push(cut.subarray(0, 40));
  const consumer = make();
  consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
  const [fetched] = await scripted.settle(consumer.poll());
  assert.deepEqual([fetched!.batches.length, fetched!.nextOffset], [1, 8]);
  log[2] = cut;
  assert.deepEqual(await readUntil(scripted, consumer, 1), ['0:b']);
});

/** The batches that begin below an offset. */
function before(records: Uint8Array, offset: number): Uint8Array {
  const header = new BatchHeader(records);
  let at = 0;
  while (at < records.length && header.at(at).baseOffset < offset) at += header.sizeBytes;
  return records.subarray(0, at);
}

test('control batches are left out, and those of aborted transactions when reading committed', async () => {
  const { make, scripted } = start();
  scripted.topic('t', [1]);
  const transactional = (producer: number, value: string, offset: number, isControl = false): Uint8Array =>
    altered([value], offset, (header, bytes) => {
      bytes.writeInt16BE(ATTRIBUTE.transactional | (isControl ? ATTRIBUTE.control : 0), 21);
      header.setProducer(producer, 0, 0);
    });
  scripted.logs
    .get('t/0')!
    .push(
      transactional(1, 'aborted', 0),
      transactional(2, 'kept', 1),
      altered(['plain'], 2, seal),
      transactional(1, 'aborted too', 3),
      transactional(1, 'marker', 4, true),
      transactional(1, 'kept: the next transaction', 5),
      transactional(1, 'marker', 6, true),
      transactional(2, 'marker', 7, true),
      transactional(3, 'open', 8),
    );
  const broker = scripted.brokers[0]!;
  const levels: number[] = [];
  broker.on(apis.fetch, async (message, seen) => {
    const answer = (await scripted.handlerOf(broker, 1)(message as never, seen)) as {
      responses: { partitions: { lastStableOffset: number; records: Uint8Array; abortedTransactions?: object[] }[] }[];
    };
    const [partition] = answer.responses[0]!.partitions;
    levels.push(message.isolationLevel);
    if (message.isolationLevel === 1 && partition!.records) {
      partition!.lastStableOffset = 8;
      partition!.abortedTransactions = [{ producerId: 1, firstOffset: 0 }];
      partition!.records = before(partition!.records, 8);
    }
    return answer as never;
  });
  const consumer = make({ readsCommitted: true });
  consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
  assert.deepEqual(await readUntil(scripted, consumer, 3, 3), ['0:kept', '0:plain', '0:kept: the next transaction']);
  assert.ok(consumer.isAtEnd, 'the end is the last stable offset');
  const other = make({ readsCommitted: false });
  other.assign([{ topic: 't', partition: 0, offset: 0 }]);
  assert.equal((await readUntil(scripted, other, 6, 3)).length, 6);
  assert.deepEqual([...new Set(levels)], [1, 0]);
});

for (const [what, spoil, text] of [
  [
    'a crc that does not match',
    (_header: BatchHeader, bytes: Buffer) => bytes.writeInt32BE(1, 17),
    /t\/0 at offset 0: the crc does not match/,
  ],
  [
    'a negative length',
    (_header: BatchHeader, bytes: Buffer) => bytes.writeInt32BE(-5, 8),
    /a record batch of 7 bytes/,
  ],
  [
    'a length of nothing',
    (_header: BatchHeader, bytes: Buffer) => bytes.writeInt32BE(0, 8),
    /a record batch of 12 bytes/,
  ],
  [
    'a length beyond the answer',
    (_header: BatchHeader, bytes: Buffer) => bytes.writeInt32BE(1_000_000, 8),
    /cut short/,
  ],
  [
    'offsets that go backwards',
    (header: BatchHeader, bytes: Buffer) => {
      bytes.writeInt32BE(-2, 23);
      seal(header);
    },
    /with -1 offsets/,
  ],
  [
    'an older message format',
    (_header: BatchHeader, bytes: Buffer) => bytes.writeInt8(1, 16),
    /message format 1, which/,
  ],
  [
    'an unknown message format',
    (_header: BatchHeader, bytes: Buffer) => bytes.writeInt8(3, 16),
    /unknown message format 3/,
  ],
] as const) {
  test(`${what} is an error that names the place, never a wait for ever`, async () => {
    const { make, scripted } = start();
    scripted.topic('t', [1]);
    scripted.logs.get('t/0')!.push(altered(['a'], 0, spoil));
    const broker = scripted.brokers[0]!;
    broker.on(apis.fetch, () => ({
      throttleTimeMs: 0,
      responses: [
        {
          topicId: scripted.topics.get('t')!.id,
          partitions: [
            {
              partitionIndex: 0,
              errorCode: 0,
              highWatermark: 9,
              abortedTransactions: null,
              records: scripted.logs.get('t/0')![0]!,
            },
          ],
        },
      ],
    }));
    const consumer = make();
    consumer.assign([{ topic: 't', partition: 0, offset: 0 }]);
    await assert.rejects(readUntil(scripted, consumer, 1, 3), code('MR4219', text));
  });
}

test('an answer with older records only is an error', async () => {
  const { make, scripted } = start();
  scripted.topic('t', [1]);
  scripted.append('t', 0, ['a', 'b']);
  const old = scripted.logs.get('t/0')![0]!;
  const broker = scripted.brokers[0]!;
  broker.on(apis.fetch, async (message, seen) => {
    const answer = (await scripted.handlerOf(broker, 1)(message as never, seen)) as {
      responses: { partitions: { records: Uint8Array }[] }[];
    };
    answer.responses[0]!.partitions[0]!.records = old;
    return answer as never;
  });
  const consumer = make();
  consumer.assign([{ topic: 't', partition: 0, offset: 2 }]);
  await assert.rejects(readUntil(scripted, consumer, 1, 3), code('MR4219', /older records only/));
});
