/**
 * Door of `wire/records`: record batches. `BatchHeader` walks and patches batches in place, `validateBatch` is a broker's
 * check, `RecordCursor` reads records, `RecordBatchBuilder` makes them. Message sets (formats 0 and 1): `MessageSetCursor`
 * reads them, `upConvert` makes batches of them, `downConvert` the reverse.
 */
export {
  ATTRIBUTE,
  BATCH_HEADER_BYTES,
  BATCH_OVERHEAD_BYTES,
  type BatchDefect,
  BatchHeader,
  type BatchRange,
  CODEC,
  type CodecName,
  expectStored,
  storedDefect,
  validateBatch,
} from './batch.ts';
export { RecordBatchBuilder, type RecordHeaders } from './builder.ts';
export { crc32c, crc32cPortable } from './crc.ts';
export { RecordCursor } from './cursor.ts';
export { downConvert, type LegacyMagic } from './down-conversion.ts';
export { MessageSetCursor } from './message-set.ts';
export { type UpConversionLimits, upConvert } from './up-conversion.ts';
