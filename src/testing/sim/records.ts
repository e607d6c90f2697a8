/** Record batches for tests of the log, and what of them is there. */
import type { Log, Partition } from '../../log/index.ts';
import { RecordBatchBuilder, RecordCursor } from '../../wire/records/index.ts';

export interface BatchProducer {
  readonly id?: number;
  readonly epoch?: number;
  readonly sequence?: number;
  readonly isTransactional?: boolean;
}

/** One batch of text values; `times` one for all, or one each. */
export function batchOf(
  values: readonly string[],
  producer: BatchProducer = {},
  times: number | readonly number[] = 1_000,
): Uint8Array {
  const builder = new RecordBatchBuilder(256);
  values.forEach((value, i) => {
    builder.append(typeof times === 'number' ? times : times[i]!, null, Buffer.from(value));
  });
  return builder.finish({
    producerId: producer.id ?? -1,
    producerEpoch: producer.epoch ?? (producer.id === undefined ? -1 : 0),
    baseSequence: producer.sequence ?? -1,
    isTransactional: producer.isTransactional ?? false,
  });
}

export interface StoredRecord {
  readonly offset: number;
  readonly time: number;
  readonly value: string;
}

/** Records of a partition from an offset to its end, read batch by batch or in larger pieces. */
export function recordsOf(log: Log, partition: Partition, from = partition.startOffset, bytesMax = 1): StoredRecord[] {
  const records: StoredRecord[] = [];
  let offset = from;
  while (offset < partition.syncedEnd) {
    for (const bytes of log.read(partition, offset, bytesMax)) {
      for (const record of recordsIn(bytes)) {
        if (record.offset < offset) continue;
        records.push(record);
        offset = record.offset + 1;
      }
    }
  }
  return records;
}

/** Records of batches that lie one behind the other. */
export function recordsIn(bytes: Uint8Array): StoredRecord[] {
  const records: StoredRecord[] = [];
  const cursor = new RecordCursor();
  for (const batch of batchesIn(bytes)) {
    cursor.open(batch);
    while (cursor.advance()) {
      const { offset, timestamp: time } = cursor;
      records.push({ offset, time, value: Buffer.from(cursor.value ?? []).toString() });
    }
  }
  return records;
}

function* batchesIn(bytes: Uint8Array): IterableIterator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const size = view.getInt32(at + 8) + 12;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}
