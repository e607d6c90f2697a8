/** Records as events: `{message}`, and what is known of the record beside it when that is asked for. */
import { type ChunkBatch, EventBatch, RecordValue, type Value } from '../../../data/index.ts';
import { RECORD_METADATA } from '../../../sdk/index.ts';
import { textOrBlob } from './batch.ts';

export function messagesOf(chunks: ChunkBatch, hasMetadata: boolean): EventBatch {
  const records = Array.from({ length: chunks.count }, (_, row) => {
    const isNull = chunks.store.origins?.value(chunks.store.originRow(chunks.storeRow(row))) === null;
    const fields: [string, Value][] = [['message', isNull ? null : textOrBlob(chunks.bytesOf(row))]];
    if (hasMetadata) for (const name of RECORD_METADATA) fields.push([name, chunks.metaOf(row, name) ?? null]);
    return new RecordValue(fields);
  });
  return EventBatch.fromRecords(records, 'tenzir.kafka', chunks);
}
