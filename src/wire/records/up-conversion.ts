/**
 * Message sets of formats 0 and 1 become record batches: the only form that is stored. Keys, values, timestamps and order
 * stay, and so does the codec; offsets are the log's to give.
 *
 * All messages go into one batch, unless the batch would grow beyond what a topic takes, or the codec changes: then they go
 * into several, one after the other. Each is given out as soon as it is made, so that whoever converts can do something
 * else in between; nothing may be stored before the last one, because only then is the whole set known to be right.
 *
 * Messages of format 0 have no timestamp: -1, until the log sets its own.
 *
 * Invariants
 * I1 what is given out passes `validateBatch`.
 * I2 memory: what a wrapper inflates to (bounded for the whole set) and one batch, uncompressed.
 */
import { wireErrors } from '../errors.ts';
import { CODEC, type CodecName } from './batch.ts';
import { RecordBatchBuilder } from './builder.ts';
import { MessageSetCursor } from './message-set.ts';

export interface UpConversionLimits {
  /** Largest message or wrapper, as `max.message.bytes` counts: offset and size included. */
  readonly messageBytesMax: number;
  /** What all wrappers of the set may inflate to. */
  readonly inflatedBytesMax?: number;
}

/** Batches grow to this without their compression, whatever a topic takes. */
const BATCH_BYTES_MAX = 1_048_588;

const CODEC_NAMES = Object.keys(CODEC) as readonly CodecName[];

export function* upConvert(set: Uint8Array, limits: UpConversionLimits): Generator<Uint8Array, void, undefined> {
  const { inflatedBytesMax, messageBytesMax } = limits;
  const batchBytesMax = Math.min(messageBytesMax, BATCH_BYTES_MAX);
  const cursor = new MessageSetCursor().open(set, inflatedBytesMax === undefined ? {} : { inflatedBytesMax });
  let builder = new RecordBatchBuilder(Math.min(set.length + 64, batchBytesMax));
  let { codec } = cursor;
  while (cursor.advance()) {
    if (cursor.entryBytes > messageBytesMax) {
      throw wireErrors.messageTooLarge({ size: cursor.entryBytes, limit: messageBytesMax });
    }
    expectClientsTimestamp(cursor);
    const { key, value } = cursor;
    const size = builder.sizeBytes + RecordBatchBuilder.estimate(key, value);
    if (builder.recordCount > 0 && (cursor.codec !== codec || size > batchBytesMax)) {
      yield builder.finish({ codec: CODEC_NAMES[codec]! });
      builder = new RecordBatchBuilder();
    }
    codec = cursor.codec;
    builder.append(cursor.timestamp, key, value);
  }
  if (builder.recordCount > 0) yield builder.finish({ codec: CODEC_NAMES[codec]! });
}

function expectClientsTimestamp({ isLogAppendTime, timestamp }: MessageSetCursor): void {
  if (isLogAppendTime) throw wireErrors.messageTimestamp({ reason: 'log append time is the broker’s to set' });
  if (timestamp < -1 || timestamp > Number.MAX_SAFE_INTEGER) throw wireErrors.messageTimestamp({ reason: timestamp });
}
