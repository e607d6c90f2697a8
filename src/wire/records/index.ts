/**
 * Door of `wire/records`: record batches. `BatchHeader` walks and patches batches in place, `validateBatch` is a broker's
 * check, `RecordCursor` reads records, `RecordBatchBuilder` makes them. Formats 0 and 1 are recognised by their magic and
 * refused; converting them has its place here.
 */
export {
  ATTRIBUTE,
  BATCH_HEADER_BYTES,
  BATCH_OVERHEAD_BYTES,
  type BatchDefect,
  BatchHeader,
  CODEC,
  type CodecName,
  validateBatch,
} from './batch.ts';
export { RecordBatchBuilder, type RecordHeaders } from './builder.ts';
export { crc32c, crc32cPortable } from './crc.ts';
export { RecordCursor } from './cursor.ts';
