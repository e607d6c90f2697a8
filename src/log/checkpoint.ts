/**
 * The checkpoint at the beginning of a journal file: what is known of partitions when the file is begun. State tables
 * follow it as STATE entries of the same frame, so that file and later ones are all that a start replays.
 *
 *   checkpoint  count u32 · partition*
 *   partition   id u32 · end offset i64 · bytes i64 · newest timestamp i64 · producers u32 · producer*
 *   producer    id i64 · epoch i16 · expected sequence i32 · batches u8 · batch*
 *   batch       first sequence u32 · last sequence u32 · base offset i64 · max timestamp i64
 *
 * Invariants
 * I1 it shows what is synced: it is made when no frame is under way.
 */
import { asBuffer, readInt64, writeInt64 } from './bytes.ts';
import type { History } from './file-index.ts';
import type { Partition } from './partition.ts';
import type { SeenBatch, StoredProducer } from './producer-state.ts';

const PARTITION_BYTES = 32;
const PRODUCER_BYTES = 15;
const BATCH_BYTES = 24;

export interface StoredPartition {
  readonly id: number;
  readonly history: History;
  readonly producers: readonly StoredProducer[];
}

export function encodeCheckpoint(partitions: readonly Partition[]): Uint8Array {
  const stored = partitions.map(partition => [...partition.producers.stored()]);
  const producers = stored.flat();
  const batches = producers.reduce((sum, producer) => sum + producer.batches.length, 0);
  const size = 4 + partitions.length * PARTITION_BYTES + producers.length * PRODUCER_BYTES + batches * BATCH_BYTES;
  const bytes = Buffer.allocUnsafe(size);
  let p = bytes.writeUInt32BE(partitions.length, 0);
  partitions.forEach((partition, i) => {
    bytes.writeUInt32BE(partition.id, p);
    const { bytes: appended, end, newest } = partition.history;
    writeInt64(bytes, end, p + 4);
    writeInt64(bytes, appended, p + 12);
    writeInt64(bytes, newest, p + 20);
    bytes.writeUInt32BE(stored[i]!.length, p + 28);
    p += PARTITION_BYTES;
    for (const producer of stored[i]!) p = encodeProducer(bytes, p, producer);
  });
  return bytes;
}

function encodeProducer(bytes: Buffer, at: number, producer: StoredProducer): number {
  writeInt64(bytes, producer.producerId, at);
  bytes.writeInt16BE(producer.epoch, at + 8);
  bytes.writeInt32BE(producer.expectedSequence, at + 10);
  bytes.writeUInt8(producer.batches.length, at + 14);
  let p = at + PRODUCER_BYTES;
  for (const batch of producer.batches) {
    bytes.writeUInt32BE(batch.firstSequence, p);
    bytes.writeUInt32BE(batch.lastSequence, p + 4);
    writeInt64(bytes, batch.baseOffset, p + 8);
    writeInt64(bytes, batch.maxTimestamp, p + 16);
    p += BATCH_BYTES;
  }
  return p;
}

/** True when the counts and lengths add up to the bytes. */
export function isCheckpoint(checkpoint: Uint8Array): boolean {
  const bytes = asBuffer(checkpoint);
  let p = 4;
  let partitions = bytes.length < 4 ? 0 : bytes.readUInt32BE(0);
  for (; partitions > 0 && p + PARTITION_BYTES <= bytes.length; partitions--) {
    let producers = bytes.readUInt32BE(p + 28);
    p += PARTITION_BYTES;
    for (; producers > 0 && p + PRODUCER_BYTES <= bytes.length; producers--) {
      p += PRODUCER_BYTES + bytes.readUInt8(p + 14) * BATCH_BYTES;
    }
    if (producers > 0) return false;
  }
  return partitions === 0 && p === bytes.length;
}

export function decodeCheckpoint(checkpoint: Uint8Array): StoredPartition[] {
  const bytes = asBuffer(checkpoint);
  let p = 4;
  const producer = (): StoredProducer => {
    const epoch = bytes.readInt16BE(p + 8);
    const head = { producerId: readInt64(bytes, p), epoch, expectedSequence: bytes.readInt32BE(p + 10) };
    const count = bytes.readUInt8(p + 14);
    p += PRODUCER_BYTES;
    const batches: SeenBatch[] = [];
    for (let i = 0; i < count; i++, p += BATCH_BYTES) {
      batches.push({
        epoch,
        firstSequence: bytes.readUInt32BE(p),
        lastSequence: bytes.readUInt32BE(p + 4),
        baseOffset: readInt64(bytes, p + 8),
        maxTimestamp: readInt64(bytes, p + 16),
        pending: undefined,
      });
    }
    return { ...head, batches };
  };
  return Array.from({ length: bytes.readUInt32BE(0) }, () => {
    const id = bytes.readUInt32BE(p);
    const history = { end: readInt64(bytes, p + 4), bytes: readInt64(bytes, p + 12), newest: readInt64(bytes, p + 20) };
    const count = bytes.readUInt32BE(p + 28);
    p += PARTITION_BYTES;
    return { id, history, producers: Array.from({ length: count }, producer) };
  });
}
